"""`generator bootstrap`: one subcommand a place that releases need."""

from __future__ import annotations

import click

from generator.cli import LazyGroup

# Name -> what --help says of it; the function is `command` in generator.cli.bootstrap_<name>.
PLACES: dict[str, str] = {
    "aws": "The release role and the image repository in AWS.",
}


@click.group(cls=LazyGroup, modules=PLACES, prefix="generator.cli.bootstrap_")
def command() -> None:
    """Set up what releases need outside of the repository.

    Each place is shown first and changed only with --apply.
    """
