"""scikit-learn's steps before a model that only move and stretch columns, or fill their gaps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from inference.runtimes.base import Result
from inference.values import Array

Step = Callable[[Array], None]
"""Changes the rows in place, as scikit-learn itself does with its copy."""

Final = Callable[[Array, bool], Result | None]


class Scaled:
    """A model behind such steps."""

    def __init__(self, steps: Sequence[Step], fills: bool, width: int, final: Final) -> None:
        self._steps = steps
        self._fills = fills
        self._width = width
        self._final = final

    def __call__(self, rows: Array, probabilities: bool) -> Result | None:
        """None for rows that scikit-learn has to judge."""
        if rows.ndim != 2 or rows.shape[1] != self._width or rows.dtype.kind != "f":
            return None
        if not np.isfinite(rows).all() and (not self._fills or np.isinf(rows).any()):
            return None
        rows = rows.copy()
        for step in self._steps:
            step(rows)
        return self._final(rows, probabilities)


def steps(estimators: Sequence[Any]) -> list[Step] | None:
    """A function for each estimator; None where one does more than these can."""
    found = [_step(estimator) for estimator in estimators]
    return None if None in found else [step for step in found if step is not None]


def fills_gaps(estimators: Sequence[Any]) -> bool:
    """Whether the first step takes gaps, and fills them."""
    return bool(estimators) and type(estimators[0]).__name__ == "SimpleImputer"


def _step(estimator: Any) -> Step | None:
    kind = type(estimator)
    make = _STEPS.get(kind.__name__)
    return make(estimator) if make and kind.__module__.split(".")[0] == "sklearn" else None


def _standard(scaler: Any) -> Step:
    return _move(scaler.mean_ if scaler.with_mean else None, scaler.scale_ if scaler.with_std else None)


def _robust(scaler: Any) -> Step:
    return _move(scaler.center_ if scaler.with_centering else None, scaler.scale_ if scaler.with_scaling else None)


def _largest(scaler: Any) -> Step | None:
    return None if getattr(scaler, "clip", False) else _move(None, scaler.scale_)


def _move(minus: Array | None, divisor: Array | None) -> Step:
    def step(rows: Array) -> None:
        if minus is not None:
            rows -= minus
        if divisor is not None:
            rows /= divisor

    return step


def _range(scaler: Any) -> Step | None:
    def step(rows: Array) -> None:
        rows *= scaler.scale_
        rows += scaler.min_

    return None if scaler.clip else step


def _fill(imputer: Any) -> Step | None:
    values = imputer.statistics_
    plain = isinstance(imputer.missing_values, float) and np.isnan(imputer.missing_values)
    if not plain or imputer.add_indicator or values.dtype.kind != "f" or np.isnan(values).any():
        return None

    def step(rows: Array) -> None:
        gaps = np.isnan(rows)
        if gaps.any():
            rows[gaps] = values[gaps.nonzero()[1]]

    return step


_STEPS: dict[str, Callable[[Any], Step | None]] = {
    "StandardScaler": _standard,
    "RobustScaler": _robust,
    "MaxAbsScaler": _largest,
    "MinMaxScaler": _range,
    "SimpleImputer": _fill,
}
