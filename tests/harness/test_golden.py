"""Golden rows: where they come from, what they look like, and that they are what the model answers."""

import json
from typing import Any

import pytest

from tests.harness.conftest import Workshop

HEAD = """
import mlflow, numpy as np, pandas as pd
from mlflow.models import infer_signature, ModelSignature
from mlflow.types import Schema, ColSpec, TensorSpec
from sklearn.linear_model import LogisticRegression, LinearRegression
bare = {"pip_requirements": ["scikit-learn"]}
X = pd.DataFrame({"b": [1., 5., 30., 60.], "a": [90., 80., 20., 30.]})
y = [1, 1, 0, 0]
model = LogisticRegression().fit(X, y)
class Python(mlflow.pyfunc.PythonModel):
    def __init__(self, function): self.function = function
    def predict(self, context, model_input, params=None): return self.function(model_input)
def log(function, **about):
    with mlflow.start_run():
        mlflow.pyfunc.log_model("model", python_model=Python(function), **{**bare, **about})
def log_sklearn(model, **about):
    with mlflow.start_run():
        mlflow.sklearn.log_model(model, "model", **{**bare, **about})
"""
SIGNED = HEAD + "log_sklearn(model, signature=infer_signature(X, model.predict(X)))"
FRAME = "pd.DataFrame({'n': [1, 2], 'f': [.5, float('nan')], 's': ['x', 'y'], 'yes': [True, False]})"

SOURCES: dict[str, tuple[str, str, dict[str, Any] | None, Any]] = {
    "example": (
        "log_sklearn(model, signature=infer_signature(X, model.predict(X)), input_example=X.head(2))",
        "input-example",
        {"dataframe_split": {"columns": ["b", "a"], "data": [[1.0, 90.0], [5.0, 80.0]]}},
        [1, 1],
    ),
    "mixed-example": (
        f"f = {FRAME}\nlog(lambda f: f['f'].isna(), signature=infer_signature(f), input_example=f)",
        "input-example",
        {
            "dataframe_split": {
                "columns": ["n", "f", "s", "yes"],
                "data": [[1, 0.5, "x", True], [2, None, "y", False]],
            }
        },
        [False, True],
    ),
    "array-example": (
        "model = LinearRegression().fit(X.values, X.values.sum(axis=1))\n"
        "log_sklearn(model, signature=infer_signature(X.values), input_example=X.values[:1])",
        "input-example",
        {"instances": [[1.0, 90.0]]},
        [pytest.approx(91.0)],
    ),
    "named-tensors-example": (
        "t = {'p': np.array([[1.5]], dtype='float32'), 'q': np.array([[2]])}\n"
        "log(lambda t: t['p'] + t['q'], signature=infer_signature(t), input_example=t)",
        "input-example",
        {"instances": {"p": [[1.5]], "q": [[2]]}},
        [[3.5]],
    ),
    "records": (
        "log(lambda f: pd.DataFrame({'sum': f.a + f.b, 'gap': [float('nan')] * len(f)}),"
        " signature=infer_signature(X), input_example=X.head(1))",
        "input-example",
        {"dataframe_split": {"columns": ["b", "a"], "data": [[1.0, 90.0]]}},
        [{"sum": 91.0, "gap": None}],
    ),
    "one-column-frame": (
        "log(lambda f: pd.DataFrame({'sum': f.a + f.b}), signature=infer_signature(X), input_example=X.head(1))",
        "input-example",
        {"dataframe_split": {"columns": ["b", "a"], "data": [[1.0, 90.0]]}},
        [91.0],
    ),
    "many-rows": (
        "log(lambda f: f.a, signature=infer_signature(X), input_example=pd.concat([X] * 20))",
        "input-example",
        None,
        [90.0, 80.0, 20.0, 30.0] * 5,
    ),
    "types": (
        "s = Schema([ColSpec(t, t) for t in ('double', 'float', 'long', 'integer', 'boolean', 'string',"
        " 'datetime')])\n"
        "log(lambda f: [str(t) for t in f.dtypes[:5]] + ['x'] * (len(f) - 5), signature=ModelSignature(s))",
        "signature",
        None,
        ["float64", "float32", "int64", "int32", "bool", "x", "x", "x"],
    ),
    "tensor": (
        "s = Schema([TensorSpec(np.dtype('float32'), (-1, 2, 2))])\n"
        "log(lambda t: t.reshape(len(t), -1)[:, 0] * 0, signature=ModelSignature(s))",
        "signature",
        None,
        [0.0] * 8,
    ),
    "unnamed-columns": (
        "s = Schema([ColSpec('double'), ColSpec('double')])\n"
        "log(lambda f: [f.shape[1]] * len(f), signature=ModelSignature(s))",
        "signature",
        None,
        [2] * 8,
    ),
    "feature-names": ("log_sklearn(model)", "features", None, None),
    "feature-count": ("log_sklearn(LogisticRegression().fit(X.values, y))", "features", None, None),
}


