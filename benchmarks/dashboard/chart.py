"""Draws a dashboard as an SVG, from what a Prometheus answered to its queries."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

Object = dict[str, Any]
Line = tuple[str, list[tuple[float, float]]]  # legend, and seconds with values

# A ground of its own, so that it looks the same on a light and on a dark page.
_GROUND, _PANEL, _INK, _SOFT, _GRID = "#f3f4f6", "#ffffff", "#111827", "#6b7280", "#e5e7eb"
_COLOURS = ("#15803d", "#2563eb", "#d97706", "#dc2626", "#7c3aed", "#0891b2")
_CELL, _ROW, _GAP, _HEAD, _LEFT = 50, 29, 8, 62, 52  # a column and a row of Grafana's grid; an axis' room
_WIDTH = 24 * _CELL + 2 * _GAP


def draw(board: Object, answers: Sequence[Sequence[Line]], seconds: float) -> str:
    """The whole picture; `answers` has the lines of each panel."""
    height = _HEAD + _GAP + max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"]) * _ROW
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'font-family="system-ui, sans-serif" role="img" aria-label="{escape(board["title"])}">',
        f'<rect width="{_WIDTH}" height="{height}" rx="8" fill="{_GROUND}"/>',
        _text(_GAP + 8, 30, board["title"], size=19, weight="bold"),
        _text(_GAP + 8, 50, f"the last {seconds / 60:.0f} minutes", colour=_SOFT),
    ]
    for panel, lines in zip(board["panels"], answers, strict=True):
        parts += _panel(panel, lines, seconds)
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Object, lines: Sequence[Line], seconds: float) -> Iterator[str]:
    place, unit = panel["gridPos"], panel["fieldConfig"]["defaults"]["unit"]
    x, y = _GAP + place["x"] * _CELL, _HEAD + place["y"] * _ROW
    width, height = place["w"] * _CELL - _GAP, place["h"] * _ROW - _GAP
    yield f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="4" fill="{_PANEL}" stroke="{_GRID}"/>'
    yield _text(x + 10, y + 19, panel["title"], weight="bold")
    if panel["type"] == "stat":
        yield from _stats(x, y, width, lines, unit)
    else:
        yield from _axes(x + _LEFT, y + 30, width - _LEFT - 12, height - 66, lines, unit, seconds)
        yield from _legend(x + 12, y + height - 10, [name for name, _ in lines])


def _stats(x: float, y: float, width: float, lines: Sequence[Line], unit: str) -> Iterator[str]:
    """The newest value of each line."""
    step = width / max(1, len(lines))
    for number, (name, points) in enumerate(lines):
        middle = x + step * (number + 0.5)
        yield _text(middle, y + 66, shown(points[-1][1], unit), size=28, anchor="middle", colour=_COLOURS[number])
        yield _text(middle, y + 90, name, anchor="middle", colour=_SOFT)


def _axes(
    x: float, y: float, width: float, height: float, lines: Sequence[Line], unit: str, seconds: float
) -> Iterator[str]:
    top = nice(max((value for _, points in lines for _, value in points), default=0.0), unit)
    for share in (0.0, 0.5, 1.0):
        at = y + height * (1 - share)
        yield f'<line x1="{x}" x2="{x + width}" y1="{at:.1f}" y2="{at:.1f}" stroke="{_GRID}"/>'
        yield _text(x - 6, at + 4, shown(top * share, unit), size=10, anchor="end", colour=_SOFT)
    for number, (_, points) in enumerate(lines):
        path = " ".join(
            f"{x + width * second / seconds:.1f},{y + height * (1 - value / top):.1f}" for second, value in points
        )
        colour = _COLOURS[number % len(_COLOURS)]
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6"/>'


def _legend(x: float, y: float, names: Sequence[str]) -> Iterator[str]:
    for number, name in enumerate(names):
        colour = _COLOURS[number % len(_COLOURS)]
        yield f'<rect x="{x:.0f}" y="{y - 8}" width="10" height="4" rx="2" fill="{colour}"/>'
        yield _text(x + 14, y, name, size=11, colour=_SOFT)
        x += 28 + 6.2 * len(name)


def named(legend: str, labels: dict[str, str]) -> str:
    """A legend with a series' labels in it."""
    return re.sub(r"\{\{(\w+)\}\}", lambda label: labels.get(label[1], ""), legend)


def nice(most: float, unit: str) -> float:
    """A round number above `most`: the axis' end."""
    base = 1024.0 ** max(0, int(math.log(max(most, 1), 1024))) if unit == "bytes" else 1.0
    most = most / base
    if most <= 0:
        return base
    power = 10.0 ** math.floor(math.log10(most))
    return base * next(step * power for step in (1, 2, 4, 5, 8, 10) if step * power >= most * 0.999)


def shown(value: float, unit: str) -> str:
    """As Grafana shows a value of that unit."""
    if unit == "bytes":
        return next(
            f"{value / 1024**n:.3g} {name}"
            for n, name in ((3, "GiB"), (2, "MiB"), (0, "B"))
            if value >= 1024**n or not n
        )
    if unit == "percentunit":
        return f"{value * 100:.3g} %"
    if unit == "s":
        return next(
            f"{value / size:.3g} {name}"
            for size, name in ((86_400, "days"), (3600, "h"), (60, "min"), (1, "s"), (0.001, "ms"))
            if value >= size or size < 1
        )
    return f"{value:.3g}{' /s' if unit == 'reqps' else ''}"


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 13,
    weight: str = "normal",
    anchor: str = "start",
    colour: str = _INK,
) -> str:
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" '
        f'fill="{colour}">{escape(text)}</text>'
    )
