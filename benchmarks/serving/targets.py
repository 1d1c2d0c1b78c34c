"""What this server is to reach, as ratios of one run, and whether it did."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.serving.cases import Case
from benchmarks.serving.contenders import BENTOML, LITSERVE, MLFLOW, NULL, ONNX, OURS

Row = Mapping[str, Any]
"""One contender with one model, as in the result file."""

ONE, EIGHT, MANY, LARGE = Case(1, 1), Case(1, 8), Case(1, 64), Case(1000, 8)


@dataclass(frozen=True)
class Verdict:
    """A target beside what was measured; `met` is None where something was not measured."""

    target: str
    wanted: str
    measured: str
    met: bool | None


@dataclass(frozen=True)
class _Faster:
    """At least so many times the better of the others."""

    model: str
    case: Case
    others: tuple[str, ...]
    factor: float

    def verdict(self, rows: Sequence[Row]) -> Verdict:
        ours = _throughput(rows, self.model, (OURS,), self.case)
        theirs = _throughput(rows, self.model, self.others, self.case)
        ratio = ours / theirs if ours and theirs else None
        other = "the null model" if self.others == (NULL,) else self.others[0]
        return Verdict(
            f"{self.model}, {self.case.name}: throughput of {other}'s",
            f"≥ {self.factor:g}x",
            "-" if ratio is None else f"{ratio:.3g}x",
            None if ratio is None else ratio >= self.factor,
        )


@dataclass(frozen=True)
class _AtMost:
    """A figure of ours that has an upper limit."""

    target: str
    limit: float
    unit: str
    figure: Callable[[Sequence[Row]], float | None]

    def verdict(self, rows: Sequence[Row]) -> Verdict:
        found = self.figure(rows)
        shown = "-" if found is None else f"{found:.3g}{self.unit}"
        return Verdict(
            self.target, f"≤ {self.limit:g}{self.unit}", shown, None if found is None else found <= self.limit
        )


def _throughput(rows: Sequence[Row], model: str, names: tuple[str, ...], case: Case) -> float | None:
    # The null model is measured once; nothing in it depends on the model.
    found = [
        row["cases"][case.name]["per_second"]
        for row in rows
        if row["contender"] in names and row["model"] in (model, "forest" if names == (NULL,) else model)
        if case.name in row["cases"]
    ]
    return max(found, default=None)


def _worst(name: str, key: str) -> Callable[[Sequence[Row]], float | None]:
    return lambda rows: max(_known(rows, name, key), default=None)


def _start_ratio(rows: Sequence[Row]) -> float | None:
    theirs = {row["model"]: row["start_seconds"] for row in rows if row["contender"] == MLFLOW}
    ours = {row["model"]: row["start_seconds"] for row in rows if row["contender"] == OURS}
    ratios = [ours[model] / theirs[model] for model in ours if ours[model] and theirs.get(model)]
    return max(ratios, default=None)


def _known(rows: Sequence[Row], name: str, key: str) -> Iterable[float]:
    return (row[key] for row in rows if row["contender"] == name and row[key] is not None)


TARGETS: tuple[_Faster | _AtMost, ...] = (
    _Faster("forest", MANY, (MLFLOW,), 80),
    _Faster("forest", MANY, (NULL,), 0.5),
    _Faster("forest", ONE, (MLFLOW,), 10),
    _Faster("linear", MANY, (MLFLOW,), 10),
    _Faster("linear", MANY, LITSERVE, 2.5),
    _Faster("linear", ONE, (MLFLOW,), 8),
    _Faster("forest", LARGE, (MLFLOW,), 4),
    _Faster("forest", LARGE, BENTOML, 2),
    _Faster("linear", LARGE, (MLFLOW,), 8),
    _Faster("linear", LARGE, BENTOML, 2),
    _AtMost("start to first prediction, of mlflow's", 0.35, "x", _start_ratio),
    _AtMost("start to first prediction with ONNX", 1, " s", _worst(ONNX, "start_seconds")),
    _AtMost("resident memory", 250, " MB", _worst(OURS, "memory_mb")),
    _AtMost("resident memory with ONNX", 130, " MB", _worst(ONNX, "memory_mb")),
)


def verdicts(rows: Sequence[Row]) -> list[Verdict]:
    """Every target; of a peer with and without batching the faster one counts."""
    return [target.verdict(rows) for target in TARGETS]
