"""`generator stage`."""

from __future__ import annotations

from pathlib import Path

import click

from generator.cli.options import repository_option
from generator.plan.pipeline import Stage


@click.command()
@click.argument("name", type=click.Choice([stage.value for stage in Stage]))
@repository_option
@click.option("--release", "tag", required=True, help="The release's tag, such as v1.2.3 or churn/v1.2.3.")
@click.option("--again", is_flag=True, help="Do it again, even if it is done.")
@click.option(
    "--allow-older", "older_because", metavar="REASON", help="deploy: accept a version that is not newer."
)
def command(name: str, root: Path, tag: str, again: bool, older_because: str | None) -> None:
    """Run the stage NAME of a release.

    The tag must be checked out. What the stage did is kept in .tagship/<model>-<version>/<stage>.json.
    """
    from generator.artifacts import Rollout
    from generator.cli.output import Terminal, failure_summarised, hand_on, summarise
    from generator.config.workspace import load
    from generator.errors import GeneratorError
    from generator.plan.pipeline import RESUME
    from generator.plan.runbook import section
    from generator.wiring import World, release_of, run_stage

    terminal = Terminal()
    stage = Stage(name)
    resume = RESUME[stage]
    with failure_summarised(f"{name}", (resume.repository, resume.elsewhere)):
        release = release_of(load(root), tag)
        with terminal.working_on(name):
            artifact = run_stage(stage, release, World(terminal, older_because=older_because), again=again)
        page = ""
        if isinstance(artifact, Rollout):
            hand_on("state", artifact.state)
            page = section(release.model, artifact.kind)
        if artifact.failure:
            raise GeneratorError(f"{artifact.failure}{page}")
    terminal.say(f"{name} is done: {release.store.path(name)}")
    summarise(f"**{name}** of {release.id} is done: {artifact.summary}")
