"""`generator validate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from generator.cli.options import repository_option

if TYPE_CHECKING:
    from generator.config.model import Workspace
    from generator.errors import Problem


@click.command()
@repository_option
@click.option(
    "--changed",
    "base",
    metavar="REF",
    help="Only models that differ from the last commit shared with REF, and what the change does to ledgers.",
)
def command(root: Path, base: str | None) -> None:
    """Check model.yaml, the training script, the lock and the ledgers; nothing is run.

    All problems are shown at once, each with its place. Exit code 1 when there are any.
    """
    from generator.adapters.installation import install_source
    from generator.config.model import load
    from generator.errors import InvalidInput
    from generator.validate import workspace_problems

    workspace = load(root)
    names, problems = _compared(workspace, base) if base else (None, [])
    problems += workspace_problems(workspace, only=names)
    try:
        install_source(workspace)
    except InvalidInput as error:
        problems += error.problems
    if problems:
        raise InvalidInput(problems)
    for model in workspace:
        skipped = names is not None and model.name not in names
        click.echo(f"{model.shown}: {model.name} is {'unchanged' if skipped else 'valid'}")


def _compared(workspace: Workspace, base: str) -> tuple[set[str], list[Problem]]:
    """The names of changed models, and what the change must not do to ledgers."""
    from generator.adapters.git import GitRepository
    from generator.preview.changed import changed_models, common_ancestor
    from generator.validate import changed_ledger_problems

    git = GitRepository(workspace.root)
    before = common_ancestor(git, base)
    names = {model.name for model in changed_models(workspace, git.changed_since(before))}
    return names, changed_ledger_problems(workspace, lambda path: git.text_at(before, path))
