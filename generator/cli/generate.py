"""`generator generate`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from generator.cli.options import repository_option

if TYPE_CHECKING:
    from generator.config.model import Model
    from generator.config.workspace import Workspace
    from generator.files import Comparison


@click.command()
@repository_option
@click.option(
    "--into",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="CHECKOUT",
    help="A checkout of deploy.repository: what belongs there is written there, and neither committed nor pushed.",
)
@click.option("--check", "mode", flag_value="check", help="Write nothing; exit 1 when a file is stale or edited.")
@click.option("--diff", "mode", flag_value="diff", help="Write nothing; show what would change.")
@click.option("--dry-run", "mode", flag_value="dry-run", help="Write nothing; name what would change.")
def command(root: Path, into: Path | None, mode: str | None) -> int:
    """Write .github/workflows, k8s/base, k8s/overlays and k8s/reconciler from model.yaml."""
    from generator.config.workspace import load
    from generator.errors import InvalidInput
    from generator.files import apply, refuse_foreign
    from generator.validate import workspace_problems

    workspace = load(root)
    if problems := workspace_problems(workspace, locks=False):
        raise InvalidInput(problems)
    there = _belonging(workspace, into) if into else []
    compared = list(_compared(workspace, into, there))
    if mode is None:
        for place, comparison in compared:
            refuse_foreign(comparison, place=_prefix(root, place))
    for place, comparison in compared:
        _show(comparison, _prefix(root, place), with_diff=mode == "diff", hand_edits=mode is None)
        if mode is None:
            apply(place, comparison)
    elsewhere = [model for model in workspace if model.separate and model not in there]
    if mode != "check":
        _say_left(root, compared, elsewhere)
    _say_elsewhere(elsewhere)
    patched = mode not in ("check", None) or _patches_apply(workspace, compared, there, into)
    if mode == "check" and not all(comparison.clean for _, comparison in compared):
        again = f"generator generate --into {into}" if into else "generator generate"
        click.echo(f"stale: run `{again}` and commit the result", err=True)
        return 1
    return 0 if patched or mode is None else 1


def _patches_apply(
    workspace: Workspace, compared: list[tuple[Path, Comparison]], there: list[Model], into: Path | None
) -> bool:
    """Says which of the user's patches do not fit what is, or is to be, generated."""
    from generator.cli.patches import patch_findings

    here = [model for model in workspace if not model.separate]
    places = {workspace.root: here} | {into / model.home: [model] for model in there if into}
    problems = [
        problem
        for place, comparison in compared
        for problem in patch_findings(
            place, places.get(place, ()), shown=_prefix(workspace.root, place), wanted=comparison.wanted
        )
    ]
    for problem in problems:
        click.echo(str(problem), err=True)
    return not problems


def _belonging(workspace: Workspace, into: Path) -> list[Model]:
    """The models whose overlays belong there. The origin counts as it is written, and as Git rewrites it."""
    from generator.adapters.git import GitRepository
    from generator.adapters.git_state import GitState
    from generator.adapters.shell import without_logins
    from generator.configuration import models_of

    given = (GitState(into).origin(), without_logins(GitRepository(into).origin() or ""))
    top = GitRepository(into).top_level()
    return models_of(workspace, into, top=top, origins={origin for origin in given if origin})


def _compared(
    workspace: Workspace, into: Path | None, there: Iterable[Model]
) -> Iterator[tuple[Path, Comparison]]:
    """Folders, and how each differs from what it should hold; all is looked at before anything is written."""
    from generator.adapters.installation import install_source
    from generator.generate import compare_check, compare_home, compare_workspace

    install = install_source(workspace)
    yield workspace.root, compare_workspace(workspace, install=install)
    if into is not None:
        yield into, compare_check(into, install=install)
        for model in there:
            yield into / model.home, compare_home(workspace, model, into)


def _prefix(root: Path, place: Path) -> str:
    return "" if place == root else f"{place}/"


def _say_elsewhere(models: Iterable[Model]) -> None:
    """What is not written, and how it is."""
    for model in models:
        where = f"k8s/ of {model.name} belongs into {model.overlays_url}"
        click.echo(f"{where}: `generator generate --into CHECKOUT` writes it into a checkout")


def _say_left(root: Path, compared: Iterable[tuple[Path, Comparison]], elsewhere: Iterable[Model]) -> None:
    """What a cluster keeps of files for the reconciler, and how it is deleted there."""
    from dataclasses import replace

    from generator.leftovers import leftovers

    changes = [
        replace(change, path=f"{_prefix(root, place)}{change.path}")
        for place, comparison in compared
        for change in comparison.changes
    ]
    left = leftovers(changes, elsewhere)
    for file in dict.fromkeys(one.file for one in left):
        click.echo(f"where {file} was applied, the cluster keeps what is no longer in it; there:", err=True)
        for one in left:
            if one.file == file:
                stays = f"(the namespace {one.name} stays, with what runs in it: docs/reconcilers.md)"
                click.echo(f"  {one.command or stays}", err=True)


# What `generate` says that it did, where --check says what is to be done.
_DONE = {
    "create": "wrote",
    "update": "updated",
    "hand-edited": "restored, it was edited by hand",
    "remove": "removed",
    "orphan edited by hand": "left alone, an orphan edited by hand",
    "not ours": "left alone, not ours",
}


def _show(comparison: Comparison, prefix: str, *, with_diff: bool, hand_edits: bool) -> None:
    from generator.files import LOCK, Kind

    for change in comparison.changes:
        click.echo(f"{_DONE[change.kind] if hand_edits else change.kind}: {prefix}{change.path}")
        if with_diff or (hand_edits and change.kind is Kind.EDITED):
            click.echo(change.diff(), nl=False)
    if any(change.kind is Kind.KEEP_ORPHAN for change in comparison.changes):
        click.echo(
            f"an orphan is left alone: delete it, or keep it as yours and delete its line in {prefix}{LOCK}",
            err=True,
        )
    if not comparison.changes:
        state = "up to date" if comparison.clean else "only .tagship.lock is stale"
        click.echo(f"{prefix.rstrip('/')}: {state}" if prefix else state)
