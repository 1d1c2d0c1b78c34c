"""`generator validate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from generator.cli.options import repository_option

if TYPE_CHECKING:
    from generator.config.workspace import Workspace
    from generator.errors import Problem


@click.command()
@repository_option
@click.option(
    "--changed",
    "base",
    metavar="REF",
    help="Only models that differ from the last commit shared with REF, and what the change does to ledgers.",
)
@click.option("--ledgers", is_flag=True, help="In a configuration repository: its ledgers and overlays.")
def command(root: Path, base: str | None, ledgers: bool) -> None:
    """Check model.yaml, the training script, the lock, the ledgers and patches; nothing is run.

    All problems are shown at once, each with its place. Exit code 1 when there are any.
    """
    from generator.adapters.installation import install_source
    from generator.cli.patches import patch_findings
    from generator.config.workspace import load
    from generator.errors import InvalidInput
    from generator.validate import workspace_problems

    if ledgers:
        _validate_configuration(root, base)
        return
    workspace = load(root)
    names, problems = _compared(workspace, base) if base else (None, [])
    problems += workspace_problems(workspace, only=names)
    here = [model for model in workspace if not model.separate and (names is None or model.name in names)]
    problems += patch_findings(workspace.root, here)
    try:
        install_source(workspace)
    except InvalidInput as error:
        problems += error.problems
    if problems:
        raise InvalidInput(problems)
    for model in workspace:
        skipped = names is not None and model.name not in names
        click.echo(f"{model.shown}: {model.name} is {'unchanged' if skipped else 'valid'}")


def _validate_configuration(root: Path, base: str | None) -> None:
    """There is no model.yaml: each folder says itself whose it is."""
    from generator.adapters.git import GitRepository
    from generator.adapters.kustomize import Kustomize, installed
    from generator.configuration import Before, configuration_problems, sources
    from generator.errors import InvalidInput
    from generator.preview.changed import common_ancestor

    git, found = GitRepository(root), sources(root)
    before = common_ancestor(git, base) if base else None
    if not installed():
        click.echo("not rendered: neither kustomize nor kubectl is installed", err=True)
    problems = configuration_problems(
        root,
        found,
        Kustomize() if installed() else None,
        Before(git.paths_at(before), lambda path: git.text_at(before, path)) if before else None,
    )
    if problems:
        raise InvalidInput(problems)
    for source in found:
        click.echo(f"{source.model}: the ledgers of {', '.join(source.environments)} are valid")


def _compared(workspace: Workspace, base: str) -> tuple[set[str], list[Problem]]:
    """The names of changed models, and what the change must not do to ledgers."""
    from generator.adapters.git import GitRepository
    from generator.preview.changed import changed_models, common_ancestor
    from generator.validate import changed_ledger_problems

    git = GitRepository(workspace.root)
    before = common_ancestor(git, base)
    names = {model.name for model in changed_models(workspace, git.changed_since(before))}
    return names, changed_ledger_problems(workspace, lambda path: git.text_at(before, path))
