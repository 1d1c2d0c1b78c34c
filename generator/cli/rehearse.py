"""`generator rehearse`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from generator.cli.options import model_option, repository_option

if TYPE_CHECKING:
    from generator.rehearsal import Outcome


@click.command()
@repository_option
@model_option()
@click.option("--engine", type=click.Choice(["auto", "docker", "process"]), default="auto", show_default=True)
@click.option(
    "--keep", type=click.Path(file_okay=False, path_type=Path), help="Keep everything in this new folder."
)
@click.option(
    "--changed", "base", metavar="REF", help="Only if the model differs from the last commit shared with REF."
)
@click.option("--quiet", is_flag=True, help="Do not show what the programs print.")
def command(
    root: Path, model_name: str | None, engine: str, keep: Path | None, base: str | None, quiet: bool
) -> None:
    """Run a whole release of HEAD on this machine: train, package, publish, deploy, predict.

    It happens in a clone, against a repository, a registry and a tracking database of its own; yours stay
    as they are. Without a Docker engine the image's content runs as a process.
    """
    from generator.cli.output import Terminal
    from generator.rehearsal import rehearse

    if base and not _differs(root, model_name, base):
        click.echo(f"unchanged since {base}: nothing to rehearse")
        return
    terminal = Terminal(quiet_output=quiet)
    _show(rehearse(root, model_name, terminal, engine=engine, keep=keep))


def _differs(root: Path, model_name: str | None, base: str) -> bool:
    from generator.adapters.git import GitRepository
    from generator.config.workspace import load
    from generator.preview.changed import changed_models, common_ancestor

    workspace, git = load(root), GitRepository(root)
    model = workspace.model(model_name)
    return model in changed_models(workspace, git.changed_since(common_ancestor(git, base)))


def _show(outcome: Outcome) -> None:
    from rich import box
    from rich.table import Table

    from generator.cli.output import to_stdout
    from generator.rehearsal import first_rows

    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, title=f"Rehearsal of {outcome.release.id}", title_justify="left"
    )
    table.add_column("stage")
    table.add_column("time", justify="right")
    table.add_column("outcome", overflow="fold")
    for step in outcome.steps:
        table.add_row(step.stage, f"{step.seconds:.1f} s", step.outcome)
    table.add_section()
    table.add_row("all", f"{sum(step.seconds for step in outcome.steps):.1f} s", _how(outcome))
    console = to_stdout()
    console.print(table)
    click.echo("Registry and repository were this rehearsal's own. `generator release` releases for real.")
    if outcome.request is not None:
        click.echo(f"POST /predict  {first_rows(outcome.request, 1)}")
        answer = {**outcome.answer, "predictions": outcome.answer["predictions"][:1]}
        click.echo(f"200            {first_rows(answer, 1)}")


def _how(outcome: Outcome) -> str:
    if outcome.engine == "docker":
        return "in containers of the image that was committed"
    return "in processes: no Docker engine, so no image was built"
