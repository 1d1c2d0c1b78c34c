"""Models that the tests serve, saved by MLflow as people save theirs.

Most weigh their columns (the last counts 1, the one before 10, and so on), so that an answer shows which
value came from which column.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import mlflow
import numpy as np
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema, TensorSpec
from mlflow.types.schema import AnyType, Array, Map, Object, Property
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

# A served process knows nothing of this module.
cloudpickle.register_pickle_by_value(sys.modules[__name__])

LOADS_WITH = "TESTS_A_SLOW_MODEL_LOADS_WITH"  # names a file without which it is not loaded
CORNERS = pd.DataFrame({"a": [0.0, 0.0, 1.0, 1.0], "b": [0.0, 1.0, 0.0, 1.0]})


class Weigh(RegressorMixin, BaseEstimator):
    """Columns weighed by position; text counts nothing."""

    def fit(self, x: Any, y: Any = None) -> Weigh:
        self.fitted_ = True
        return self

    def predict(self, x: Any) -> Any:
        frame = pd.DataFrame(x)
        numbers = frame.select_dtypes(["number", "bool"]).astype("float64")
        weights = 10.0 ** np.arange(numbers.shape[1])[::-1]
        return (numbers.to_numpy() * weights).sum(axis=1)


class Chatty(DecisionTreeClassifier):
    """Writes to standard output."""

    def predict(self, x: Any, check_input: bool = True) -> Any:
        sys.stdout.write("a model's own line\n")
        return super().predict(x, check_input)


class TwoFaced(RegressorMixin, BaseEstimator):
    """Answers otherwise when MLflow asks."""

    def fit(self, x: Any, y: Any = None) -> TwoFaced:
        self.fitted_ = True
        return self

    def predict(self, x: Any) -> Any:
        frame, asked = sys._getframe(), False
        while frame := frame.f_back:  # type: ignore[assignment]
            asked |= str(frame.f_globals.get("__name__")).startswith("mlflow.")
        return np.full(len(x), 1.0 if asked else 2.0)


class Kinds(mlflow.pyfunc.PythonModel):
    """Says what arrived in each column."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        return [{name: f"{value!r}" for name, value in row.items()} for row in model_input.to_dict("records")]


class Sum(mlflow.pyfunc.PythonModel):
    """Of two named tensors."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        return model_input["x"].sum(axis=1) + model_input["y"]


def _wait_for(file: str, end: float = 120) -> None:
    while not os.path.exists(file) and (end := end - 0.005) > 0:  # noqa: PTH110
        time.sleep(0.005)


class Moody(mlflow.pyfunc.PythonModel):
    """Does what the column `mood` says."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        mood = str(model_input["mood"].iloc[0])
        if mood.startswith("sleep "):
            time.sleep(float(mood.split()[1]))
        if mood.startswith("until "):
            _wait_for(mood.partition(" ")[2])
        answers: dict[str, Any] = {
            "frame": pd.DataFrame({"label": ["x"], "score": [np.nan]}),
            "series": pd.Series([1.5]),
            "dates": np.array(["2024-01-31T12:00:00", "NaT"], dtype="datetime64[ns]"),
            "mapping": {"a": np.array([1, 2]), "b": ["x", "y"]},
            "numpy": [np.int64(1), np.float32(0.5), np.str_("x"), np.bool_(True), np.nan, float("inf")],
            "timestamp": [pd.Timestamp("2024-01-31"), pd.NaT, pd.NA, b"ab", {1, 2}, (1, 2)],
            "text": "only text",
            "ragged": [[1], [2, 3]],
            "objects": np.array([1, 2], dtype=object),
            "strange": [object()],
            "params": [params],
        }
        if mood.startswith("break"):
            raise RuntimeError("/secret/path of the model", mood)
        if mood == "value":
            raise ValueError("/secret/path of the model")
        if mood == "exit":
            sys.exit(3)
        return answers.get(mood, [mood])


class WeighAnything(mlflow.pyfunc.PythonModel):
    """Weighs whatever it gets, without a signature."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        return Weigh().predict(model_input)


class Threads(mlflow.pyfunc.PythonModel):
    """How many threads libraries are to take."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        return [[os.environ.get(name) for name in names]] * len(model_input)


class Gaps(mlflow.pyfunc.PythonModel):
    """A custom model around an estimator that takes no gaps."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        return LinearRegression().fit(CORNERS, CORNERS.a).predict(model_input)


class SlowToLoad(mlflow.pyfunc.PythonModel):
    def load_context(self, context: Any) -> None:
        _wait_for(os.environ.get(LOADS_WITH, "/"))

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        return [1]


class BrokenOnLoad(mlflow.pyfunc.PythonModel):
    """Cannot be unpickled. (MLflow 2 calls load_context already when it saves.)"""

    def __init__(self) -> None:
        self.state = "some"

    def __setstate__(self, state: Any) -> None:
        raise RuntimeError("/secret/path of the model")

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        return [1]


class BreaksOnAsking(mlflow.pyfunc.PythonModel):
    """Loads, and fails on every request."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        raise KeyError("/secret/path of the model")


def signature(*columns: ColSpec, params: ParamSchema | None = None) -> ModelSignature:
    return ModelSignature(inputs=Schema(list(columns)), params=params)


AB = signature(ColSpec("double", "a"), ColSpec("double", "b"))
MOOD = signature(
    ColSpec("string", "mood"),
    params=ParamSchema([ParamSpec("t", "double", 0.5), ParamSpec("name", "string", "x")]),
)


def _sklearn(estimator: Any, signature: Any = None) -> Callable[[Path], None]:
    def save(path: Path) -> None:
        mlflow.sklearn.save_model(
            estimator,
            path,
            signature=signature,
            pip_requirements=["scikit-learn"],
            serialization_format="cloudpickle",
        )

    return save


