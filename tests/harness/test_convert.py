"""Conversion to ONNX: which models, with which answers, and every reason why not. The server reads what is written."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from generator.disk import folder_sha256
from inference.requests.tables import Matrix
from inference.runtimes.onnx import load_converted
from tests.harness.conftest import Workshop

pytestmark = pytest.mark.parametrize("mlflow", ["onnx"], indirect=True)

HEAD = """
import mlflow, numpy as np, pandas as pd
from mlflow.models import infer_signature
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
import lightgbm as lgb, xgboost as xgb
X, y = load_breast_cancer(return_X_y=True, as_frame=True)
X = X.iloc[:, :6].set_axis(list("abcdef"), axis=1)
words = np.array(["no", "yes"])[y]
FEW = {"pip_requirements": ["scikit-learn"]}
def log(model, flavor=mlflow.sklearn, **about):
    with mlflow.start_run():
        if "signature" not in about:
            about["signature"] = infer_signature(X, model.predict(X))
        about = {"input_example": X.head(5), **FEW, **about}
        flavor.log_model(model, "model", **about)
"""
CLASSIFIERS = {
    "forest": "log(RandomForestClassifier(25, random_state=1).fit(X, y))",
    "words": "log(RandomForestClassifier(25, random_state=1).fit(X, words))",
    "booleans": "log(RandomForestClassifier(25, random_state=1).fit(X, y.astype(bool)))",
    "pipeline": "log(make_pipeline(StandardScaler(), LogisticRegression()).fit(X, words))",
    "no-probabilities": "log(RidgeClassifier().fit(X, y))",
    "bare-arrays": "log(LogisticRegression(max_iter=5000).fit(X.values, y), signature=None, input_example=None)",
    "array-signature": "log(LogisticRegression(max_iter=5000).fit(X.values, y),"
    " signature=infer_signature(X.values), input_example=X.values[:2])",
    "gaps": "X.iloc[::7, 2] = np.nan\n"
    "log(lgb.LGBMClassifier(n_estimators=20, verbose=-1).fit(X, y), mlflow.lightgbm)",
    "lightgbm": "log(lgb.LGBMClassifier(n_estimators=20, verbose=-1).fit(X, words), mlflow.lightgbm)",
    "xgboost": "log(xgb.XGBClassifier(n_estimators=20).fit(X, y), mlflow.xgboost)",
}
REGRESSORS = {
    "linear": "log(LinearRegression().fit(X, X.a * 2 + y))",
    "forest-regressor": "log(RandomForestRegressor(20, random_state=1).fit(X, X.a * 1000))",
    "two-numbers": "log(LinearRegression().fit(X, X[['a', 'b']]))",
    "lightgbm-regressor": "log(lgb.LGBMRegressor(n_estimators=20, verbose=-1).fit(X, X.a), mlflow.lightgbm)",
    "xgboost-regressor": "log(xgb.XGBRegressor(n_estimators=20).fit(X, X.a), mlflow.xgboost)",
}


def convert(shop: Workshop, script: str, *, tolerance: float = 1e-5) -> dict[str, Any]:
    shop.trained(HEAD + script)
    shop.collected()
    request = {
        "model": str(shop.folder / "out/model"),
        "output": str(shop.folder / "out/onnx"),
        "golden": str(shop.folder / "golden.json"),
        "tolerance": tolerance,
    }
    answer = shop.ask("convert", request)
    assert answer["ok"], answer
    return answer


def reason(shop: Workshop, script: str, **changes: Any) -> str:
    answer = convert(shop, script, **changes)
    assert answer["converted"] is None
    assert not (shop.folder / "out/onnx").exists()
    return str(answer["reason"])


def rows(golden: dict[str, Any]) -> Matrix:
    request = golden["request"]
    data = np.array(request.get("instances") or request["dataframe_split"]["data"], dtype=np.float64)
    return Matrix(data, len(data))


@pytest.mark.parametrize("name", [*CLASSIFIERS, *REGRESSORS])
def test_the_server_answers_the_converted_model_as_the_original_answered(shop: Workshop, name: str) -> None:
    answer = convert(shop, {**CLASSIFIERS, **REGRESSORS}[name])
    assert answer["converted"], answer
    golden = shop.golden()
    assert answer["converted"]["rows"] == 5000 + len(golden["predictions"]), answer
    assert 0 <= answer["converted"]["largest_difference"] <= 1e-5
    runtime = load_converted(shop.folder / "out/onnx")
    assert runtime is not None
    found = runtime.ask(rows(golden), probabilities=runtime.classes is not None and name != "no-probabilities")
    if name in CLASSIFIERS:
        assert found.predictions.tolist() == golden["predictions"]
        assert [type(label) for label in found.predictions.tolist()] == [*map(type, golden["predictions"])]
    else:
        assert found.predictions.tolist() == [pytest.approx(row, rel=1e-5) for row in golden["predictions"]]


def test_what_is_written_is_the_same_each_time_and_says_what_the_model_takes(shop: Workshop) -> None:
    convert(shop, CLASSIFIERS["gaps"])
    folder = shop.folder / "out/onnx"
    assert {path.name for path in folder.iterdir()} == {"converted.onnx", "converted.json"}
    described = json.loads((folder / "converted.json").read_text())
    assert (described["names"], described["width"], described["gaps"]) == ([*"abcdef"], 6, True)
    assert (described["classes"], described["labels"], described["dtype"]) == ([0, 1], "label", "float32")
    first = folder_sha256(folder)
    request = {"model": str(shop.folder / "out/model"), "output": str(folder), "tolerance": 1e-5}
    shop.ask("convert", {**request, "golden": str(shop.folder / "golden.json")})
    assert folder_sha256(folder) == first


def test_a_forest_that_was_fitted_without_gaps_refuses_them_afterwards_and_that_is_said(shop: Workshop) -> None:
    assert convert(shop, CLASSIFIERS["forest"])["converted"]["refuses_gaps"]
    assert not json.loads((shop.folder / "out/onnx/converted.json").read_text())["gaps"]


def test_what_32_bits_do_not_hold_is_converted_with_64(shop: Workshop) -> None:
    """A scaler that takes the mean of large numbers off loses digits."""
    script = (
        "X = X + 1e6\n"
        "log(make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y), signature=infer_signature(X))"
    )
    assert convert(shop, script)["converted"]["largest_difference"] < 1e-9
    assert json.loads((shop.folder / "out/onnx/converted.json").read_text())["dtype"] == "float64"


REASONS = {
    "text": (
        "T = pd.DataFrame({'a': X.a, 'kind': words})\n"
        "from sklearn.compose import make_column_transformer\nfrom sklearn.preprocessing import OneHotEncoder\n"
        "m = make_pipeline(make_column_transformer((OneHotEncoder(), ['kind'])), LogisticRegression()).fit(T, y)\n"
        "log(m, signature=infer_signature(T), input_example=T.head(2))",
        "its column kind is of type string, and only numbers can be converted",
    ),
    "custom": (
        "class Own(mlflow.pyfunc.PythonModel):\n    def predict(self, context, model_input): return model_input.a\n"
        "with mlflow.start_run(): mlflow.pyfunc.log_model('model', python_model=Own(), **FEW)",
        "it is no scikit-learn, XGBoost or LightGBM model",
    ),
    "two-outputs": (
        "log(DecisionTreeClassifier().fit(X, np.column_stack([y, words])))",
        "it predicts several outputs of labels",
    ),
    "booster": (
        "log(lgb.train({'verbose': -1, 'objective': 'binary'}, lgb.Dataset(X, y)), mlflow.lightgbm)",
        "it is a bare Booster; train with the library's scikit-learn interface",
    ),
    "odd-labels": (
        "log(DecisionTreeClassifier().fit(X, y + 1.0))",
        "its labels are neither texts nor whole numbers, but such as 1.0",
    ),
    "gaps-in-a-forest": (
        "X.iloc[::7, 2] = np.nan\nlog(RandomForestClassifier(25, random_state=1).fit(X, y))",
        "another label, such as",
    ),
    "probabilities-asked-for": (
        "log(LogisticRegression(max_iter=5000).fit(X, y), pyfunc_predict_fn='predict_proba')",
        "it was logged to answer with predict_proba instead of predict",
    ),
    "unknown-estimator": (
        "class Most(ClassifierMixin, BaseEstimator):\n"
        "    def fit(self, X, y): self.classes_ = np.unique(y); return self\n"
        "    def predict(self, X): return np.full(len(X), 1)\n"
        "log(Most().fit(X, y))",
        "skl2onnx cannot convert it",
    ),
}


@pytest.mark.parametrize("name", REASONS)
def test_what_cannot_be_converted_says_why(shop: Workshop, name: str) -> None:
    script, expected = REASONS[name]
    assert expected in reason(shop, script)


def test_numbers_beyond_the_tolerance_are_no_conversion(shop: Workshop) -> None:
    said = reason(shop, CLASSIFIERS["forest"], tolerance=1e-12)
    assert said.startswith("converted, its probabilities differ by up to ")
    assert said.endswith("more than 1e-12")


def test_labels_that_differ_are_no_conversion(shop: Workshop) -> None:
    """A threshold of more digits than 32 bits hold, met by round values: 2 ** 24 + 1 and 2 ** 24 are one to it."""
    script = (
        "A = pd.DataFrame({'a': [16777215.0, 16777216.0, 16777217.0, 16777218.0] * 50})\n"
        "m = lgb.LGBMClassifier(n_estimators=3, min_child_samples=1, min_data_in_bin=1, verbose=-1)\n"
        "m.fit(A, [0, 0, 1, 1] * 50)\n"
        "log(m, mlflow.lightgbm, signature=infer_signature(A), input_example=A.head(4))"
    )
    assert "another label, such as" in reason(shop, script)
