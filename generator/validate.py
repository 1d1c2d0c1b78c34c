"""Everything that can be wrong in a repository and be seen without running anything of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from generator.config.model import Model
from generator.config.workspace import Workspace
from generator.errors import InvalidInput, Problem
from generator.generate import ledgers_of
from generator.ledger import Ledger
from generator.ledger_checks import Placed, contradictions, placed, refused_changes
from generator.overlay import image_of, scalars_of
from generator.plan.overlays import UNRELEASED_DIGEST
from generator.training.hooks_check import hooks_problems
from generator.training.script_check import script_problems


def workspace_problems(
    workspace: Workspace, *, locks: bool = True, only: Collection[str] | None = None
) -> list[Problem]:
    """All problems of all models: scripts, locks (unless `locks` is off), ledgers.

    With `only`, scripts and locks of these models; ledgers are always read, since they merge without a conflict.
    """
    problems = []
    for model in workspace:
        if only is None or model.name in only:
            problems += _model_problems(workspace.root, model, locks=locks)
    return problems + all_ledger_problems(workspace)


def all_ledger_problems(workspace: Workspace) -> list[Problem]:
    """Problems of the ledgers of all models, and of overlays that belong to none."""
    problems = [
        problem for model in workspace if not model.separate for problem in ledger_problems(workspace.root, model)
    ]
    return problems + _forgotten_overlays(workspace)


def _model_problems(root: Path, model: Model, *, locks: bool) -> list[Problem]:
    problems = [*script_problems(model, root), *hooks_problems(model, root)]
    if locks:
        from generator.training.lock import lock_problems  # it brings a requirements parser along

        problems += lock_problems(model, root)
    return problems


def _forgotten_overlays(workspace: Workspace) -> list[Problem]:
    """Overlays of environments and models that are gone: without what `generate` removed they do not render."""
    here = [model for model in workspace if not model.separate]
    wanted = {model.overlay(target.name) for model in here for target in model.targets}
    found = {
        path.parent.relative_to(workspace.root).as_posix()
        for path in (workspace.root / "k8s/overlays").rglob("release.yaml")
    }
    message = "belongs to no environment of any model.yaml: name it there, or remove the folder (git rm -r)"
    if len(here) < len(workspace.models):
        message = (
            "belongs to no environment of a model whose overlays are here: move it to deploy.repository "
            "(docs/configuration-repository.md), or remove the folder (git rm -r)"
        )
    return [Problem(f"{overlay}/release.yaml", 0, 0, message) for overlay in sorted(found - wanted)]


def ledger_problems(root: Path, model: Model) -> list[Problem]:
    """Where an overlay's ledger contradicts itself, or the image that it runs. `root` is the model's home."""
    return overlay_problems(root, model.name, _overlays(model), lambda name: _drift(root, model, name))


def _overlays(model: Model) -> dict[str, str]:
    return {target.name: model.overlay(target.name) for target in model.targets}


def overlay_problems(
    root: Path, name: str, overlays: Mapping[str, str], more: Callable[[str], list[Problem]]
) -> list[Problem]:
    """The same for `overlays` of the model called `name`; `more` looks at an environment with no such problem."""
    try:
        found = ledgers_of(root, name, overlays)
    except InvalidInput as error:
        return list(error.problems)
    problems = contradictions(_placed(root, overlays, found))
    for environment, ledger in found.items():
        problems += _image_problems(root, overlays[environment], ledger) or more(environment)
    return problems


def _placed(root: Path, overlays: Mapping[str, str], found: Mapping[str, Ledger]) -> dict[str, Placed]:
    places = {environment: f"{overlays[environment]}/release.yaml" for environment in found}
    return {
        environment: Placed(ledger, places[environment], (root / places[environment]).read_text(encoding="utf-8"))
        for environment, ledger in found.items()
    }


def changed_ledger_problems(workspace: Workspace, base: Callable[[str], str | None]) -> list[Problem]:
    """What the workspace must not do to ledgers. `base` gives a file's text before the change, by its path."""
    problems = []
    for model in workspace:
        if not model.separate:
            problems += changed_overlay_problems(workspace.root, model.name, _overlays(model), base)
    return problems


def changed_overlay_problems(
    root: Path, name: str, overlays: Mapping[str, str], base: Callable[[str], str | None]
) -> list[Problem]:
    """The same for `overlays` of the model called `name`."""
    try:
        head = _placed(root, overlays, ledgers_of(root, name, overlays))
    except InvalidInput:
        return []  # `overlay_problems` says it
    problems, before = [], {}
    for environment, overlay in overlays.items():
        shown = f"{overlay}/release.yaml"
        found = placed(base(shown), shown)
        if found is None or found.ledger.model != name:
            continue
        before[environment] = found
        if environment not in head:
            problems.append(Problem(shown, 0, 0, "is gone; restore it with git: a ledger is never removed"))
    return problems + refused_changes(before, head)


def _image_problems(root: Path, overlay: str, ledger: Ledger) -> list[Problem]:
    shown = f"{overlay}/kustomization.yaml"
    if not (root / shown).is_file():
        return [
            Problem(shown, 0, 0, "is missing beside its ledger; restore it with git, or run `generator generate`")
        ]
    try:
        image = image_of((root / shown).read_text(encoding="utf-8"), shown)
    except InvalidInput as error:
        return list(error.problems)
    wanted = ledger.current.digest if ledger.current else UNRELEASED_DIGEST
    if image.digest != wanted:
        message = (
            f"the digest {image.digest} is not the ledger's {wanted}; only `generator stage deploy` changes it"
        )
        return [Problem(shown, image.line, image.column, message)]
    return []


def _drift(root: Path, model: Model, environment: str) -> list[Problem]:
    """Where the user's own kustomization.yaml no longer says what model.yaml says."""
    shown = f"{model.overlay(environment)}/kustomization.yaml"
    found = scalars_of((root / shown).read_text(encoding="utf-8"))
    problems = []
    for key, wanted in (("namespace", model.target(environment).namespace), ("namePrefix", f"{model.name}-")):
        value, line, column = found.get(key, ("", 1, 1))
        if value != wanted:
            message = f"{key} is {value or 'missing'}, but model.yaml means {wanted}: write `{key}: {wanted}`"
            if key == "namespace" and value:
                message = (
                    f"namespace is {value}, but model.yaml means {wanted}: write `namespace: {value}` for "
                    f"{environment} in model.yaml to stay, or `namespace: {wanted}` here to move "
                    "(docs/reconcilers.md, another namespace)"
                )
            problems.append(Problem(shown, line, column, message))
    return problems
