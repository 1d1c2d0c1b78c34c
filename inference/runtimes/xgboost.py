"""XGBoost's boosters and estimators, asked with arrays; their columns' names are compared beforehand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from inference.requests.values import Array
from inference.runtimes import estimators, stored
from inference.runtimes.base import Result, Unfit, refused
from inference.runtimes.direct import Direct, Native, proven


def load(folder: Path, flavors: Mapping[str, Any]) -> Native:
    """A model of MLflow's xgboost flavor."""
    import xgboost

    flavor = flavors.get("xgboost")
    if not flavor or not flavor.get("data"):
        raise Unfit("the MLmodel file does not say where the model is")
    stored.only_predicts(flavors)
    kind = flavor.get("model_class", "xgboost.core.Booster")
    found = getattr(xgboost, kind.split(".")[-1], None) if kind.startswith("xgboost.") else None
    if found is None:
        raise Unfit(f"{kind} is no class of XGBoost's")
    raw = found()
    raw.load_model(str(folder / flavor["data"]))
    return of(raw)


def of(raw: Any) -> Native:
    """The runtime of a loaded booster or estimator."""
    import xgboost

    estimators.use_one_thread([raw])
    is_booster = isinstance(raw, xgboost.Booster)
    booster = raw if is_booster else raw.get_booster()
    # Categories are told apart by a frame's types.
    plain = not {"c", "cat"} & {str(kind) for kind in booster.feature_types or ()}

    def itself(data: Any, probabilities: bool) -> Result:
        if is_booster:
            return Result(raw.predict(xgboost.DMatrix(data)))
        return Result(raw.predict(data), raw.predict_proba(data) if probabilities else None)

    direct = (_of_booster(raw) if is_booster else _of_estimator(raw)) if plain else None
    return Native("xgboost", raw, itself, direct, thresholds=lambda: thresholds(booster))


def _of_booster(booster: Any) -> Direct | None:
    import xgboost

    def by_matrix(rows: Array, _wanted: bool) -> Result:
        return Result(booster.predict(xgboost.DMatrix(rows), validate_features=False))

    def in_place(rows: Array, _wanted: bool) -> Result:
        return Result(booster.inplace_predict(rows, validate_features=False))

    way = proven([in_place], by_matrix, booster.num_features(), False) or by_matrix

    def direct(rows: Array, wanted: bool) -> Result | None:
        # A matrix refuses them, with a stack trace.
        if np.isinf(_single(rows)).any():
            raise refused("infinity or a value too large for float32")
        return way(rows, wanted)

    return direct


def _of_estimator(model: Any) -> Direct | None:
    def itself(rows: Array, wanted: bool) -> Result:
        predictions = model.predict(rows, validate_features=False)
        return Result(predictions, model.predict_proba(rows, validate_features=False) if wanted else None)

    def one_pass(rows: Array, _wanted: bool) -> Result:
        found = model.predict_proba(rows, validate_features=False)
        labels = (found[:, 1] > 0.5).astype(np.int64) if found.shape[1] == 2 else found.argmax(axis=1)
        return Result(labels, found)

    if not hasattr(model, "predict_proba"):
        return itself
    return proven([one_pass], itself, int(model.n_features_in_), True) or itself


def _single(rows: Array) -> Array:
    with np.errstate(over="ignore"):
        return rows.astype(np.float32)


def thresholds(booster: Any) -> list[Array] | None:
    """The numbers that the trees compare each column with."""
    names = booster.feature_names or [f"f{at}" for at in range(booster.num_features())]
    found: dict[str, set[float]] = {name: set() for name in names}
    left = [json.loads(tree) for tree in booster.get_dump(dump_format="json")]
    while left:
        node = left.pop()
        if isinstance(node.get("split_condition"), int | float) and node.get("split") in found:
            found[node["split"]].add(float(np.float32(node["split_condition"])))
        left.extend(node.get("children", ()))
    return [np.array(sorted(points)) for points in found.values()]