# What MLflow 2 does otherwise; all else is the same code.
OLD = ("array-example", "feature-count", "mixed-example", "named-tensors-example", "types")


@pytest.mark.parametrize(
    ("mlflow", "case"),
    [("mlflow3", case) for case in SOURCES] + [("mlflow2", case) for case in OLD],
    indirect=["mlflow"],
)
def test_rows_come_from(shop: Workshop, case: str) -> None:
    script, source, request, predictions = SOURCES[case]
    shop.trained(HEAD + script)
    said = shop.collected()["golden"]
    golden = shop.golden()
    assert golden["source"] == said["source"] == source, said
    assert golden["deterministic"] is said["deterministic"] is True
    assert said["reason"] is None
    assert said["rows"] <= 20
    if request is not None:
        assert golden["request"] == request
    if predictions is not None:
        assert golden["predictions"] == predictions
    if case == "feature-names":
        assert golden["request"]["dataframe_split"]["columns"] == ["b", "a"]
    if case == "feature-count":
        assert len(golden["request"]["instances"][0]) == 2


def test_a_refused_source_is_passed_over(shop: Workshop) -> None:
    shop.trained(
        HEAD
        + """
def picky(f):
    if not set(f.plan) <= {"basic", "gold"}:
        raise ValueError("no such plan")
    return [1] * len(f)
log(picky, signature=ModelSignature(Schema([ColSpec("string", "plan")])))
"""
    )
    golden = shop.collected()["golden"]
    assert (golden["source"], golden["rows"]) == ("none", 0)
    assert golden["reason"].startswith("signature: ")
    assert "no such plan" in golden["reason"]
    written = shop.golden()
    assert (written["request"], written["predictions"]) == (None, None)


def test_nothing_to_go_by(shop: Workshop) -> None:
    shop.trained(HEAD + "log(lambda f: [1])")
    golden = shop.collected()["golden"]
    assert golden["source"] == "none"
    assert golden["reason"]


def test_a_model_of_chance_is_noticed(shop: Workshop) -> None:
    shop.trained(HEAD + "log(lambda f: np.random.rand(len(f)), signature=infer_signature(X))")
    assert shop.collected()["golden"]["deterministic"] is False
    assert shop.golden()["deterministic"] is False


def test_the_users_own_rows(shop: Workshop) -> None:
    shop.trained(SIGNED)
    file = shop.script_folder / "golden.json"
    file.write_text(json.dumps({"inputs": {"a": [90, 30], "b": [1, 60]}, "predictions": [1, 0]}))
    golden = shop.collected(golden_file=str(file))["golden"]
    assert (golden["source"], golden["rows"]) == ("file", 2)
    split = {"columns": ["b", "a"], "data": [[1, 90], [60, 30]]}
    assert shop.golden()["request"] == {"dataframe_split": split}
    assert shop.golden()["predictions"] == [1, 0]
    for text, why in (
        ('[{"a": "x", "b": 2}]', "a (double): 'x' is no number"),
        ("{", "line 1"),
        ("[NaN]", "null"),
    ):
        file.write_text(text)
        problem = shop.problem(golden_file=str(file))
        assert problem["kind"] == "golden-invalid"
        assert why in problem["error"]


def test_the_users_own_predictions(shop: Workshop) -> None:
    shop.trained(SIGNED)
    file = shop.script_folder / "golden.json"
    rows = [[1, 90]] * 30
    file.write_text(json.dumps({"instances": rows, "predictions": [1] * 30}))
    assert shop.collected(golden_file=str(file))["golden"]["rows"] == 20
    assert len(shop.golden()["predictions"]) == 20
    file.write_text(json.dumps({"instances": rows, "predictions": [1] * 29 + [0]}))
    problem = shop.problem(golden_file=str(file))
    assert (problem["kind"], problem["differing"]) == ("golden-mismatch", 1)
    assert problem["differences"] == [{"row": 29, "expected": 0, "predicted": 1}]


def test_what_the_model_itself_refuses_is_no_fault_of_the_file(shop: Workshop) -> None:
    shop.trained(HEAD + "def no(f): raise ValueError('not today')\nlog(no, signature=infer_signature(X))")
    file = shop.script_folder / "golden.json"
    file.write_text(json.dumps({"instances": [[1.0, 90.0]]}))
    problem = shop.problem(golden_file=str(file))
    assert problem["kind"] == "golden-refused"
    assert "not today" in problem["error"]
    file.write_text("[" * 100_000)
    assert shop.problem(golden_file=str(file))["kind"] == "golden-invalid"