def _custom(model: Any, signature: Any = None) -> Callable[[Path], None]:
    def save(path: Path) -> None:
        mlflow.pyfunc.save_model(path, python_model=model, signature=signature, pip_requirements=["pandas"])

    return save


def _xgboost(native: bool = False, signature: Any = None) -> Callable[[Path], None]:
    def save(path: Path) -> None:
        import xgboost

        model: Any = xgboost.XGBClassifier(n_estimators=2).fit(CORNERS, CORNERS.a.astype(int))
        model = model.get_booster() if native else model
        mlflow.xgboost.save_model(model, path, signature=signature, pip_requirements=["xgboost"])

    return save


def _lightgbm(names: bool = True, native: bool = False) -> Callable[[Path], None]:
    def save(path: Path) -> None:
        import lightgbm

        frame = pd.concat([CORNERS] * 10)
        model: Any = lightgbm.LGBMClassifier(n_estimators=3, min_child_samples=1, verbose=-1)
        model.fit(frame if names else frame.to_numpy(), np.where(frame.a > 0, "yes", "no"))
        model = model.booster_ if native else model
        mlflow.lightgbm.save_model(model, path, pip_requirements=["lightgbm"])

    return save


def _tree(labels: Any) -> Any:
    return DecisionTreeClassifier(random_state=0).fit(CORNERS, np.asarray(labels))


def _words() -> Any:
    frame = pd.DataFrame({"colour": ["red", "blue", "red", "blue"], "n": [0.0, 1.0, 0.0, 1.0]})
    columns = make_column_transformer((OneHotEncoder(), ["colour"]), remainder="passthrough")
    return make_pipeline(columns, LogisticRegression()).fit(frame, ["r", "b", "r", "b"])


_TYPES = signature(
    ColSpec("boolean", "boolean", required=False),
    ColSpec("integer", "integer", required=False),
    ColSpec("long", "long", required=False),
    ColSpec("float", "float", required=False),
    ColSpec("double", "double", required=False),
    ColSpec("string", "string", required=False),
    ColSpec("binary", "binary", required=False),
    ColSpec("datetime", "datetime", required=False),
    ColSpec(Array("double"), "array", required=False),
    ColSpec(Object([Property("k", "long")]), "object", required=False),
    ColSpec(Map("long"), "map", required=False),
    ColSpec(AnyType(), "any", required=False),
)

SAVE: dict[str, Callable[[Path], None]] = {
    "orders": _sklearn(
        Weigh().fit(CORNERS),
        signature(ColSpec("double", "a"), ColSpec("long", "b"), ColSpec("string", "note", required=False)),
    ),
    "gaps-in-integers": _sklearn(
        Weigh().fit(CORNERS), signature(ColSpec("double", "a"), ColSpec("long", "b", required=False))
    ),
    "labels": _sklearn(_tree(["no", "no", "yes", "yes"]), AB),
    "chatty": _sklearn(Chatty().fit(CORNERS, ["no", "no", "yes", "yes"]), AB),
    "two-faced": _sklearn(TwoFaced().fit(CORNERS), AB),
    "integers": _sklearn(_tree([0, 0, 1, 1]), AB),
    "booleans": _sklearn(_tree([False, False, True, True]), AB),
    "two-outputs": _sklearn(_tree([["no", "x"], ["no", "y"], ["yes", "x"], ["yes", "y"]]), AB),
    "two-numbers": _sklearn(DecisionTreeRegressor().fit(CORNERS, CORNERS * 2), AB),
    "pairs": _sklearn(LinearRegression().fit(CORNERS, CORNERS.assign(b=1.0)), AB),
    "linear": _sklearn(LinearRegression().fit(CORNERS, CORNERS.a), AB),
    "one-column": _sklearn(Weigh().fit(CORNERS), signature(ColSpec("double", "x"))),
    "unnamed": _sklearn(Weigh().fit(CORNERS), signature(ColSpec("double"))),
    "numbered": _sklearn(Weigh().fit(CORNERS), signature(ColSpec("double", 0), ColSpec("double", 1))),
    "envelope": _sklearn(Weigh().fit(CORNERS), signature(ColSpec("double", "data"), ColSpec("double", "age"))),
    "tensor": _sklearn(Weigh().fit(CORNERS), ModelSignature(Schema([TensorSpec(np.dtype("float64"), (-1, 2))]))),
    "tensors": _custom(
        Sum(),
        ModelSignature(
            Schema([TensorSpec(np.dtype("float32"), (-1, 2), "x"), TensorSpec(np.dtype("int64"), (-1,), "y")])
        ),
    ),
    "names-only": _sklearn(_tree(["no", "no", "yes", "yes"])),
    "bare": _sklearn(DecisionTreeClassifier(random_state=0).fit(CORNERS.to_numpy(), ["no", "no", "yes", "yes"])),
    "words": _sklearn(_words()),
    "types": _custom(Kinds(), _TYPES),
    "moody": _custom(Moody(), MOOD),
    "threads": _custom(Threads(), AB),
    "custom-gaps": _custom(Gaps(), AB),
    "unknown": _custom(WeighAnything()),
    "slow": _custom(SlowToLoad(), AB),
    "weights": _sklearn(Weigh().fit(CORNERS), AB),
    "breaks": _custom(BreaksOnAsking(), AB),
    "broken": _custom(BrokenOnLoad(), AB),
    "xgboost": _xgboost(signature=AB),
    "xgboost-names": _xgboost(),
    "xgboost-native": _xgboost(native=True),
    "lightgbm-names": _lightgbm(),
    "lightgbm-bare": _lightgbm(names=False),
    "lightgbm-native": _lightgbm(native=True),
}
