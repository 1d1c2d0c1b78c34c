"""The rows of `generator status --live` as lines for a terminal of any width and height: no word is cut."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import chain

from rich.console import Console
from rich.text import Text

from generator.watching.standing import Standing, State, moment, spoken

_COLOURS = {"deployed": "green", "failed": "red", "never released": "dim", "unseen": "dim"}
_TITLES = ("model", "environment", "state", "version", "since", "for", "took", "address")
_STATE, _FEWER = _TITLES.index("state"), _TITLES.index("took")
_INDENT, _NARROWEST = 4, 16


def board(rows: Sequence[Standing], at: datetime, console: Console, *, height: int | None = None) -> Text:
    """All columns where the terminal is wide enough, else fewer, else none: the rest is said under each row.

    With `height` there are that many lines at most, and what failed goes before what did not.
    """
    told = [_cells(row, at) for row in rows]
    width = console.width if console.is_terminal else None
    wrapped = partial(_wrapped, width, fold=height is not None)
    columns = _columns(told, width)
    head = [_line(_TITLES, columns, "bold")] if columns else []
    blocks = []
    for row, cells in zip(rows, told, strict=True):
        first = [_line(cells, columns)] if columns else wrapped(f"{row.model} in {row.where}")
        under = [line for said in _under(row, cells, len(columns)) for line in wrapped(said, _INDENT)]
        if not columns:
            under[0].highlight_words([row.state], _colour(row.state))
        blocks.append([*first, *under])
    if height is None or len(head) + sum(map(len, blocks)) <= height:
        return Text("\n").join([*head, *chain.from_iterable(blocks)])
    kept = _fitting(rows, blocks, height - len(head) - 1)
    left = Counter(row.state for number, row in enumerate(rows) if number not in kept)
    counted = _list([f"{left[state]} {state}" for state in sorted(left, key=_rank)])
    more = wrapped(f"and {left.total()} more: {counted}") if left else []
    more = more if len(more) < 2 else wrapped(f"and {left.total()} more")
    return Text("\n").join([*head, *chain.from_iterable(blocks[number] for number in sorted(kept)), *more])


def _cells(row: Standing, at: datetime) -> tuple[str, ...]:
    since, long, took = _since(row, at), spoken(row.seconds(at)), spoken(row.took)
    return row.model, row.where, str(row.state), row.version, since, long, took, row.address


def _since(row: Standing, at: datetime) -> str:
    """The time in UTC; a date where that is clearer."""
    begun = moment(row.since)
    if begun is None:
        return ""
    return begun.astimezone(UTC).strftime("%H:%M" if (at - begun).total_seconds() < 12 * 3600 else "%Y-%m-%d")


def _columns(told: Sequence[tuple[str, ...]], width: int | None) -> tuple[int, ...]:
    """How wide each column is, of as many as fit; empty where no table does."""
    widths = tuple(max(map(len, cells)) for cells in zip(_TITLES, *told, strict=True))
    fitting = (widths[:count] for count in (len(_TITLES), _FEWER))
    return next((some for some in fitting if width is None or sum(some) + 2 * (len(some) - 1) <= width), ())


def _line(cells: Sequence[str], columns: Sequence[int], style: str = "") -> Text:
    line = Text()
    for number, (cell, wide) in enumerate(zip(cells, columns, strict=False)):
        own = style or (_colour(cell) if number == _STATE else "")
        line.append(cell, own).append(" " * (wide - len(cell) + 2))
    line.rstrip()
    return line


def _colour(state: str) -> str:
    return _COLOURS.get(state, "yellow")


def _under(row: Standing, cells: Sequence[str], columns: int) -> Iterator[str]:
    """What no column has, and why it failed, or what else there is to know."""
    state, version, since, long, took, address = cells[_STATE:]
    rest = [took and f"took {took}", address]
    if not columns:
        yield _list([f"{state} {version}".strip(), since and f"since {since}", long and f"for {long}", *rest])
    elif columns == _FEWER and any(rest):
        yield _list(rest)
    if row.detail:
        yield row.detail


def _list(parts: Sequence[str]) -> str:
    return ", ".join(filter(None, parts))


def _wrapped(width: int | None, said: str, indent: int = 0, *, fold: bool) -> list[Text]:
    """By words. A longer one than a line is left to the terminal, so that an address can be copied, or folded
    where lines are counted.
    """
    room = max(width - indent, _NARROWEST) if width else len(said)
    lines = textwrap.wrap(said, room, break_long_words=False, break_on_hyphens=False)
    if fold:
        lines = [line[start : start + room] for line in lines for start in range(0, len(line), room)]
    return [Text(" " * indent + line) for line in lines]


def _fitting(rows: Sequence[Standing], blocks: Sequence[list[Text]], room: int) -> set[int]:
    """Which rows fit, by their numbers. The first of them stands there even where it does not fit: a line that
    a terminal has no room for is `…`.
    """
    kept: set[int] = set()
    for number in sorted(range(len(rows)), key=lambda number: _rank(rows[number].state)):
        if not kept or len(blocks[number]) <= room:
            room -= len(blocks[number])
            kept.add(number)
    return kept


def _rank(state: State) -> int:
    """What somebody who watches must see comes first."""
    if state is State.FAILED:
        return 0
    return 2 if state in (State.DEPLOYED, State.EMPTY) else 1
