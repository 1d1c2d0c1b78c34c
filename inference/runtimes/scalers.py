"""scikit-learn's steps before a model that only move and stretch columns, or fill their gaps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from inference.requests.values import Array
from inference.runtimes.base import Result

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


def steps(estimators: Sequence[Any], *, cast: bool) -> list[Step] | None:
    """A function for each estimator; None where one does more than these can.

    `cast`: the estimator's numbers take the rows' type first, as in newer versions of scikit-learn. It counts
    for rows of 32 bits.
    """
    found = [_step(estimator, cast) for estimator in estimators]
    return None if None in found else [step for step in found if step is not None]


def fills_gaps(estimators: Sequence[Any]) -> bool:
    """Whether the first step takes gaps, and fills them."""
    return bool(estimators) and type(estimators[0]).__name__ == "SimpleImputer"


def _step(estimator: Any, cast: bool) -> Step | None:
    kind = type(estimator)
    make = _STEPS.get(kind.__name__)
    if make is None or kind.__module__.split(".")[0] != "sklearn":
        return None
    changes = make(estimator)
    if callable(changes) or changes is None:
        return changes

    def step(rows: Array) -> None:
        for change, values in changes:
            change(rows, values.astype(rows.dtype) if cast else values, out=rows, casting="same_kind")

    return step


Changes = Sequence[tuple[np.ufunc, Array]]
"""What is done to the rows, one after the other."""


def _standard(scaler: Any) -> Changes:
    return _kept((np.subtract, scaler.with_mean and scaler.mean_), (np.divide, scaler.with_std and scaler.scale_))


def _robust(scaler: Any) -> Changes:
    return _kept(
        (np.subtract, scaler.with_centering and scaler.center_),
        (np.divide, scaler.with_scaling and scaler.scale_),
    )


def _kept(*changes: tuple[np.ufunc, Any]) -> Changes:
    return [(change, values) for change, values in changes if isinstance(values, np.ndarray)]


def _largest(scaler: Any) -> Changes | None:
    return None if getattr(scaler, "clip", False) else [(np.divide, scaler.scale_)]


def _range(scaler: Any) -> Changes | None:
    return None if scaler.clip else [(np.multiply, scaler.scale_), (np.add, scaler.min_)]


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


_STEPS: dict[str, Callable[[Any], Step | Changes | None]] = {
    "StandardScaler": _standard,
    "RobustScaler": _robust,
    "MaxAbsScaler": _largest,
    "MinMaxScaler": _range,
    "SimpleImputer": _fill,
}
