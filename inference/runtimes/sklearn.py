"""scikit-learn's estimators, asked with arrays where the names of columns decide nothing.

Trees, forests and linear models have a direct way besides: it is taken if it gives, bit for bit, what the
estimator itself gives for some rows when the model is loaded.
"""

from __future__ import annotations

import copy
import sys
import warnings
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from inference.runtimes import estimators, forests, linear, scalers, stored
from inference.runtimes.base import Result, Unfit
from inference.runtimes.direct import Direct, Native, proven

_BY_NAME = frozenset({"ColumnTransformer", "FunctionTransformer"})
"""Steps that may look for columns by name or type."""

_SEARCHES = frozenset({"GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV"})
_OVERRIDES = frozenset({"predict", "predict_proba"})


def load(folder: Path, flavors: Mapping[str, Any]) -> Native:
    """An estimator of MLflow's sklearn flavor."""
    flavor, pyfunc = flavors.get("sklearn"), flavors["python_function"]
    if not flavor or not pyfunc.get("model_path"):
        raise Unfit("the MLmodel file does not say how the estimator was stored")
    method = pyfunc.get("predict_fn", "predict")
    if method == "score":
        raise Unfit("pyfunc scores with this model")
    _import_without_pandas()
    stored.use_code(folder, flavors)
    return of(stored.estimator(folder / pyfunc["model_path"], flavor), method)


def _import_without_pandas() -> None:
    """Import scikit-learn, which imports pandas wherever that is installed, though only frames need it.

    That costs a third of a second and 30 MB. Whoever needs pandas later imports it then.
    """
    if "pandas" in sys.modules:
        return
    absent: dict[str, Any] = sys.modules
    absent["pandas"] = None
    try:
        import_module("sklearn.utils.fixes")
    finally:
        del absent["pandas"]


def of(raw: Any, method: str = "predict") -> Native:
    """The runtime of a loaded estimator; `method` is the one that pyfunc calls."""
    found = list(estimators.parts(raw))
    known = estimators.is_known(found)
    arrays = known and all(map(_takes_arrays, found))
    if known:
        estimators.use_one_thread(found)
    # An array has no feature names, and scikit-learn would say so at each call.
    warnings.filterwarnings("ignore", message="X does not have valid feature names", category=UserWarning)
    predict = getattr(raw, method)

    # A scaler with copy=False scales the rows that it is given, each time.
    own = copy.copy if any(getattr(part, "copy", True) is False for part in found) else _as_it_is

    def itself(data: Any, probabilities: bool) -> Result:
        return Result(predict(own(data)), raw.predict_proba(own(data)) if probabilities else None)

    direct: Direct | None = None
    if arrays and method in _OVERRIDES:
        width = estimators.columns_of(raw)[1]
        ways = _ways(raw) if method == "predict" else map(_probabilities_only, _ways(raw))
        direct = proven(ways, itself, width, hasattr(raw, "predict_proba"))
    return Native(
        "sklearn",
        raw,
        itself,
        direct,
        takes_arrays=arrays,
        independent=known and estimators.is_independent(found),
        thresholds=lambda: forests.thresholds(raw) if forests.direct(raw) else None,
    )


def _as_it_is(data: Any) -> Any:
    return data


def _takes_arrays(part: Any) -> bool:
    # Boosters of other libraries check the names of what they are given.
    foreign = estimators.package(part) in ("xgboost", "lightgbm")
    return not foreign and type(part).__name__ not in _BY_NAME


def _ways(raw: Any) -> Iterator[Direct]:
    """Direct ways that may be this estimator's own."""
    kind = type(raw)
    if kind.__module__.split(".")[0] != "sklearn" or _OVERRIDES & vars(raw).keys():
        return
    if kind.__name__ in _SEARCHES:
        yield from _ways(getattr(raw, "best_estimator_", None))
    elif kind.__name__ == "Pipeline":
        before, final = [step for _, step in raw.steps[:-1]], raw.steps[-1][1]
        before = [step for step in before if step not in (None, "passthrough")]
        for cast in (True, False):
            moves = scalers.steps(before, cast=cast)
            for way in _ways(final) if moves is not None else ():
                yield scalers.Scaled(moves or [], scalers.fills_gaps(before), int(raw.n_features_in_), way)
    else:
        forest = forests.direct(raw)
        yield from [forest] if forest else linear.direct(raw)


def _probabilities_only(way: Direct) -> Direct:
    """For a model of which pyfunc calls predict_proba."""

    def direct(rows: Any, _wanted: bool) -> Result | None:
        found = way(rows, True)
        return found and Result(found.probabilities, found.probabilities)

    return direct
