"""`generator status --live` and `--watch`: a table on a terminal, lines and JSON elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from generator.errors import GeneratorError

if TYPE_CHECKING:
    from generator.config.model import Model
    from generator.watching.standing import Standing

Look = Callable[[], "list[Standing]"]


def show_live(
    root: Path, models: list[Model], environment: str | None, *, every: float | None, as_json: bool
) -> int:
    """Shows it once, or `every` so many seconds until it is interrupted. 1 where something failed."""
    import tempfile

    from generator.watching.looking import look
    from generator.watching.sources import Ledgers, world_of
    from generator.watching.standing import State

    world = world_of(root, models, lambda line: click.echo(line, err=True))
    with tempfile.TemporaryDirectory(prefix="tagship-status-") as folder:
        ledgers = Ledgers(root, Path(folder), [model.name for model in models])

        def now() -> list[Standing]:
            return list(look(ledgers.read(), environment, world))

        rows = now()
        if every is None:
            _show(rows, as_json=as_json)
            return int(any(row.state is State.FAILED for row in rows))
        _watch(rows, now, every, as_json=as_json)
    return 0


def _show(rows: list[Standing], *, as_json: bool) -> None:
    import json

    from generator.cli.output import to_stdout

    at = datetime.now(UTC)
    if as_json:
        click.echo(json.dumps([row.record(at) for row in rows], indent=2))
    else:
        from generator.cli.status_board import board

        console = to_stdout()
        console.print(board(rows, at, console))


def _watch(rows: list[Standing], look: Look, every: float, *, as_json: bool) -> None:
    """Until ^C. On a terminal the table stays in its place; elsewhere what changes is said, a line each."""
    import sys

    from generator.cli.output import to_stdout

    if not sys.stdout.isatty() or as_json:
        shown: dict[tuple[str, str, str], Standing] = {}
        while True:
            _say_changes(rows, shown, as_json=as_json)
            rows = _next(look, rows, every)
    from rich.live import Live

    from generator.cli.status_board import board

    console = to_stdout()
    with Live(console=console, auto_refresh=False) as live:
        while True:
            live.update(board(rows, datetime.now(UTC), console, height=console.height), refresh=True)
            rows = _next(look, rows, every)


def _next(look: Look, before: list[Standing], every: float) -> list[Standing]:
    """Later; what cannot be looked at for a moment leaves what was seen."""
    import time

    time.sleep(every)
    try:
        return look()
    except GeneratorError as error:
        click.echo(f"could not look again: {error}", err=True)
        return before


def _say_changes(rows: Iterable[Standing], shown: dict[tuple[str, str, str], Standing], *, as_json: bool) -> None:
    import json

    at = datetime.now(UTC)
    for row in rows:
        if shown.get(row.place) != row:
            shown[row.place] = row
            click.echo(json.dumps(row.record(at)) if as_json else _line(row, at))


def _line(row: Standing, at: datetime) -> str:
    from generator.watching.standing import spoken

    told = " ".join(filter(None, (row.model, row.version)))
    more = [f"for {long}" if (long := spoken(row.seconds(at))) else "", row.address, row.detail]
    return f"{at:%H:%M:%S} {told} in {row.where}: {row.state}" + "".join(f", {one}" for one in more if one)
