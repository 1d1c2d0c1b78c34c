"""A result as tables: on the terminal, and as the section of docs/benchmarks.md that is made from it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.measure import table
from benchmarks.serving.cases import CASES, MODELS
from benchmarks.serving.contenders import MLFLOW
from benchmarks.serving.targets import verdicts

Result = Mapping[str, Any]
"""The content of a result file."""

Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]
"""Title, columns, rows."""

_NO = "-"
_MARKS = {True: "met", False: "**not met**", None: "not measured"}


def show(result: Result) -> None:
    """Print everything."""
    for model in MODELS:
        for title, columns, rows in tables(result, model):
            table(title, columns, rows)
    found = [
        (one.target, one.wanted, one.measured, _MARKS[one.met].strip("*")) for one in verdicts(result["rows"])
    ]
    table("Targets", ("target", "wanted", "measured", ""), found)
    for row in result["rows"]:
        if row["failure"]:
            table(f"{row['contender']} failed with {row['model']}", ("why",), [(row["failure"],)])


def of_model(result: Result, model: str) -> list[Mapping[str, Any]]:
    """The rows of one model."""
    return [row for row in result["rows"] if row["model"] == model]


def tables(result: Result, model: str) -> list[Table]:
    """Throughput, memory and start; then the times of answers."""
    rows = of_model(result, model)
    if not rows:
        return []
    known = {name for row in rows for name in row["cases"]}
    names = [case.name for case in CASES if case.name in known]
    reference: Mapping[str, Any] = next((row["cases"] for row in rows if row["contender"] == MLFLOW), {})
    speeds = [
        (
            row["contender"],
            *(_speed(row["cases"].get(name), reference.get(name)) for name in names),
            _number(row["memory_mb"], 0),
            _number(row["start_seconds"], 1),
        )
        for row in rows
    ]
    times = [(row["contender"], *(_times(row["cases"].get(name)) for name in names)) for row in rows]
    return [
        (f"{MODELS[model]}: requests/s (x mlflow)", ("server", *names, "memory MB", "first answer s"), speeds),
        (f"{MODELS[model]}: ms to an answer, p50 / p99", ("server", *names), times),
    ]


def _speed(case: Mapping[str, Any] | None, reference: Mapping[str, Any] | None) -> str:
    if case is None:
        return _NO
    ratio = f" ({short(case['per_second'] / reference['per_second'])}x)" if reference else ""
    return f"{case['per_second']:,.0f}{ratio}"


def _times(case: Mapping[str, Any] | None) -> str:
    return _NO if case is None else f"{short(case['p50_ms'])} / {short(case['p99_ms'])}"


def _number(value: float | None, digits: int) -> str:
    return _NO if value is None else f"{value:.{digits}f}"


def short(value: float) -> str:
    """Two digits where that is enough."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def section(result: Result) -> str:
    """Markdown: the tables of each model, and the targets."""
    parts = [_head(result)]
    for model in MODELS:
        parts += [f"{title}:\n\n{_markdown(columns, rows)}" for title, columns, rows in tables(result, model)]
    found = [(one.target, one.wanted, one.measured, _MARKS[one.met]) for one in verdicts(result["rows"])]
    parts.append(_markdown(("target", "wanted", "measured", ""), found))
    failed = sorted({f"{row['contender']} ({row['model']})" for row in result["rows"] if row["failure"]})
    if failed:
        parts.append(f"Failed in this run: {', '.join(failed)}.")
    return "\n\n".join(parts)


def _head(result: Result) -> str:
    plan = result["plan"]
    return (
        f"One run of {result['date']} on {result['machine']}: all servers in turns, rounds: {plan['rounds']}, "
        f"seconds a case in each: {plan['seconds']}, medians. Versions: {', '.join(result['versions'])}."
    )


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join([_row(columns), _row(["---", *["---:"] * (len(columns) - 1)]), *map(_row, rows)])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def insert(page: str, name: str, text: str) -> str:
    """The page with `text` between its comments `<!-- NAME -->` and `<!-- /NAME -->`."""
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    changed, count = pattern.subn(lambda found: f"{found[1]}{text}\n{found[2]}", page)
    if count != 1:
        raise ValueError(f"the page has no place for {name}: `<!-- {name} -->` and `<!-- /{name} -->`")
    return changed
