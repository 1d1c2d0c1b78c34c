"""`generator generate`: from a workspace to everything that its repository should hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from generator.config.model import Model
from generator.config.workspace import Workspace
from generator.errors import InvalidInput, Problem
from generator.files import Comparison, RenderedFile, compare, compare_shared, rewrite
from generator.ledger import Ledger, read_ledger
from generator.plan.configuration import plan_configuration, plan_source
from generator.plan.files import PlannedFile
from generator.plan.overlays import plan_base, plan_kubernetes
from generator.plan.pins import keep_newer_pins
from generator.plan.workflows import plan_workflows
from generator.render import data_folder, text_of
from generator.sources import check_owner

SCHEMA = ".tagship.schema.json"  # what the first line of a model.yaml points editors at


def compare_workspace(workspace: Workspace, *, install: str) -> Comparison:
    """How the repository differs from what it should hold. `install`: where workflows get the command from."""
    schema = PlannedFile(SCHEMA, "templates/editor/model.schema.json")
    planned = [schema, *plan_workflows(workspace, install=install), *_kubernetes(workspace)]
    return compare(workspace.root, _rendered(workspace.root, planned))


def compare_kubernetes(workspace: Workspace) -> Comparison:
    """The same without workflows: what a rehearsal needs."""
    return compare(workspace.root, _rendered(workspace.root, _kubernetes(workspace)))


def compare_home(workspace: Workspace, model: Model, root: Path) -> Comparison:
    """How the model's folder in the configuration repository at `root` differs; paths are from that folder."""
    check_owner(root, model, may_begin=True)
    home, neighbours = root / model.home, [other for other in workspace if other.separate]
    planned = [plan_source(model), *plan_base([model]), *plan_kubernetes(model, ledgers(home, model), neighbours)]
    return compare(home, _rendered(home, planned))


def compare_check(root: Path, *, install: str) -> Comparison:
    """How the configuration repository at `root` differs in what its own required check is made of."""
    return compare_shared(root, _rendered(root, plan_configuration(install=install)))


def refresh_overlay(root: Path, model: Model, environment: str) -> list[str]:
    """Writes the owned files of one overlay anew after its ledger changed; returns the paths it changed.

    `root` and the paths are the model's home.
    """
    folder = f"{model.overlay(environment)}/tagship/"
    planned = plan_kubernetes(model, ledgers(root, model))
    return rewrite(root, _rendered(root, [file for file in planned if file.path.startswith(folder)]))


def _kubernetes(workspace: Workspace) -> list[PlannedFile]:
    here = [model for model in workspace if not model.separate]
    planned = list(plan_base(here)) if here else []
    for model in here:
        planned += plan_kubernetes(model, ledgers(workspace.root, model), here)
    return planned


def ledgers(root: Path, model: Model) -> dict[str, Ledger]:
    """The ledger of each environment that has one. Raises InvalidInput where one contradicts itself.

    `root` is the model's home.
    """
    return ledgers_of(root, model.name, {target.name: model.overlay(target.name) for target in model.targets})


def ledgers_of(root: Path, name: str, overlays: Mapping[str, str]) -> dict[str, Ledger]:
    """The same for `overlays` of the model called `name`, by environment."""
    found = {}
    for environment, overlay in overlays.items():
        shown = f"{overlay}/release.yaml"
        if (root / shown).is_file():
            ledger = read_ledger((root / shown).read_text(encoding="utf-8"), shown)
            if (ledger.model, ledger.environment) != (name, environment):
                raise InvalidInput([Problem(shown, 1, 1, _other_ledger(shown, ledger))])
            found[environment] = ledger
    return found


def _other_ledger(shown: str, ledger: Ledger) -> str:
    return (
        f"is the ledger of {ledger.model} in {ledger.environment}. A model that is renamed is another model, "
        f"and nothing selects the old one's pods: remove the old overlay (git rm -r {Path(shown).parent}), "
        "then generate"
    )


def _rendered(root: Path, planned: Iterable[PlannedFile]) -> list[RenderedFile]:
    files = []
    for file in planned:
        text = _with_kept_pins(root, file.path, text_of(file))
        if file.values is not None and file.path.endswith((".yaml", ".yml")):
            _parse_again(file.path, text)
        origin = data_folder() / file.source if file.values is None else None
        files.append(RenderedFile(file.path, text, file.owner, origin))
    return files


def _with_kept_pins(root: Path, path: str, text: str) -> str:
    if path.startswith(".github/workflows/") and (root / path).is_file():
        return keep_newer_pins(text, (root / path).read_text(encoding="utf-8", errors="replace"))
    return text


def _parse_again(path: str, text: str) -> None:
    """A rendered file that is no YAML is our bug, and must not reach a disk. Parsed in C: there are many."""
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if getattr(event, "anchor", None):
                raise RuntimeError(f"rendered an anchor or alias into {path}")
    except yaml.YAMLError as error:
        raise RuntimeError(f"rendered a broken file, {path}: {error}") from error
