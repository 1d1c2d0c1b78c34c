"""`generator bootstrap`: what has to be there before the first release, one command an outside system."""

from __future__ import annotations

import click

from generator.cli import LazyGroup

# The function is `command` in generator.cli.bootstrap_<name>.
SYSTEMS: dict[str, str] = {
    "aws": "The release role and the image repository.",
    "github": "Environments, reviewers and rules of the repository.",
}


@click.group(cls=LazyGroup, lazy=SYSTEMS, prefix="generator.cli.bootstrap_")
def command() -> None:
    """Set up what a release needs outside the repository: shown first, changed on request."""
