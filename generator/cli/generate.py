"""`generator generate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from generator.cli.options import repository_option

if TYPE_CHECKING:
    from generator.files import Comparison


@click.command()
@repository_option
@click.option("--check", "mode", flag_value="check", help="Write nothing; exit 1 when a file is stale or edited.")
@click.option("--diff", "mode", flag_value="diff", help="Write nothing; show what would change.")
@click.option("--dry-run", "mode", flag_value="dry-run", help="Write nothing; name what would change.")
def command(root: Path, mode: str | None) -> int:
    """Write .github/workflows, k8s/base, k8s/overlays and k8s/reconciler from model.yaml."""
    from generator.adapters.installation import install_source
    from generator.config.model import load
    from generator.errors import InvalidInput
    from generator.files import apply
    from generator.generate import compare_workspace
    from generator.validate import workspace_problems

    workspace = load(root)
    if problems := workspace_problems(workspace, locks=False):
        raise InvalidInput(problems)
    comparison = compare_workspace(workspace, install=install_source(workspace))
    _show(comparison, with_diff=mode == "diff", hand_edits=mode is None)
    if mode is None:
        apply(root, comparison)
        return 0
    if mode == "check" and not comparison.clean:
        click.echo("stale: run `generator generate` and commit the result", err=True)
        return 1
    return 0


# What `generate` says that it did, where --check says what is to be done.
_DONE = {
    "create": "wrote",
    "update": "updated",
    "hand-edited": "restored, it was edited by hand",
    "remove": "removed",
    "orphan edited by hand": "left alone, an orphan edited by hand",
    "not ours": "left alone, not ours",
}


def _show(comparison: Comparison, *, with_diff: bool, hand_edits: bool) -> None:
    from generator.files import LOCK, Kind

    for change in comparison.changes:
        click.echo(f"{_DONE[change.kind] if hand_edits else change.kind}: {change.path}")
        if with_diff or (hand_edits and change.kind is Kind.EDITED):
            click.echo(change.diff(), nl=False)
    if any(change.kind is Kind.KEEP_ORPHAN for change in comparison.changes):
        click.echo(
            f"an orphan is left alone: delete it, or keep it as yours and delete its line in {LOCK}", err=True
        )
    if not comparison.changes:
        click.echo("up to date" if comparison.clean else "only .tagship.lock is stale")
