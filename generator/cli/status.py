"""`generator status`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from generator.cli.options import model_option, repository_option

if TYPE_CHECKING:
    from generator.config.model import Workspace


@click.command()
@repository_option
@model_option("Only this model.")
@click.option("--json", "as_json", is_flag=True, help="The ledgers as JSON.")
def command(root: Path, model_name: str | None, as_json: bool) -> None:
    """Show what each environment's ledger says: version, digest, run, commit, when, by whom.

    Ledgers of a configuration repository are read from its branch.
    """
    from generator.config.model import load

    workspace = load(root)
    rows = [row for row in _rows(workspace) if model_name in (None, row["model"])]
    if model_name:
        workspace.model(model_name)
    if as_json:
        import json

        click.echo(json.dumps(rows, indent=2))
    else:
        _table(rows)


def _rows(workspace: Workspace) -> list[dict[str, Any]]:
    import tempfile

    from generator.generate import ledgers
    from generator.wiring import home_of

    rows = []
    with tempfile.TemporaryDirectory(prefix="tagship-status-") as folder:
        for model in workspace:
            found = ledgers(home_of(model, workspace.root, Path(folder, model.name)), model)
            for target in model.targets:
                ledger = found.get(target.name)
                current = ledger.current if ledger else None
                rows.append(
                    {
                        "model": model.name,
                        "environment": target.name,
                        "current": current.model_dump(mode="json") if current else None,
                        "rejected": [item.version for item in ledger.rejected] if ledger else [],
                    }
                )
    return rows


def _table(rows: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.table import Table

    from generator.cli.output import to_stdout

    titles = ["model", "environment", "version", "digest", "run", "commit", "when (UTC)", "by"]
    titles += ["golden", "runtime"]
    if any(row["rejected"] for row in rows):
        titles.append("rejected")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold")
    for row in rows:
        cells = (row["model"], row["environment"], *_current(row["current"]), ", ".join(row["rejected"]))
        table.add_row(*cells[: len(titles)])
    to_stdout().print(table)


def _current(entry: dict[str, Any] | None) -> tuple[str, ...]:
    """Version, digest, run, commit, when, by, golden rows, runtime."""
    if entry is None:
        return ("never released", "", "", "", "", "", "", "")
    digest = entry["digest"].removeprefix("sha256:")[:12]
    when = entry["at"][:16].replace("T", " ")
    golden = "not known" if entry["golden"] is None else f"{entry['golden']} rows" if entry["golden"] else "none"
    commit, runtime = entry["commit"][:8], entry["runtime"] or "not known"
    return (entry["version"], digest, entry["run"][:8], commit, when, entry["by"], golden, runtime)
