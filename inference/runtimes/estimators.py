"""What a loaded estimator or booster says of itself: its columns, its classes, and what it is made of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import numpy as np

_NO_NAMES = re.compile(r"Column_\d+")  # what LightGBM makes up for bare arrays
_PLAIN = (str, bytes, int, float, complex, bool, type(None), type, np.generic)
_FUNCTIONS = (FunctionType, BuiltinFunctionType, MethodType)

LIBRARIES = frozenset({"sklearn", "xgboost", "lightgbm"})
"""Packages whose estimators we know: a row's prediction depends on that row alone, but for those in _MIXING."""

_HARMLESS = LIBRARIES | {
    "numpy",
    "scipy",
    "builtins",
    "collections",
    "ctypes",
    "functools",
    "re",
    "pandas",
    "joblib",
}
"""Packages whose objects such an estimator may hold without being somebody's own."""

_MIXING = frozenset({"NMF", "MiniBatchNMF", "PatchExtractor"})
"""scikit-learn's classes whose answer for a row depends on the rows beside it."""


def columns_of(raw: Any) -> tuple[list[str] | None, int | None]:
    """Names (None: trained on bare arrays) and number of the columns that a loaded estimator knows."""
    names = _ask(raw, "feature_names_in_", "feature_names", "feature_name")
    width = _ask(raw, "n_features_in_", "num_features", "num_feature")
    names = None if names is None else [str(name) for name in names]
    if not names or all(_NO_NAMES.fullmatch(name) for name in names):
        names = None
    return names, None if width is None else int(width)


def classes_of(raw: Any) -> Any:
    """`classes_` of a classifier that gives probabilities, else None."""
    return getattr(raw, "classes_", None) if hasattr(raw, "predict_proba") else None


def package(thing: Any) -> str:
    """The top-level package of an object's class, or of a function."""
    owner = thing if isinstance(thing, _FUNCTIONS) else type(thing)
    return str(getattr(owner, "__module__", None) or "").split(".")[0]


def parts(raw: Any) -> Iterator[Any]:
    """The estimator and every object and function that it holds, but for plain values and arrays of them."""
    seen: set[int] = set()
    left = [raw]
    while left:
        part = left.pop()
        if isinstance(part, _PLAIN) or id(part) in seen:
            continue
        seen.add(id(part))
        inner = _inside(part)
        if inner is None:
            yield part
            inner = getattr(part, "__dict__", {}).values() if not isinstance(part, _FUNCTIONS) else ()
        left.extend(inner)


def is_known(found: Iterable[Any]) -> bool:
    """Whether all parts come from libraries that we know, with no function or class of somebody's own."""
    return all(package(part) in _HARMLESS for part in found)


def is_independent(found: Iterable[Any]) -> bool:
    """Whether a row's prediction depends on that row alone (but for the last bits of a sum).

    For parts that are known; somebody's own code may do anything.
    """
    return not any(_mixes(part) for part in found)


def _mixes(part: Any) -> bool:
    kind, own = type(part).__name__, vars(part) if hasattr(part, "__dict__") else {}
    if package(part) != "sklearn":
        return False
    # Nearest neighbours by matrix products: how far two equally near points are depends on the batch's size.
    if kind in _MIXING or own.get("_fit_method") == "brute":
        return True
    # Random answers, drawn in the order of the rows.
    if own.get("sample_posterior") or (
        kind == "DummyClassifier" and own.get("strategy") in ("stratified", "uniform")
    ):
        return True
    # Any other function than one of each element alone may look at whole columns, as scaling does.
    applied = [own.get(name) for name in ("func", "inverse_func", "func_", "inverse_func_") if "func" in own]
    return any(isinstance(function, _FUNCTIONS) for function in applied)


def use_one_thread(found: Iterable[Any]) -> None:
    """One call, one thread: threads of several calls at once would only be in each other's way."""
    for part in found:
        if package(part) not in LIBRARIES or not hasattr(part, "__dict__"):
            continue
        if "n_jobs" in vars(part):
            part.n_jobs = 1
        if package(part) == "xgboost":
            booster = part.get_booster() if hasattr(part, "get_booster") else part
            if hasattr(booster, "set_param"):
                booster.set_param({"nthread": 1})


def _inside(part: Any) -> Iterable[Any] | None:
    """The items of a container; None for an object of its own."""
    if isinstance(part, np.ndarray):
        return part.ravel().tolist() if part.dtype == object else ()
    if isinstance(part, Mapping):
        return part.values()
    return part if isinstance(part, (list, tuple, set, frozenset)) else None


def _ask(raw: Any, *attributes: str) -> Any:
    """The first attribute that is there, called where it is a method."""
    for attribute in attributes:
        # Estimators raise AttributeError or their own NotFittedError from these properties.
        found = getattr(raw, attribute, None)
        found = found() if callable(found) else found
        if found is not None:
            return found
    return None
