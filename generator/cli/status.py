"""`generator status`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from generator.cli.options import complete_environments, model_option, repository_option

if TYPE_CHECKING:
    from generator.adapters.git import GitRepository
    from generator.chain.link import Link
    from generator.config.model import Model, Target
    from generator.ports import Cluster


@click.command()
@repository_option
@model_option("Only this model.")
@click.option("--environment", metavar="NAME", shell_complete=complete_environments, help="Only this environment.")
@click.option("--chain", is_flag=True, help="Check each link from the tag to what the pods answer.")
@click.option("--live", is_flag=True, help="Show where each environment stands now, and its address.")
@click.option("--watch", is_flag=True, help="The same, again and again, until it is interrupted.")
@click.option("--every", type=click.FloatRange(0.1, 3600), metavar="SECONDS", help="With --watch; 5.")
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
def command(root: Path, model_name: str | None, environment: str | None, as_json: bool, **ways: Any) -> int:
    """Show what each environment's ledger says: version, digest, run, commit, when, by whom.

    Ledgers of a configuration repository are read from its branch.

    With --chain, prove it: tag, commit, data hash, run, registered version, digest, overlay, reconciler,
    Deployment, pods and their live /metadata, as origin's release branch, the registry, the tracking server and
    the cluster of kubectl's current context have them. Ends with 1 where a link is broken. Where environments have
    clusters of their own, choose the context and its --environment together.

    With --live, say where each stands: training, building, pushing (by GitHub's runs, with a token in GH_TOKEN),
    deploying, deployed or failed (by the cluster), since when, and its address. Ends with 1 where one failed.
    """
    from generator.config.workspace import load

    chosen = _chosen(ways)
    workspace = load(root)
    models = _with(environment, [workspace.model(model_name)] if model_name else list(workspace))
    if ways["chain"]:
        return _chains(root, models, environment, as_json=as_json)
    if chosen:
        from generator.cli.status_live import show_live

        every = (ways["every"] or 5) if ways["watch"] else None
        return show_live(root, models, environment, every=every, as_json=as_json)
    rows = list(_rows(root, models, environment))
    if as_json:
        _print_json(rows)
    else:
        _table(rows)
    return 0


def _chosen(ways: dict[str, Any]) -> list[str]:
    """The way to look, if one was given. Raises UsageError where there is more than one."""
    chosen = [way for way in ("chain", "live", "watch") if ways[way]]
    if len(chosen) > 1:
        raise click.UsageError("--chain, --live and --watch are ways of their own to look: give one of them")
    if ways["every"] and chosen != ["watch"]:
        raise click.UsageError("--every is for --watch")
    return chosen


def _with(environment: str | None, models: list[Model]) -> list[Model]:
    """Those that have the environment. Raises GeneratorError where none has."""
    if environment is None:
        return models
    found = [model for model in models if environment in {target.name for target in model.targets}]
    if not found:
        models[0].target(environment)
    return found


def _chains(root: Path, models: list[Model], environment: str | None, *, as_json: bool) -> int:
    """Follows the chain of each environment; 1 where one is broken."""
    from generator.chain.link import first_broken
    from generator.chain.sources import cluster_of
    from generator.cli.output import Terminal

    terminal, rows, broken, cluster = Terminal(), [], False, cluster_of()
    context = cluster.context() if cluster else None
    if not as_json:
        click.echo(f"the cluster is that of kubectl's context {context}" if context else "no cluster is asked")
    with terminal.working_on("status"):
        for name, where, links in _followed(root, models, environment, cluster):
            first = first_broken(links)
            broken = broken or first is not None
            row = {"model": name, "environment": where, "context": context}
            rows.append({**row, "links": [vars(link) for link in links]})
            if not as_json:
                _chain_table(f"{name} in {where}", links, first)
    if as_json:
        _print_json(rows)
    return int(broken)


def _followed(
    root: Path, models: list[Model], environment: str | None, cluster: Cluster | None
) -> Iterator[tuple[str, str, tuple[Link, ...]]]:
    import tempfile

    from generator.chain.sources import head_of

    with tempfile.TemporaryDirectory(prefix="tagship-status-") as folder:
        for wanted in models:
            git, head = head_of(root, Path(folder), wanted)
            if wanted.name in {model.name for model in head}:
                yield from _links(Path(folder), git, head.model(wanted.name), environment, cluster)
            else:
                yield from ((wanted.name, target.name, ()) for target in _targets(wanted, environment))


def _links(
    folder: Path, git: GitRepository, model: Model, environment: str | None, cluster: Cluster | None
) -> Iterator[tuple[str, str, tuple[Link, ...]]]:
    """Of a model at origin. Ledgers that cannot be read break its chain, and no other's."""
    from generator.chain.follow import follow
    from generator.chain.link import broken
    from generator.chain.sources import named_cluster, records_of
    from generator.errors import InvalidInput
    from generator.generate import ledgers

    records, home = records_of(git, folder, model)
    for target in _targets(model, environment):
        try:
            links = follow(model, target, ledgers(home, model).get(target.name), records, cluster, named_cluster)
        except InvalidInput as error:
            links = (broken("ledger", "", str(error)),)
        yield model.name, target.name, links


def _targets(model: Model, environment: str | None) -> tuple[Target, ...]:
    return (model.target(environment),) if environment else model.targets


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


def _rows(root: Path, models: list[Model], environment: str | None) -> Iterator[dict[str, Any]]:
    import tempfile

    from generator.generate import ledgers
    from generator.wiring import home_of

    with tempfile.TemporaryDirectory(prefix="tagship-status-") as folder:
        for model in models:
            found = ledgers(home_of(model, root, Path(folder)), model)
            for target in _targets(model, environment):
                ledger = found.get(target.name)
                current = ledger.current if ledger else None
                yield {
                    "model": model.name,
                    "environment": target.name,
                    "current": current.model_dump(mode="json") if current else None,
                    "rejected": [item.version for item in ledger.rejected] if ledger else [],
                }


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
