"""Everything that can be wrong in a repository and be seen without running anything of it."""

from __future__ import annotations

from pathlib import Path

from generator.config.model import Model, Workspace
from generator.errors import InvalidInput, Problem
from generator.generate import ledgers
from generator.ledger import Ledger
from generator.overlay import image_of, scalars_of
from generator.plan.overlays import UNRELEASED_DIGEST
from generator.training.hooks_check import hooks_problems
from generator.training.script_check import script_problems


def workspace_problems(workspace: Workspace, *, locks: bool = True) -> list[Problem]:
    """All problems of all models: scripts, locks (unless `locks` is off), ledgers."""
    problems = []
    for model in workspace:
        problems += script_problems(model, workspace.root)
        problems += hooks_problems(model, workspace.root)
        if locks:
            from generator.training.lock import lock_problems  # it brings a requirements parser along

            problems += lock_problems(model, workspace.root)
    return problems + all_ledger_problems(workspace)


def all_ledger_problems(workspace: Workspace) -> list[Problem]:
    """Problems of the ledgers of all models, and of overlays that belong to none."""
    problems = [problem for model in workspace for problem in ledger_problems(workspace.root, model)]
    return problems + _forgotten_overlays(workspace)


def _forgotten_overlays(workspace: Workspace) -> list[Problem]:
    """Overlays of environments and models that are gone: without what `generate` removed they do not render."""
    wanted = {model.overlay(target.name) for model in workspace for target in model.targets}
    found = {
        path.parent.relative_to(workspace.root).as_posix()
        for path in (workspace.root / "k8s/overlays").rglob("release.yaml")
    }
    message = "belongs to no environment of any model.yaml: name it there, or remove the folder (git rm -r)"
    return [Problem(f"{overlay}/release.yaml", 0, 0, message) for overlay in sorted(found - wanted)]


def ledger_problems(root: Path, model: Model) -> list[Problem]:
    """Where an overlay's ledger contradicts itself, or the image that the overlay runs."""
    try:
        found = ledgers(root, model)
    except InvalidInput as error:
        return list(error.problems)
    problems = []
    for environment, ledger in found.items():
        overlay = model.overlay(environment)
        shown = f"{overlay}/release.yaml"
        problems += [Problem(shown, 0, 0, message) for message in _contradictions(ledger)]
        problems += _image_problems(root, overlay, ledger) or _drift(root, model, environment)
    return problems


def _contradictions(ledger: Ledger) -> list[str]:
    messages = []
    current = ledger.current
    if current is None:
        return ["has a history but no current release"] if ledger.history else []
    for rejected in ledger.rejected:
        if current.version == rejected.version or current.digest == rejected.digest:
            messages.append(f"its current version {current.version} is rejected ({rejected.reason}); roll back")
    digests: dict[str, str] = {}
    for entry in (current, *ledger.history):
        if digests.setdefault(entry.version, entry.digest) != entry.digest:
            messages.append(f"version {entry.version} stands there with two digests")
    return messages


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
            problems.append(Problem(shown, line, column, message))
    return problems
