"""`generator rollback`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from generator.cli.options import complete_environments, model_option, repository_option

if TYPE_CHECKING:
    from generator.delivery.rollback import RolledBack, Wanted

_RESUME = (
    "If there is no version to go back to: release the fix as a higher version; it is deployed as any other.",
    "If a right, a rule of the branch or the network was the cause: re-run the failed job; it goes back once. "
    "Without GitHub, `generator rollback` does the same from any clone that may push.",
)


@click.command()
@click.argument("environment", shell_complete=complete_environments)
@click.option("--reason", required=True, help="Why. It stands in the ledger and in every refusal of the version.")
@click.option("--to", metavar="VERSION", help="This version.  [default: the last one that is not rejected]")
@repository_option
@model_option()
def command(environment: str, reason: str, to: str | None, root: Path, model_name: str | None) -> None:
    """Let ENVIRONMENT run an earlier version again, and reject the one that runs.

    One commit on the release branch, from the ledger alone: nothing is built and no registry is asked. A rejected
    version never comes back, neither by a late run nor by one that is run again.
    """
    import tempfile

    from generator.cli.output import Terminal, failure_summarised
    from generator.config.model import load
    from generator.delivery.rollback import Wanted, rollback
    from generator.wiring import World, deployer, request_of, who

    with failure_summarised("rollback", _RESUME):
        model = load(root).model(model_name)
        model.target(environment)
        terminal = Terminal()
        # A workflow's run that is run again asks under the same name, and so goes back once.
        wanted = Wanted(environment, reason, who(), to, request=request_of("rollback"))
        with tempfile.TemporaryDirectory(prefix="tagship-rollback-") as folder, terminal.working_on("rollback"):
            with_ = deployer(root, Path(folder, "clone"), World(terminal), model)
            done = rollback(model, wanted, with_)
    if done:
        _hand_on(model.name, wanted, done)
        before = ", since an attempt before" if done.again else ""
        click.echo(f"{model.name} in {environment}: {done.bad} is rejected, {done.version} runs again{before}")
        click.echo(f"commit {done.commit[:12]}; pull it, and release the fix as a higher version than {done.bad}")


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
