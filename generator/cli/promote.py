"""`generator promote`."""

from __future__ import annotations

from pathlib import Path

import click

from generator.cli.options import complete_environments, model_option, repository_option


@click.command()
@click.argument("environment", shell_complete=complete_environments)
@click.option("--version", help="Only this version, whatever the environment before runs by now.")
@click.option(
    "--via", type=click.Choice(["commit", "pull-request"]), help="How it arrives.  [default: model.yaml's `via`]"
)
@repository_option
@model_option()
def command(environment: str, version: str | None, via: str | None, root: Path, model_name: str | None) -> None:
    """Bring to ENVIRONMENT what the environment before it runs.

    The digest is that of the ledger: nothing is built again. It must pass the gate against what serves there now.
    """
    import os
    import tempfile

    from generator.cli.output import Terminal, summarise
    from generator.config.model import load
    from generator.delivery.evidence import evidence_text
    from generator.delivery.promotion import Asked, promote, propose, source_of
    from generator.promoting import open_pull_request, require_approval
    from generator.wiring import World, deployer, who

    model = load(root).model(model_name)
    source_of(model, environment)
    require_approval(model, environment, os.environ)
    asked, terminal = Asked(environment, who(), version), Terminal()
    by_commit = (via or model.target(environment).settings.via) == "commit"
    with tempfile.TemporaryDirectory(prefix="tagship-promote-") as folder, terminal.working_on("promote"):
        bring = promote if by_commit else propose
        done = bring(model, asked, deployer(root, Path(folder, "clone"), World(terminal)))
    text = evidence_text(done, by=asked.by)
    if not done.changed:
        click.echo(f"{model.name} in {environment}: {done.evidence.entry.version} runs there already")
    elif by_commit:
        click.echo(f"{model.name} in {environment}: {done.evidence.entry.version}, commit {done.commit[:12]}")
        summarise(text)
    else:
        where = open_pull_request(model, done, text, os.environ)
        click.echo(f"{model.name} in {environment}: {done.evidence.entry.version} waits on {done.branch}")
        click.echo(f"pull request: {where}")
        summarise(f"{text}\nPull request: {where}")
