"""Compares a repository's last commit with the one that it shares with its base branch.

Both are written to clean folders, so that what was not committed, the index and the working tree play no part.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from generator.adapters.git import GitRepository
from generator.adapters.installation import install_source
from generator.config.model import Model
from generator.config.workspace import Workspace, load
from generator.errors import GeneratorError, InvalidInput
from generator.generate import compare_workspace
from generator.patches import checking
from generator.ports import Renderer
from generator.preview.changed import changed_models, common_ancestor
from generator.preview.environments import Compared, Side, environments, without_folder
from generator.preview.metrics import Trained, read_trained
from generator.validate import changed_ledger_problems, workspace_problems


@dataclass(frozen=True)
class Preview:
    """All that the text says."""

    base: str  # as it was asked for, such as origin/main
    base_commit: str
    commit: str
    environments: tuple[Compared, ...]
    untouched: tuple[str, ...]  # models that the change does not concern
    findings: tuple[str, ...]
    trained: tuple[Trained, ...]
    notes: tuple[str, ...] = ()


def preview(
    git: GitRepository,
    base: str,
    renderer: Renderer,
    *,
    only: Collection[str] = (),
    artifacts: Sequence[Path] = (),
    overlays_of: Model | None = None,
) -> Preview:
    """What HEAD changes since its last commit in common with `base`; of `only` these, or of those it concerns.

    In a configuration repository, which has no model.yaml, `overlays_of` is the model that is compared.
    `artifacts` are files of a release's stages, or folders with them. Raises GeneratorError where nothing can be
    compared.
    """
    before, commit = common_ancestor(git, base), git.commit_of("HEAD")
    with tempfile.TemporaryDirectory(prefix="tagship-preview-") as folder:
        (old, _), (new, problems) = (
            _side(git, sha, Path(folder, name), overlays_of) for sha, name in ((before, "base"), (commit, "head"))
        )
        if overlays_of is None:
            names, rest = _names(old, new, git.changed_between(before, commit), only)
            here = names - {model.name for model in new.workspace or () if model.separate}
        else:
            here, rest = frozenset({overlays_of.name}), ()
        compared = environments(old, new, here, renderer)
        trained, refused = read_trained(artifacts, new)
        checked = [] if overlays_of else _findings(old, new, here, renderer)
        findings = [*problems, *checked, *_broken(compared), *refused]
    notes = [] if overlays_of else _elsewhere(new)
    if old.workspace is None:
        notes.append("The base has no valid model.yaml: environments that are gone are not shown.")
    return Preview(
        base, before, commit, compared, rest, tuple(dict.fromkeys(findings)), trained, notes=tuple(notes)
    )


def _elsewhere(head: Side) -> list[str]:
    """What is not compared here."""
    return [
        f"The manifests of {model.name} are in {model.overlays_url}: `generator generate --into` a checkout of it "
        "writes what this changes there."
        for model in head.workspace or ()
        if model.separate
    ]


def _side(git: GitRepository, commit: str, folder: Path, overlays_of: Model | None) -> tuple[Side, list[str]]:
    """The commit as a folder, and what is wrong with its model.yaml."""
    git.export(commit, folder)
    if overlays_of is not None:
        home = folder / overlays_of.home
        return Side(commit, home, Workspace(home, (overlays_of,))), []
    try:
        return Side(commit, folder, load(folder)), []
    except GeneratorError as error:
        return Side(commit, folder, None), without_folder(str(error), folder).splitlines()


def _names(
    old: Side, new: Side, paths: Sequence[str], only: Collection[str]
) -> tuple[frozenset[str], tuple[str, ...]]:
    """The models to compare, and those that the change does not concern."""
    sides = [side.workspace for side in (old, new) if side.workspace]
    known = {model.name for workspace in sides for model in workspace}
    if strange := sorted({*only} - known):
        there = ", ".join(sorted(known)) or "none"
        raise GeneratorError(f"no model {strange[0]!r} on either side; there are: {there}")
    concerned = {model.name for workspace in sides for model in changed_models(workspace, paths)}
    if not all((old.workspace, new.workspace)):
        concerned = known
    return frozenset(only or concerned), tuple(sorted(known - concerned))


def _findings(old: Side, new: Side, here: Collection[str], renderer: Renderer) -> list[str]:
    """What `generator validate` and `generator generate --check` have against the head."""
    if new.workspace is None:
        return []
    problems = [*workspace_problems(new.workspace), *changed_ledger_problems(new.workspace, old.text)]
    patched = checking.overlays_of(model for model in new.workspace if model.name in here)
    problems += checking.patch_problems(new.root, patched, renderer)
    stale: list[str] = []
    try:
        stale = _stale(new.workspace)
    except InvalidInput as error:
        problems += error.problems
    except GeneratorError as error:
        stale = [without_folder(str(error), new.root)]
    return [*(str(problem) for problem in sorted(set(problems))), *stale]


def _stale(workspace: Workspace) -> list[str]:
    comparison = compare_workspace(workspace, install=install_source(workspace))
    found = [f"{change.path}: {change.kind}" for change in comparison.changes]
    if comparison.clean:
        return []
    return [*found, "generated files are stale: run `generator generate` and commit the result"]


def _broken(compared: Sequence[Compared]) -> list[str]:
    return [f"{item.title}: {item.broken}" for item in compared if item.broken]
