"""`generator validate`."""

from __future__ import annotations

from pathlib import Path

import click

from generator.cli.options import repository_option


@click.command()
@repository_option
def command(root: Path) -> None:
    """Check model.yaml, the training script, the lock and the ledgers; nothing is run.

    All problems are shown at once, each with its place. Exit code 1 when there are any.
    """
    from generator.adapters.installation import install_source
    from generator.config.model import load
    from generator.errors import InvalidInput
    from generator.validate import workspace_problems

    workspace = load(root)
    problems = workspace_problems(workspace)
    try:
        install_source(workspace)
    except InvalidInput as error:
        problems += error.problems
    if problems:
        raise InvalidInput(problems)
    for model in workspace:
        click.echo(f"{model.shown}: {model.name} is valid")
