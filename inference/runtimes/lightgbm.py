"""LightGBM's boosters and estimators, asked with arrays, by the booster underneath."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from inference.requests.values import Array
from inference.runtimes import estimators, stored
from inference.runtimes.base import Result, Unfit
from inference.runtimes.direct import Direct, Native, proven


def load(folder: Path, flavors: Mapping[str, Any]) -> Native:
    """A model of MLflow's lightgbm flavor."""
    import lightgbm

    flavor = flavors.get("lightgbm")
    if not flavor or not flavor.get("data"):
        raise Unfit("the MLmodel file does not say where the model is")
    stored.only_predicts(flavors)
    stored.use_code(folder, flavors)
    path, kind = folder / flavor["data"], flavor.get("model_class", "lightgbm.basic.Booster")
    if kind == "lightgbm.basic.Booster":
        return of(lightgbm.Booster(model_file=str(path)))
    if not kind.startswith("lightgbm."):
        raise Unfit(f"{kind} is no class of LightGBM's")
    return of(stored.estimator(path, flavor, default="cloudpickle"))


def of(raw: Any) -> Native:
    """The runtime of a loaded booster or estimator."""
    import lightgbm

    is_booster = isinstance(raw, lightgbm.Booster)
    estimators.use_one_thread([raw])

    def itself(data: Any, probabilities: bool) -> Result:
        return Result(raw.predict(data), raw.predict_proba(data) if probabilities else None)

    booster = raw if is_booster else raw.booster_
    # Categories are told apart by a frame's types.
    plain = not getattr(booster, "pandas_categorical", None)
    direct = _direct(raw, booster, is_booster) if plain else None
    return Native("lightgbm", raw, itself, direct, thresholds=lambda: thresholds(booster))


def _direct(raw: Any, booster: Any, is_booster: bool) -> Direct | None:
    classes = getattr(raw, "classes_", None)
    # Of the estimator's parameters these alone count when it predicts.
    params = (
        {} if is_booster else {key: value for key, value in raw.get_params().items() if key.startswith("pred")}
    )

    def direct(rows: Array, _wanted: bool) -> Result:
        # Whole numbers are copied to 32 bits otherwise.
        rows = rows if rows.dtype.kind == "f" else rows.astype(np.float64)
        found = booster.predict(rows, num_threads=1, **params)
        if classes is None:
            return Result(found)
        found = np.vstack((1.0 - found, found)).transpose() if found.ndim == 1 else found
        return Result(classes.take(found.argmax(axis=1), axis=0), found)

    def itself(rows: Array, wanted: bool) -> Result:
        return Result(raw.predict(rows), raw.predict_proba(rows) if wanted else None)

    return proven([direct], itself, booster.num_feature(), classes is not None)


def thresholds(booster: Any) -> list[Array] | None:
    """The numbers that the trees compare each column with."""
    found: list[set[float]] = [set() for _ in range(booster.num_feature())]
    left = [tree["tree_structure"] for tree in booster.dump_model()["tree_info"]]
    while left:
        node = left.pop()
        if isinstance(node.get("threshold"), int | float):
            found[node["split_feature"]].add(float(node["threshold"]))
        left.extend(node[side] for side in ("left_child", "right_child") if side in node)
    return [np.array(sorted(points)) for points in found]
