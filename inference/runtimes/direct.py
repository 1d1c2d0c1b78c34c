"""What the native runtimes share: a batch as numbers, a direct way where one is proven, else the library's own."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from inference.outputs import class_labels
from inference.requests.frames import as_input
from inference.requests.tables import Batch, Matrix, Table
from inference.requests.values import Array
from inference.runtimes.base import Result
from inference.runtimes.estimators import classes_of, columns_of
from inference.schema import Schema

Direct = Callable[[Array, bool], Result | None]
"""Answers rows of numbers, with probabilities where wanted. None for rows that the library has to judge."""

Itself = Callable[[Any, bool], Result]
"""Answers what pyfunc would be given, by the calls that pyfunc makes."""


class Native:
    """See base.Runtime. A library's estimator or booster."""

    def __init__(
        self,
        library: str,
        raw: Any,
        itself: Itself,
        direct: Direct | None = None,
        *,
        takes_arrays: bool = False,
        independent: bool = True,
        thresholds: Callable[[], list[Array] | None] = lambda: None,
    ) -> None:
        """`takes_arrays`: whether `itself` answers arrays as it answers frames."""
        self.name = self.library = library
        self.independent = independent
        classes = classes_of(raw)
        self.classes = None if classes is None else class_labels(classes)
        self.is_direct = direct is not None
        self.thresholds = thresholds
        self._itself, self._direct = itself, direct
        self._takes_arrays = takes_arrays
        self._names, self._width = columns_of(raw)
        self._fitting: Schema | None = None  # the last one whose columns are the model's

    def columns(self) -> tuple[list[str] | None, int | None]:
        return self._names, self._width

    def ask(self, batch: Batch, params: Mapping[str, Any] | None = None, *, probabilities: bool = False) -> Result:  # noqa: ARG002 - these libraries' pyfunc leaves them out
        rows = self._rows(batch) if self._direct or self._takes_arrays else None
        if rows is not None and self._direct:
            found = self._direct(rows, probabilities)
            if found is not None:
                return found
        return self._itself(rows if rows is not None and self._takes_arrays else as_input(batch), probabilities)

    def _rows(self, batch: Batch) -> Array | None:
        """The batch as numbers in the order of the model's columns; None where it is none."""
        if isinstance(batch, Table):
            return batch.block if self._fits(batch.schema) else None
        array = batch.array if isinstance(batch, Matrix) else batch.arrays
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu" or array.ndim != 2:
            return None
        return array if self._width in (None, array.shape[1]) else None

    def _fits(self, schema: Schema) -> bool:
        """Whether the columns are the model's own; if not, the library says what is wrong."""
        if schema is self._fitting:
            return True
        named = self._names is None or [str(key) for key in schema.keys] == self._names
        if named and self._width in (None, len(schema.keys)):
            self._fitting = schema
            return True
        return False


def proven(ways: Iterable[Direct], itself: Direct, width: int | None, wanted: bool) -> Direct | None:
    """The first way that gives, bit for bit, what the library itself gives for some rows."""
    if width is None:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # arrays have no names, and made-up values are odd
        return next(
            (way for way in ways if all(_agree(way, itself, rows, wanted) for rows in _probes(width))), None
        )


def _probes(width: int) -> Iterator[Array]:
    """A few rows of each number and type that are computed in their own way."""
    random = np.random.default_rng(0)
    for rows, dtype in ((1, np.float64), (3, np.float32), (40, np.float64)):
        yield (random.standard_normal((rows, width)) * 3).astype(dtype)


def _agree(way: Direct, itself: Direct, rows: Array, wanted: bool) -> bool:
    try:
        found, expected = way(rows, wanted), itself(rows, wanted)
    except Exception:  # noqa: BLE001 - then it is no way
        return False
    if found is None or expected is None or not _same(found.predictions, expected.predictions):
        return False
    return not wanted or _same(found.probabilities, expected.probabilities)


def _same(one: Any, other: Any) -> bool:
    if isinstance(other, list):
        return isinstance(one, list) and len(one) == len(other) and all(map(_same, one, other))
    return isinstance(one, np.ndarray) and one.dtype == other.dtype and np.array_equal(one, other)
