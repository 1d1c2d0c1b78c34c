"""A result as tables: on the terminal, and as the section of docs/benchmarks.md that is made from it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.measure import table
from benchmarks.serving.cases import CASES, MODELS
from benchmarks.serving.contenders import MLFLOW
from benchmarks.serving.targets import Verdict, verdicts

Result = Mapping[str, Any]
"""The content of a result file."""

_NO = "-"
_MARKS = {True: "met", False: "**not met**", None: "not measured"}


def show(result: Result) -> None:
    """Print everything."""
    for model, title in MODELS.items():
        rows = of_model(result, model)
        if rows:
            names = case_names(rows)
            table(
                f"{title}: requests/s (x mlflow), p50 / p99 in ms", heads(names), [line(row, rows) for row in rows]
            )
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


def case_names(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The cases that any contender has figures for, in their usual order."""
    known = {name for row in rows for name in row["cases"]}
    return [case.name for case in CASES if case.name in known]


def heads(names: Sequence[str]) -> list[str]:
    return ["server", *names, "memory MB", "first answer s"]


def line(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A contender's cells for `heads`."""
    reference = next((other["cases"] for other in rows if other["contender"] == MLFLOW), {})
    cells = [_cell(row["cases"].get(name), reference.get(name)) for name in case_names(rows)]
    memory, start = row["memory_mb"], row["start_seconds"]
    return [
        row["contender"],
        *cells,
        _NO if memory is None else f"{memory:.0f}",
        _NO if start is None else f"{start:.1f}",
    ]


def _cell(case: Mapping[str, Any] | None, reference: Mapping[str, Any] | None) -> str:
    if case is None:
        return _NO
    speed, times = case["per_second"], f"{_short(case['p50_ms'])} / {_short(case['p99_ms'])}"
    ratio = f" ({_short(speed / reference['per_second'])}x)" if reference else ""
    return f"{speed:,.0f}{ratio} {times}"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def section(result: Result) -> str:
    """Markdown: a table a model, and the targets."""
    parts = [_head(result)]
    for model, title in MODELS.items():
        rows = of_model(result, model)
        if rows:
            heading = f"{title}: requests/s (times mlflow's), then p50 / p99 in ms"
            parts.append(_markdown(heading, heads(case_names(rows)), [line(row, rows) for row in rows]))
    parts.append(_targets(verdicts(result["rows"])))
    failed = sorted({f"{row['contender']} ({row['model']})" for row in result["rows"] if row["failure"]})
    if failed:
        parts.append(f"Failed in this run: {', '.join(failed)}.")
    return "\n\n".join(parts)


def _head(result: Result) -> str:
    plan = result["plan"]
    return (
        f"One run of {result['date']} on {result['machine']}; {plan['rounds']} rounds of all servers in turns, "
        f"{plan['seconds']} s a case in each, medians. Versions: {', '.join(result['versions'])}."
    )


def _targets(found: Sequence[Verdict]) -> str:
    rows = [(one.target, one.wanted, one.measured, _MARKS[one.met]) for one in found]
    return _markdown("target", ("target", "wanted", "measured", ""), rows, heading=False)


def _markdown(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, heading: bool = True) -> str:
    lines = [f"{title}:", ""] if heading else []
    lines += [_row(columns), _row(["---", *["---:"] * (len(columns) - 1)]), *map(_row, rows)]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def insert(page: str, name: str, text: str) -> str:
    """The page with `text` between its comments `<!-- NAME -->` and `<!-- /NAME -->`."""
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    changed, count = pattern.subn(lambda found: f"{found[1]}{text}\n{found[2]}", page)
    if count != 1:
        raise ValueError(f"the page has no place for {name}: `<!-- {name} -->` and `<!-- /{name} -->`")
    return changed
