"""`generator status`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from generator.cli.options import model_option, repository_option

if TYPE_CHECKING:
    from generator.chain.link import Link
    from generator.config.model import Workspace


@click.command()
@repository_option
@model_option("Only this model.")
@click.option("--chain", "chained", is_flag=True, help="Check each link from the tag to what the pods answer.")
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
def command(root: Path, model_name: str | None, chained: bool, as_json: bool) -> None:
    """Show what each environment's ledger says: version, digest, run, commit, when, by whom.

    Ledgers of a configuration repository are read from its branch.

    With --chain, prove it: tag, commit, data hash, run, registered version, digest, overlay, reconciler,
    Deployment, pods and their live /metadata, as origin's release branch, the registry, the tracking server and
    the cluster of kubectl's current context have them. Ends with 1 where a link is broken.
    """
    from generator.config.model import load

    workspace = load(root)
    models = {workspace.model(model_name).name} if model_name else {model.name for model in workspace}
    if chained:
        _chains(workspace, models, as_json=as_json)
        return
    rows = [row for row in _rows(workspace) if row["model"] in models]
    if as_json:
        _print_json(rows)
    else:
        _table(rows)


def _chains(workspace: Workspace, models: set[str], *, as_json: bool) -> None:
    """Follows the chain of each environment. SystemExit(1) where one is broken."""
    import sys

    from generator.chain.link import first_broken
    from generator.cli.output import Terminal

    terminal, rows, broken = Terminal(), [], False
    with terminal.working_on("status"):
        for name, environment, links in _followed(workspace, models):
            first = first_broken(links)
            broken = broken or first is not None
            rows.append({"model": name, "environment": environment, "links": [vars(link) for link in links]})
            if not as_json:
                _chain_table(f"{name} in {environment}", links, first)
    if as_json:
        _print_json(rows)
    if broken:
        sys.exit(1)


def _followed(workspace: Workspace, models: set[str]) -> Iterator[tuple[str, str, tuple[Link, ...]]]:
    import tempfile

    from generator.chain.follow import follow
    from generator.chain.sources import cluster_of, records_of
    from generator.generate import ledgers

    cluster = cluster_of()
    with tempfile.TemporaryDirectory(prefix="tagship-status-") as folder:
        for name in sorted(models):
            head, records, home = records_of(workspace.root, Path(folder, name), workspace.model(name))
            model = head.model(name)
            found = ledgers(home, model)
            for target in model.targets:
                links = follow(model, target, found.get(target.name), records, cluster)
                yield name, target.name, links


def _chain_table(title: str, links: tuple[Link, ...], first: Link | None) -> None:
    from rich import box
    from rich.table import Table

    from generator.cli.output import to_stdout

    if not links:
        click.echo(f"{title}: never released")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in (title, "", "value", "what is wrong"):
        table.add_column(column, overflow="fold")
    for link in links:
        table.add_row(link.name, link.standing.value, link.value, link.why)
    to_stdout().print(table)
    click.echo(f"{title}: broken at {first.name}: {first.why}" if first else f"{title}: no broken link")


def _print_json(rows: list[dict[str, Any]]) -> None:
    import json

    click.echo(json.dumps(rows, indent=2))


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
