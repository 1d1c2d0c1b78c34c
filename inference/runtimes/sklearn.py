"""scikit-learn's estimators, asked with arrays where the names of columns decide nothing.

Trees, forests and linear models have a direct way besides: it is taken if it gives, bit for bit, what the
estimator itself gives for some rows when the model is loaded.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from inference.frames import as_input
from inference.outputs import class_labels
from inference.runtimes import estimators, forests, linear, scalers, stored
from inference.runtimes.base import Result, Unfit
from inference.schema import Schema
from inference.tables import Batch, Matrix, Table
from inference.values import Array

Direct = Callable[[Array, bool], Result | None]
"""Answers rows of numbers, with probabilities where wanted; None for those that scikit-learn has to judge."""

_BY_NAME = frozenset({"ColumnTransformer", "FunctionTransformer"})
"""Steps that may look for columns by name or type."""

_SEARCHES = frozenset({"GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV"})


class Sklearn:
    """See base.Runtime."""

    name = "sklearn"
    library = "sklearn"

    def __init__(self, raw: Any, method: str = "predict") -> None:
        found = list(estimators.parts(raw))
        known = estimators.is_known(found)
        self.independent = known and estimators.is_independent(found)
        classes = estimators.classes_of(raw)
        self.classes = None if classes is None else class_labels(classes)
        self._raw = raw
        self._predict = getattr(raw, method)
        self._method = method
        self._names, self._width = estimators.columns_of(raw)
        self._fitting: Schema | None = None  # the last one whose columns are the model's
        self._arrays = known and all(_takes_arrays(part) for part in found)
        estimators.use_one_thread(found if known else ())
        _be_quiet()
        self._direct = (
            _proven(raw, self._width) if self._arrays and method in ("predict", "predict_proba") else None
        )

    def columns(self) -> tuple[list[str] | None, int | None]:
        return self._names, self._width

    @property
    def is_direct(self) -> bool:
        """Whether rows are answered without scikit-learn's own code."""
        return self._direct is not None

    def thresholds(self) -> list[Array] | None:
        """The numbers at which a prediction may change, for each column; None where they are not known."""
        return forests.thresholds(self._raw) if forests.direct(self._raw) else None

    def ask(self, batch: Batch, params: Mapping[str, Any] | None = None, *, probabilities: bool = False) -> Result:  # noqa: ARG002 - pyfunc leaves them out too
        rows = self._rows(batch) if self._arrays else None
        found = (
            self._direct(rows, probabilities or self._method != "predict")
            if self._direct and rows is not None
            else None
        )
        if found is not None:
            return found if self._method == "predict" else Result(found.probabilities, found.probabilities)
        data = as_input(batch) if rows is None else rows
        return Result(self._predict(data), self._raw.predict_proba(data) if probabilities else None)

    def _rows(self, batch: Batch) -> Array | None:
        """The batch as numbers in the order of the model's columns; None where it is none."""
        if isinstance(batch, Table):
            return batch.block if self._fits(batch.schema) else None
        array = batch.array if isinstance(batch, Matrix) else batch.arrays
        return array if isinstance(array, np.ndarray) and array.dtype.kind in "fiu" else None

    def _fits(self, schema: Schema) -> bool:
        """Whether the columns are the model's own; if not, scikit-learn says what is wrong."""
        if schema is self._fitting:
            return True
        named = self._names is None or [str(key) for key in schema.keys] == self._names
        if named and self._width in (None, len(schema.keys)):
            self._fitting = schema
            return True
        return False


def load(folder: Path, flavors: Mapping[str, Any]) -> Sklearn:
    """An estimator of MLflow's sklearn flavor."""
    flavor, pyfunc = flavors.get("sklearn"), flavors["python_function"]
    if not flavor or not pyfunc.get("model_path"):
        raise Unfit("the MLmodel file does not say how the estimator was stored")
    method = pyfunc.get("predict_fn", "predict")
    if method == "score":
        raise Unfit("pyfunc scores with this model")
    stored.use_code(folder, flavors)
    raw = stored.estimator(folder / pyfunc["model_path"], flavor)
    return Sklearn(raw, method)


def _takes_arrays(part: Any) -> bool:
    # Boosters of other libraries check the names of what they are given.
    foreign = estimators.package(part) in ("xgboost", "lightgbm")
    return not foreign and type(part).__name__ not in _BY_NAME


def _be_quiet() -> None:
    """An array has no feature names, and scikit-learn would say so at each call."""
    warnings.filterwarnings("ignore", message="X does not have valid feature names", category=UserWarning)


def _proven(raw: Any, width: int | None) -> Direct | None:
    """The first direct way that gives exactly what the estimator gives."""
    if not width:
        return None
    for direct in _candidates(raw):
        if all(_agree(raw, direct, rows) for rows in _probes(width)):
            return direct
    return None


def _candidates(raw: Any) -> Iterator[Direct]:
    kind = type(raw)
    if kind.__module__.split(".")[0] != "sklearn" or "predict" in vars(raw) or "predict_proba" in vars(raw):
        return
    if kind.__name__ in _SEARCHES:
        yield from _candidates(getattr(raw, "best_estimator_", None))
    elif kind.__name__ == "Pipeline":
        before, final = [step for _, step in raw.steps[:-1]], raw.steps[-1][1]
        moves = scalers.steps([step for step in before if step not in (None, "passthrough")])
        if moves is not None:
            for direct in _candidates(final):
                yield scalers.Scaled(moves, scalers.fills_gaps(before), int(raw.n_features_in_), direct)
    else:
        forest = forests.direct(raw)
        yield from [forest] if forest else linear.direct(raw)


def _probes(width: int) -> Iterator[Array]:
    """A few rows of each size and type that are computed in their own way."""
    random = np.random.default_rng(0)
    for rows, dtype in ((1, np.float64), (3, np.float32), (40, np.float64)):
        yield (random.standard_normal((rows, width)) * 3).astype(dtype)


def _agree(raw: Any, direct: Direct, rows: Array) -> bool:
    wanted = hasattr(raw, "predict_proba")
    found = direct(rows, wanted)
    if found is None or not _same(found.predictions, raw.predict(rows)):
        return False
    return not wanted or _same(found.probabilities, raw.predict_proba(rows))


def _same(one: Any, other: Any) -> bool:
    if isinstance(other, list):
        return isinstance(one, list) and len(one) == len(other) and all(map(_same, one, other))
    return isinstance(one, np.ndarray) and one.dtype == other.dtype and np.array_equal(one, other)
