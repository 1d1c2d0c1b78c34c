"""`generator retrain`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from generator.cli.options import model_option, repository_option

if TYPE_CHECKING:
    from generator.config.model import Model

_RESUME = (
    "If the training failed, or the gate refused what came of the data: see to the data, or release a fix by "
    "hand; the next retraining tries again.",
    "If a network, a right or a secret was the cause: re-run the failed job.",
)
_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@repository_option
@model_option()
@click.option(
    "--last", is_flag=True, help="Only say which tag would be trained again; for the workflow's first job."
)
@click.option("--train", "into", type=_FOLDER, help="Only train; train.json and its log come to this folder.")
@click.option("--compare", "done", type=_FOLDER, help="Only compare what --train left in this folder, and tag.")
def command(root: Path, model_name: str | None, last: bool, into: Path | None, done: Path | None) -> None:
    """Train what runs in the first environment again, and release it if its data has changed.

    The commit stays the same; it gets the next patch version's tag, which starts the release.
    """
    from generator.cli.output import failure_summarised
    from generator.config.workspace import load

    if sum(map(bool, (last, into, done))) > 1:
        raise click.UsageError("--last, --train and --compare are steps of their own: give one of them")
    with failure_summarised("retrain", _RESUME):
        model = load(root).model(model_name)
        if last:
            _say_last(model, root)
        else:
            _retrain(model, root, into, done)


def _say_last(model: Model, root: Path) -> None:
    from generator.adapters.git import GitRepository
    from generator.cli.output import hand_on
    from generator.retraining import check_workflow, last_release

    git = GitRepository(root)
    found = last_release(model, git)
    if "GITHUB_ACTIONS" in os.environ:
        check_workflow(found, git)
    hand_on("tag", found.tag)
    click.echo(found.tag)


def _retrain(model: Model, root: Path, into: Path | None, done: Path | None) -> None:
    import tempfile

    from generator.cli.output import Terminal, summarise
    from generator.retraining import last_release, no_release, tag_next, train_again
    from generator.wiring import World, pushing

    git, terminal = pushing(root), Terminal()
    if into is None:  # somebody may have released since; the training job's token is not for that
        git.fetch(model.config.repository.branch)
        git.fetch_tags()
    found = last_release(model, git)
    with tempfile.TemporaryDirectory(prefix="tagship-retrain-") as work, terminal.working_on("retrain"):
        folder = done or into or Path(work, "out")
        if done is None:
            train_again(found, root, folder, Path(work), World(terminal))
        if into is not None:
            return
        why = no_release(found, folder, terminal)
    told = why or f"{found.entry.version} was trained on other data: pushed {tag_next(found, git)}"
    click.echo(told)
    summarise(f"**retrain** of {model.name}: {told}")
