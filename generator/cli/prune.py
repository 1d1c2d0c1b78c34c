"""`generator prune`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from generator.cli.options import model_option, repository_option

if TYPE_CHECKING:
    from generator.config.model import Model
    from generator.config.workspace import Workspace
    from generator.pruning import Sorted


@click.command()
@click.option("--older-than", default="30d", show_default=True, help="Leave what was pushed or pulled since then.")
@click.option("--delete", "deletes", is_flag=True, help="Delete what is listed, by digest.")
@repository_option
@model_option("Only this model's ECR repository.")
def command(root: Path, model_name: str | None, older_than: str, deletes: bool) -> None:
    """List released images in ECR that no ledger names any more; with --delete, delete them.

    What runs, ran or was rejected anywhere stands in a ledger on the release branch, and stays. So does what
    other tags than releases name. Untagged images are left to the repository's lifecycle policy.
    """
    import tempfile
    from datetime import UTC, datetime
    from functools import partial

    from generator.config.workspace import load
    from generator.pruning import age_of, open_repository, release_heads, sort_images

    age, workspace = age_of(older_than), load(root)
    with tempfile.TemporaryDirectory(prefix="tagship-prune-") as folder:
        clone = partial(tempfile.mkdtemp, dir=folder)
        for model in _one_a_repository(workspace, model_name):
            shared = model.image_repository
            heads = release_heads(workspace, shared, lambda branch: _head(root, Path(clone(), "head"), branch))
            repository = open_repository(model)
            homes = partial(_home, lambda: Path(clone(), "overlays"))
            found = sort_images(repository.images(), heads, shared, now=datetime.now(UTC), age=age, home_of=homes)
            _show(shared, found, older_than)
            if found.prunable and deletes:
                repository.delete([image.digest for image in found.prunable])
                click.echo(f"deleted {len(found.prunable)}")
            elif found.prunable:
                click.echo("Nothing was deleted; --delete does it, and there is no way back.")


def _one_a_repository(workspace: Workspace, model_name: str | None) -> list[Model]:
    """A model for each image repository; with a name, that one."""
    if model_name:
        return [workspace.model(model_name)]
    return list({model.image_repository: model for model in reversed(workspace.models)}.values())[::-1]


def _head(root: Path, folder: Path, branch: str) -> Workspace:
    """A release branch's head, as origin has it now."""
    from generator.adapters.git import GitRepository
    from generator.config.workspace import load
    from generator.errors import GeneratorError

    source = GitRepository(root).origin()
    if source is None:
        raise GeneratorError("this repository has no remote `origin`: its ledgers are there, and prune needs them")
    GitRepository(folder).clone(source, branch=branch)
    return load(folder)


def _home(folder: Callable[[], Path], head: Workspace, model: Model) -> Path:
    """What holds the k8s/ of `model`: `head`, or a clone in a new `folder`."""
    from generator.wiring import home_of

    return home_of(model, head.root, folder())


def _show(repository: str, found: Sorted, older_than: str) -> None:
    from rich import box
    from rich.table import Table

    from generator.cli.output import to_stdout

    click.echo(
        f"{repository}: {len(found.prunable)} to delete; kept: {found.named} named by a ledger, "
        f"{found.young} pushed or pulled within {older_than}, {found.foreign} with tags of others"
    )
    if not found.prunable:
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("tag", "digest", "pushed (UTC)", "last pulled", "MiB"):
        table.add_column(title, overflow="fold")
    for image in found.prunable:
        pulled = f"{image.pulled:%Y-%m-%d}" if image.pulled else "not known"
        digest = image.digest.removeprefix("sha256:")[:12]
        size = f"{image.bytes / 2**20:.0f}"
        table.add_row(", ".join(image.tags), digest, f"{image.pushed:%Y-%m-%d %H:%M}", pulled, size)
    to_stdout().print(table)
