"""`generator rollback`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from generator.cli.options import complete_environments, model_option, repository_option

if TYPE_CHECKING:
    from generator.config.model import Model
    from generator.delivery.rollback import RolledBack, Wanted

_RESUME = (
    "If there is no version to go back to: release the fix as a higher version; it is deployed as any other.",
    "If a right, a rule of the branch or the network was the cause: re-run the failed job; it goes back once. "
    "Without GitHub, `generator rollback` does the same from any clone that may push.",
)


@click.command()
@click.argument("environment", shell_complete=complete_environments)
@click.option("--reason", help="Why. It stands in the ledger and in every refusal of the version.")
@click.option(
    "--observed",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="In place of a reason: what `generator observe` kept of a failed rollout. Nothing happens where another "
    "release has come there since.",
)
@click.option("--to", metavar="VERSION", help="This version.  [default: the last one that is not rejected]")
@repository_option
@model_option()
def command(
    environment: str, reason: str | None, observed: Path | None, to: str | None, root: Path, model_name: str | None
) -> None:
    """Let ENVIRONMENT run an earlier version again, and reject the one that runs.

    One commit on the release branch, from the ledger alone: nothing is built and no registry is asked. A rejected
    version never comes back, neither by a late run nor by one that is run again.
    """
    import tempfile

    from generator.cli.output import Terminal, failure_summarised, summarise
    from generator.config.workspace import load
    from generator.delivery.rollback import rollback
    from generator.wiring import World, deployer

    if (reason is None) == (observed is None) or (observed and to):
        raise click.UsageError("say --reason TEXT, and --to VERSION if you like; or --observed FILE alone")
    with failure_summarised("rollback", _RESUME):
        model = load(root).model(model_name)
        model.target(environment)
        terminal = Terminal()
        wanted = _wanted(model, environment, reason or "", to, observed)
        with tempfile.TemporaryDirectory(prefix="tagship-rollback-") as folder, terminal.working_on("rollback"):
            with_ = deployer(root, Path(folder, "clone"), World(terminal), model)
            done = rollback(model, wanted, with_)
    if done is None:
        summarise(f"**rollback** of {model.name} in {environment}: another release has come there since, it stays")
    else:
        _hand_on(model.name, wanted, done)
        summarise(_shown(model, wanted, done))
        before = ", since an attempt before" if done.again else ""
        click.echo(f"{model.name} in {environment}: {done.bad} is rejected, {done.version} runs again{before}")
        click.echo(f"commit {done.commit[:12]}; pull it, and release the fix as a higher version than {done.bad}")


def _wanted(model: Model, environment: str, reason: str, to: str | None, observed: Path | None) -> Wanted:
    from generator.artifacts import Rollout
    from generator.delivery.rollback import Wanted, because_of
    from generator.store import read_artifact
    from generator.wiring import request_of, who

    # A workflow's run that is run again asks under the same name, and so goes back once.
    request = request_of("rollback")
    if observed is None:
        return Wanted(environment, reason, who(), to, request=request)
    seen = read_artifact(observed, Rollout, "generator observe")
    return because_of(seen, model, environment, who(), request)


def _shown(model: Model, wanted: Wanted, done: RolledBack) -> str:
    """What the job's summary says of it."""
    import os

    from generator.announcing.news import Where
    from generator.preview.markdown import code, table

    url, commit = Where.of(os.environ).overlay_commit(model, done.commit), code(done.commit[:12])
    rows = [
        ("rejected", code(done.bad)),
        ("runs again", f"{code(done.version)}, {code(done.digest)}"),
        ("why", code(wanted.reason)),
        ("commit", (f"[{commit}]({url})" if url else commit) + (", by an attempt before" if done.again else "")),
        ("asked for by", code(wanted.by)),
    ]
    text = table(("", ""), rows)
    return f"**rollback** of {model.name} in {wanted.environment}: {done.version} runs again\n\n{text}"


def _hand_on(model: str, wanted: Wanted, done: RolledBack) -> None:
    from generator.cli.output import hand_on
    from generator.outcome import OUTPUT, Outcome

    outcome = Outcome(
        what="rolled-back",
        model=model,
        environment=wanted.environment,
        version=done.version,
        before=done.bad,
        digest=done.digest,
        commit=done.commit,
        by=wanted.by,
        reason=wanted.reason,
    )
    hand_on(OUTPUT, outcome.model_dump_json())
