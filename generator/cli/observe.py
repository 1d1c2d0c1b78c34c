"""`generator observe`."""

from __future__ import annotations

from pathlib import Path

import click

from generator.cli.options import complete_environments, model_option, repository_option

_RESUME = (
    "If the version is bad: `generator rollback`, unless a job after this one has done so; then release the fix.",
    "If the cluster could only not be looked at: run the job again.",
)


@click.command()
@click.argument("environment", shell_complete=complete_environments)
@click.option("--since", metavar="COMMIT", help="Only if the release there is another one than this commit says.")
@click.option("--only", metavar="DIGEST", help="Only this image: where another one came since, it is superseded.")
@repository_option
@model_option()
def command(environment: str, since: str | None, only: str | None, root: Path, model_name: str | None) -> None:
    """Wait until ENVIRONMENT runs what the release branch says, or say why it does not.

    The cluster is that of kubectl's current context, or of the kubeconfig in TAGSHIP_KUBECONFIG. Ends with 1 where
    the rollout failed or was not done in time (deploy.observe.timeout in model.yaml).
    """
    from generator.cli.output import Terminal, failure_summarised, hand_on, summarise
    from generator.config.workspace import load
    from generator.errors import GeneratorError
    from generator.observing import observe_head
    from generator.plan.runbook import section
    from generator.wiring import pushing

    model = load(root).model(model_name)
    target, terminal = model.target(environment), Terminal()
    with failure_summarised("observe", _RESUME):
        with terminal.working_on("observe"):
            rollout = observe_head(pushing(root.resolve()), model, target, terminal, since=since, only=only)
        if rollout is None:
            return
        hand_on("state", rollout.state)
        if rollout.failure:
            raise GeneratorError(f"{rollout.failure}{section(model, rollout.kind)}")
    summarise(f"**observe** of {model.name} in {environment}: {rollout.summary}")
    click.echo(f"{model.name} {rollout.version} in {environment}: {rollout.summary}")
