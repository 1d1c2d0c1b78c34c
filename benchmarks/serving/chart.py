"""Draws a result as an SVG: a panel a case and model, a bar a server, the null model as the ceiling."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from benchmarks.serving.cases import MODELS, Case
from benchmarks.serving.contenders import MLFLOW, NULL, ONNX, OURS
from benchmarks.serving.report import Result, of_model, short

# A ground of its own, so that it looks the same on a light and on a dark page.
_GROUND, _INK, _SOFT = "#ffffff", "#111827", "#6b7280"
_PEER, _CEILING = "#9ca3af", "#e5e7eb"
_COLOURS = {MLFLOW: "#60a5fa", OURS: "#15803d", ONNX: "#86efac", NULL: _CEILING}

_CASES = (Case(1, 64), Case(1, 1), Case(1000, 8))
_WIDTH, _MARGIN, _GAP, _NAMES, _VALUES = 1140, 24, 36, 118, 118
_BAR, _STEP, _HEAD = 14, 20, 34


def draw(result: Result) -> str:
    """The whole picture."""
    panels = [(model, case) for case in _CASES for model in MODELS if bars(result, model, case)]
    width = (_WIDTH - 2 * _MARGIN - _GAP) // 2
    parts: list[str] = []
    y, height = 84, 0
    for number, (model, case) in enumerate(panels):
        column = number % 2
        if column == 0:
            y, height = y + height, 0
        found = bars(result, model, case)
        parts += _panel(_MARGIN + column * (width + _GAP), y, width, f"{MODELS[model]}: {case.name}", found)
        height = max(height, _HEAD + _STEP * len(found) + 26)
    return "\n".join([*_frame(result, y + height + 10), *parts, "</svg>", ""])


def bars(result: Result, model: str, case: Case) -> list[tuple[str, float, float | None]]:
    """Server, requests a second, times MLflow's; the ceiling, which depends on no model, in every panel."""
    rows = [row for row in of_model(result, model) if case.name in row["cases"]]
    if not rows:
        return []
    ceiling = [row for row in result["rows"] if row["contender"] == NULL and case.name in row["cases"]]
    every = [*(row for row in rows if row["contender"] != NULL), *ceiling]
    speeds = {row["contender"]: float(row["cases"][case.name]["per_second"]) for row in every}
    reference = speeds.get(MLFLOW)
    return [(name, speed, speed / reference if reference else None) for name, speed in speeds.items()]


def _frame(result: Result, height: int) -> list[str]:
    title = "Requests per second on one core, beside what one would use instead"
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'font-family="system-ui, sans-serif" role="img" aria-label="{title}">',
        f'<rect width="{_WIDTH}" height="{height}" rx="8" fill="{_GROUND}"/>',
        _text(_MARGIN, 38, title, size=20, weight="bold"),
        _text(
            _MARGIN, 61, f"{result['machine']}; server and client on a core each, one run, medians", colour=_SOFT
        ),
    ]


def _panel(
    x: int, y: int, width: int, title: str, found: Sequence[tuple[str, float, float | None]]
) -> Iterator[str]:
    yield _text(x, y + 18, title, size=14, weight="bold")
    room = width - _NAMES - _VALUES
    fastest = max(speed for _, speed, _ in found)
    for number, (name, speed, ratio) in enumerate(found):
        top = y + _HEAD + number * _STEP
        own = name in (OURS, ONNX)
        weight = "bold" if own else "normal"
        length = max(2.0, room * speed / fastest)
        yield _text(x + _NAMES - 8, top + 11, name, anchor="end", weight=weight)
        yield (
            f'<rect x="{x + _NAMES}" y="{top}" width="{length:.1f}" height="{_BAR}" rx="2" '
            f'fill="{_COLOURS.get(name, _PEER)}"/>'
        )
        value = f"{speed:,.0f}/s" + (f" · {short(ratio)}x" if ratio and name != NULL else "")
        yield _text(x + _NAMES + length + 6, top + 11, value, weight=weight)


def _text(
    x: float,
    y: float,
    words: str,
    *,
    size: int = 12,
    weight: str = "normal",
    anchor: str = "start",
    colour: str = _INK,
) -> str:
    style: Mapping[str, Any] = {"font-size": size, "font-weight": weight, "text-anchor": anchor, "fill": colour}
    attributes = " ".join(f'{name}="{value}"' for name, value in style.items())
    return f'<text x="{x:.0f}" y="{y:.0f}" {attributes}>{escape(words)}</text>'
