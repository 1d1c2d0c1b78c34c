"""`generator bootstrap github`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from generator.cli.options import repository_option

if TYPE_CHECKING:
    from generator.bootstrap.github import Proposal


@click.command()
@repository_option
@click.option("--apply", "wanted", is_flag=True, help="Make the changes, after asking.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--reviewer",
    "reviewers",
    metavar="USER|@ORG/TEAM",
    multiple=True,
    help="Who approves what comes to environments with `approval: true`; may be repeated.",
)
@click.option("--release-team", metavar="@ORG/TEAM", help="Who makes release tags.  [default: administrators]")
@click.option("--app", metavar="NUMBER", type=click.IntRange(min=1), help="The GitHub App that pushes commits.")
def command(
    root: Path, wanted: bool, yes: bool, reviewers: tuple[str, ...], release_team: str | None, app: int | None
) -> None:
    """Compare the repository's settings on GitHub with what releases need; change them with --apply.

    Needs a token in GH_TOKEN or GITHUB_TOKEN that may administer the repository. Changes nothing without --apply,
    and makes nothing that is there more permissive.
    """
    from generator.adapters.git import GitRepository
    from generator.adapters.github import connect
    from generator.bootstrap.github import address_of, carry_out, propose
    from generator.bootstrap.github_people import Wishes
    from generator.cli.output import Terminal
    from generator.config.workspace import load
    from generator.errors import GeneratorError

    workspace = load(root)
    github = connect(address_of(workspace, GitRepository(root).origin()), os.environ)
    wishes = Wishes(reviewers, release_team, app)
    proposal = propose(github, workspace, wishes)
    unmet = list(proposal.unmet)
    _show(proposal, github.slug)
    if wanted and proposal.steps:
        if not yes:
            _ask(f"Make these changes in {github.slug}?")
        unmet += carry_out(github, proposal, Terminal().say)
        if not unmet and propose(github, workspace, wishes).steps:
            raise GeneratorError("GitHub did not keep all of it: run the same command again and compare")
    elif proposal.steps:
        click.echo("nothing was changed: --apply makes the changes")
    if wanted and unmet:
        raise GeneratorError("not set:\n" + "\n".join(unmet))


def _ask(question: str) -> None:
    import sys

    try:
        click.confirm(question, abort=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        click.echo()
        raise click.UsageError("--apply asks first: add --yes where nobody answers") from None


def _show(proposal: Proposal, slug: str) -> None:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from generator.cli.output import to_stdout

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in (slug, "is", "shall be", "change"):
        table.add_column(title, overflow="fold")
    for line in proposal.lines:
        table.add_row(*(escape(cell) for cell in (line.what, line.now, line.wanted, line.change)))
    to_stdout().print(table)
    for note in (*proposal.notes, *proposal.unmet):
        click.echo(f"- {note}")
