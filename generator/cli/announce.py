"""`generator announce`: what the last job of a release, promotion or rollback runs."""

from __future__ import annotations

import os
from pathlib import Path

import click

from generator.cli.options import complete_environments, model_option, repository_option


@click.command()
@click.argument("kind", type=click.Choice(["release", "promotion", "rollback"]))
@repository_option
@model_option()
@click.option("--release", "tag", help="The release's tag.")
@click.option("--environment", shell_complete=complete_environments, help="What was promoted to, or rolled back.")
def command(kind: str, root: Path, model_name: str | None, tag: str | None, environment: str | None) -> None:
    """Tell GitHub and the webhook how a workflow ended.

    NEEDS holds the ends of the jobs before, as GitHub's toJSON(needs); TAGSHIP_WEBHOOK the address to post to.
    """
    from generator.adapters.github import connect
    from generator.adapters.webhook import webhook_from
    from generator.announcing.news import Where
    from generator.announcing.reading import change_news, release_news
    from generator.announcing.telling import tell
    from generator.cli.output import Terminal
    from generator.config.workspace import load
    from generator.outcome import read_needs
    from generator.wiring import release_of

    needs, where, workspace = read_needs(os.environ), Where.of(os.environ), load(root)
    if (tag is None) == (environment is None) or (kind == "release") != (tag is not None):
        raise click.UsageError("a release has --release TAG, a promotion or rollback --environment NAME")
    news = (
        release_news(release_of(workspace, tag), needs, where)
        if tag is not None
        else change_news(workspace.model(model_name), kind, str(environment), needs, where, root)
    )
    if news is None:
        click.echo("nothing changed: nobody is told")
        return
    github = connect(os.environ.get("GITHUB_REPOSITORY", ""), os.environ)
    tell(news, github, webhook_from(os.environ), where, Terminal())
