"""`generator promote`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from generator.cli.options import complete_environments, model_option, repository_option

if TYPE_CHECKING:
    from generator.config.model import Model
    from generator.delivery.promotion import Promotion

_RESUME = (
    "If the gate or the ledger refused the version: release a better one as a higher version, and promote that.",
    "If an approval, a right, a rule of the branch or the network was the cause: re-run the failed job. A "
    "promotion that is done already is not done twice.",
)


@click.command()
@click.argument("environment", required=False, shell_complete=complete_environments)
@click.option("--version", help="Only this version, whatever the environment before runs by now.")
@click.option(
    "--refresh", "refreshes", is_flag=True, help="Make again what waits for its merge, on the branch's head."
)
@repository_option
@model_option()
def command(
    environment: str | None, version: str | None, refreshes: bool, root: Path, model_name: str | None
) -> None:
    """Bring to ENVIRONMENT what the environment before it runs.

    The digest is that of the ledger: nothing is built again. It must pass the gate against what serves there now.
    """
    if refreshes == bool(environment):
        raise click.UsageError("say which ENVIRONMENT, or --refresh for all promotions that wait")
    if environment:
        _promote(environment, version, root, model_name)
    else:
        _refresh(root, model_name)


def _promote(environment: str, version: str | None, root: Path, model_name: str | None) -> None:
    import os
    import tempfile

    from generator.cli.output import Terminal, failure_summarised
    from generator.config.workspace import load
    from generator.delivery.promotion import Asked, promote, propose, source_of
    from generator.promoting import require_approval, shown
    from generator.wiring import World, deployer, request_of, who

    with failure_summarised("promote", _RESUME):
        model = load(root).model(model_name)
        source_of(model, environment)
        require_approval(model, environment, os.environ)
        # A workflow's run that is run again asks under the same name: what it did before, it hands on again.
        asked = Asked(environment, who(), version, request=request_of("promote"))
        terminal = Terminal()
        by_commit = model.target(environment).settings.via == "commit"
        with tempfile.TemporaryDirectory(prefix="tagship-promote-") as folder, terminal.working_on("promote"):
            bring, clone = promote if by_commit else propose, Path(folder, "clone")
            done = bring(model, asked, deployer(root, clone, World(terminal), model))
            text = shown(model, done, clone, by=asked.by)
        _report(model, done, text, by_commit=by_commit)


def _refresh(root: Path, model_name: str | None) -> None:
    import os
    import tempfile

    from generator.cli.output import Terminal, failure_summarised
    from generator.config.workspace import load
    from generator.delivery.refreshing import refresh
    from generator.promoting import open_pull_request, shown
    from generator.wiring import World, deployer

    with failure_summarised("promote", _RESUME):
        model, terminal = load(root).model(model_name), Terminal()
        with tempfile.TemporaryDirectory(prefix="tagship-promote-") as folder, terminal.working_on("promote"):
            clone = Path(folder, "clone")
            for done in refresh(model, deployer(root, clone, World(terminal), model)):
                text = shown(model, done.promotion, clone, by=done.by)
                terminal.say(open_pull_request(model, done.promotion, text, os.environ, again=True))


def _report(model: Model, done: Promotion, text: str, *, by_commit: bool) -> None:
    """Says what came of it; the evidence goes to the pull request and to the job's summary."""
    import os

    from generator.cli.output import summarise
    from generator.promoting import open_pull_request

    told = f"{model.name} in {done.evidence.environment}: {done.evidence.entry.version}"
    if not done.changed:
        click.echo(f"{told} runs there already")
        if done.again:
            _hand_on(done, None)
        return
    url = None
    if by_commit:
        click.echo(f"{told}, commit {done.commit[:12]}")
    else:
        url = open_pull_request(model, done, text, os.environ)
        where = f"Pull request: {url}"
        click.echo(f"{told} waits on {done.branch}\n{where}")
        text += f"\n{where}"
    summarise(text)
    _hand_on(done, url)


def _hand_on(done: Promotion, url: str | None) -> None:
    from generator.cli.output import hand_on
    from generator.outcome import OUTPUT, Outcome
    from generator.wiring import who

    evidence = done.evidence
    outcome = Outcome(
        what="proposed" if url else "promoted",
        model=evidence.model,
        environment=evidence.environment,
        version=evidence.entry.version,
        before=evidence.champion.version if evidence.champion else None,
        digest=evidence.entry.digest,
        commit=done.commit,
        by=who(),
        url=url,
    )
    hand_on(OUTPUT, outcome.model_dump_json())
