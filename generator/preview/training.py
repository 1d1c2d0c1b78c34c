"""The part of the text about a training: its figures beside those of what runs."""

from __future__ import annotations

from generator.preview.markdown import code, table
from generator.preview.metrics import Beside, Difference, Row, Trained

_ROWS = 40


def training(trained: Trained) -> str:
    """One training as Markdown."""
    parts = [_title(trained), _metrics(trained), _gate(trained), _size(trained)]
    return "\n\n".join(part for part in parts if part)


def _title(trained: Trained) -> str:
    run = f", run {code(trained.training.run_id)}" if trained.training else ""
    return f"**{code(trained.model.name)} was trained** at {code(trained.commit[:12])}{run}"


def _metrics(trained: Trained) -> str:
    if trained.training is None:
        return ""
    rows = list(trained.rows())
    if not rows:
        return "It logged no metrics."
    released = [beside for beside in trained.beside if beside.entry]
    titles = ["metric", "here"]
    for beside in released:
        titles += [_where(beside), "difference"]
    cells = [_cells(row, trained) for row in rows[:_ROWS]]
    more = f"\n\n… and {len(rows) - _ROWS} more metrics" if len(rows) > _ROWS else ""
    never = [f"{code(beside.environment)} has no release to compare with." for beside in trained.beside]
    absent = [line for line, beside in zip(never, trained.beside, strict=True) if beside.entry is None]
    return "\n\n".join([table(titles, cells) + more, *absent])


def _where(beside: Beside) -> str:
    return f"{code(beside.environment)} {code(beside.entry.version)}" if beside.entry else code(beside.environment)


def _cells(row: Row, trained: Trained) -> list[str]:
    cells = [code(row.metric), _number(row.value)]
    for beside, (value, difference) in zip(trained.beside, row.others, strict=True):
        if beside.entry:
            cells += ["not logged" if value is None else _number(value), _difference(difference)]
    return cells


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"


def _difference(found: Difference | None) -> str:
    if found is None:
        return ""
    if not found.absolute:
        return "the same"
    relative = f" ({found.relative:+.2%})" if found.relative is not None else ""
    verdict = f", **{found.verdict}**" if found.verdict else ""
    return f"{found.absolute:+.4g}{relative}{verdict}"


def _gate(trained: Trained) -> str:
    if trained.gate is None:
        return "There is no report of the gate: it was not reached, or not passed." if trained.training else ""
    signs = {"min": ">=", "max": "<=", "champion-min": ">= the champion's", "champion-max": "<= the champion's"}
    checks = [f"{item.metric} {item.value:g} {signs[item.kind]} {item.bound:g}" for item in trained.gate.checks]
    passed = ", ".join(code(check) for check in checks[:_ROWS]) or "nothing to check"
    return f"The gate of {code(trained.gate.environment)} is passed: {passed}."


def _size(trained: Trained) -> str:
    if trained.built is None:
        return ""
    lines = [f"Image: {_mebibytes(trained.built.size)}"]
    for beside in trained.beside:
        if beside.entry is None:
            continue
        if beside.entry.size is None:
            lines.append(f"{_where(beside)}: size not known")
            continue
        more = trained.built.size - beside.entry.size
        relative = f", {more / beside.entry.size:+.1%}" if beside.entry.size else ""
        lines.append(f"{_where(beside)}: {_mebibytes(beside.entry.size)} ({more / 2**20:+.1f} MiB{relative})")
    return "; ".join(lines) + "."


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"
