"""Kinds of models: what they take, what they return, and how that looks as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest

from inference.requests import forms
from inference.requests.batch import Rules
from inference.requests.tables import Table
from inference.schema import Column, Schema
from tests.inference.conftest import Serve
from tests.inference.models import CORNERS

ROWS = CORNERS.to_numpy().tolist()
Saved = Callable[[str], Path]


def ask(client: Any, body: Any) -> Any:
    answer = client.post("/predict", content=json.dumps(body))
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("model", "predictions", "classes"),
    [
        ("labels", ["no", "no", "yes", "yes"], ["no", "yes"]),
        ("integers", [0, 0, 1, 1], [0, 1]),
        ("booleans", [False, False, True, True], [False, True]),
    ],
)
def test_labels_keep_their_type(client: Serve, model: str, predictions: Any, classes: Any) -> None:
    answer = ask(client(model), {"instances": ROWS, "return_probabilities": True})
    assert answer["predictions"] == predictions
    assert answer["classes"] == classes
    assert [type(label) for label in answer["classes"]] == [type(label) for label in classes]
    assert answer["probabilities"] == [[1.0, 0.0]] * 2 + [[0.0, 1.0]] * 2


def test_features_of_boolean_and_integer_labels(client: Serve) -> None:
    assert ask(client("booleans"), {"features": [1, 0]})["prediction"] is True
    assert ask(client("integers"), {"features": [0, 0]})["probability"] == 1.0


def test_several_outputs(client: Serve) -> None:
    answer = ask(client("two-outputs"), {"instances": [[1, 0], [0, 1]], "return_probabilities": True})
    assert answer["predictions"] == [["yes", "x"], ["no", "y"]]
    assert answer["classes"] == [["no", "yes"], ["x", "y"]]
    assert answer["probabilities"] == [[[0.0, 1.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]]
    single = ask(client("two-outputs"), {"features": [1, 0]})
    assert (single["prediction"], single["probability"]) == (["yes", "x"], None)
    assert ask(client("two-numbers"), {"instances": [[1, 0]]})["predictions"] == [[2.0, 0.0]]


@pytest.mark.parametrize("model", ["labels", "integers", "linear", "two-outputs", "xgboost", "names-only"])
def test_predictions_are_those_of_pyfunc(client: Serve, saved: Saved, model: str) -> None:
    expected = mlflow.pyfunc.load_model(str(saved(model))).predict(CORNERS)
    assert ask(client(model), {"instances": ROWS})["predictions"] == np.asarray(expected).tolist()


@pytest.mark.parametrize("model", ["xgboost", "xgboost-names", "lightgbm-names"])
def test_boosted_classifiers_give_probabilities(client: Serve, saved: Saved, model: str) -> None:
    body = {"instances": [{"b": b, "a": a} for a, b in ROWS], "return_probabilities": True}
    answer = ask(client(model), body)
    raw = mlflow.pyfunc.load_model(str(saved(model))).get_raw_model()
    assert answer["predictions"] == raw.predict(CORNERS).tolist()
    assert answer["classes"] == raw.classes_.tolist()
    assert np.allclose(answer["probabilities"], raw.predict_proba(CORNERS), rtol=1e-6)


def test_native_boosters_know_their_columns_but_no_probabilities(client: Serve) -> None:
    served = client("xgboost-native")
    by_name = ask(served, {"instances": [{"b": b, "a": a} for a, b in ROWS]})
    assert by_name == ask(served, {"instances": ROWS})
    refused = served.post("/predict", json={"instances": ROWS, "return_probabilities": True})
    assert refused.json()["error"]["code"] == "no_probabilities"
    assert [column["name"] for column in client("lightgbm-native").get("/model/info").json()["columns"]] == [
        "a",
        "b",
    ]


def test_lightgbm_on_bare_arrays_has_no_names(client: Serve) -> None:
    served = client("lightgbm-bare")
    info = served.get("/model/info").json()
    assert (info["columns"], info["width"]) == ([], 2)
    assert ask(served, {"instances": [[1, 0]]})["predictions"] == ["yes"]
    assert (
        served.post("/predict", json={"Column_0": 1, "Column_1": 0}).json()["error"]["code"] == "no_column_names"
    )


@pytest.mark.parametrize(
    ("mood", "expected"),
    [
        ("frame", [{"label": "x", "score": None}]),
        ("series", [1.5]),
        ("dates", ["2024-01-31T12:00:00.000000", None]),
        ("mapping", {"a": [1, 2], "b": ["x", "y"]}),
        ("numpy", [1, 0.5, "x", True, None, None]),
        ("timestamp", ["2024-01-31T00:00:00", None, None, "YWI=", [1, 2], [1, 2]]),
        ("text", "only text"),
    ],
)
def test_whatever_a_model_returns(client: Serve, mood: str, expected: Any) -> None:
    assert ask(client("moody"), {"mood": mood})["predictions"] == expected


def test_features_of_a_frame(client: Serve) -> None:
    assert ask(client("moody"), {"features": {"mood": "frame"}})["prediction"] == {"label": "x", "score": None}


@pytest.mark.parametrize("mood", ["break", "value", "strange", "exit"])
def test_a_bug_in_a_model_reveals_nothing(client: Serve, mood: str) -> None:
    answer = client("moody").post("/predict", json={"mood": mood}, headers={"X-Request-ID": "find-me"})
    assert answer.status_code == 500
    assert answer.json()["request_id"] == answer.headers["X-Request-ID"] == "find-me"
    assert answer.json()["error"]["code"] == "internal_error"
    assert "secret" not in answer.text
    assert "find-me" in answer.json()["error"]["message"]
    assert ask(client("moody"), {"mood": "well again"})["predictions"] == ["well again"]


def test_params_reach_the_model(client: Serve) -> None:
    served = client("moody")
    assert ask(served, {"instances": [["params"]], "params": {"t": 2.5}})["predictions"] == [
        {"t": 2.5, "name": "x"}
    ]
    wrong = served.post("/predict", json={"instances": [["params"]], "params": {"t": "hot"}})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "refused_by_model")


VALUES: list[tuple[str, Any, str]] = [
    ("boolean", True, "True"),
    ("integer", 2**31 - 1, "2147483647"),
    ("integer", 5.0, "5"),
    ("long", -(2**63), "-9223372036854775808"),
    ("double", 3, "3.0"),
    ("double", None, "nan"),
    ("float", 0.5, "0.5"),
    ("string", "x", "'x'"),
    ("string", "", "''"),
    ("binary", "aGk=", "b'hi'"),
    ("datetime", "2024-01-31", "Timestamp('2024-01-31 00:00:00')"),
    ("datetime", "2024-01-31T12:00:00Z", "Timestamp('2024-01-31 12:00:00')"),
    ("datetime", "2024-01-31 12:00:00.5+02:00", "Timestamp('2024-01-31 10:00:00.500000')"),
    ("datetime", "2262-04-11T12:00:00+23:00", "Timestamp('2262-04-10 13:00:00')"),
    ("array", [1.0, 2.0], "[1.0, 2.0]"),
    ("object", {"k": 1}, "{'k': 1}"),
    ("map", {"x": 1, "y": 2}, "{'x': 1, 'y': 2}"),
    ("any", {"x": [1, None]}, "{'x': [1, None]}"),
]


@pytest.mark.parametrize(("column", "value", "shown"), VALUES)
def test_values_of_each_type(client: Serve, column: str, value: Any, shown: str) -> None:
    found = ask(client("types"), {"dataframe_records": [{column: value}]})["predictions"][0][column]
    assert found.removeprefix("np.float64(").removesuffix(")") == shown or found == shown


WRONG_VALUES: list[tuple[str, Any, str]] = [
    ("boolean", 1, "wrong_type"),
    ("boolean", "true", "wrong_type"),
    ("integer", 2**31, "out_of_range"),
    ("integer", True, "wrong_type"),
    ("long", 2**63, "out_of_range"),
    ("long", float(2**63), "out_of_range"),
    ("long", -(2**63) - 1, "out_of_range"),
    ("long", 1e300, "out_of_range"),
    ("long", 0.5, "wrong_type"),
    ("float", 1e300, "out_of_range"),
    ("double", "1", "wrong_type"),
    ("double", False, "wrong_type"),
    ("string", 1, "wrong_type"),
    ("binary", "not base64!", "wrong_type"),
    ("binary", 1, "wrong_type"),
    ("datetime", "yesterday", "wrong_type"),
    ("datetime", "2024-02-30", "wrong_type"),
    ("datetime", "2024-01-31T25:00", "wrong_type"),
    ("datetime", "2024-01-31T12:00+99:00", "wrong_type"),
    ("datetime", "0001-01-01", "out_of_range"),
    ("datetime", "1677-09-22T00:00:00+23:59", "out_of_range"),
    ("datetime", "2262-04-11T00:00:00-23:59", "out_of_range"),
    ("datetime", 1706659200, "wrong_type"),
    ("array", "x", "wrong_type"),
    ("array", [1, "x"], "wrong_type"),
    ("array", [1, None], "missing_value"),
    ("array", [[1]], "wrong_type"),
    ("object", {"k": "x"}, "wrong_type"),
    ("object", {}, "missing_value"),
    ("object", {"k": 1, "z": 1}, "unknown_column"),
    ("object", [1], "wrong_type"),
    ("map", {"x": "1"}, "wrong_type"),
    ("map", 1, "wrong_type"),
]


@pytest.mark.parametrize(("column", "value", "code"), WRONG_VALUES)
def test_wrong_values_of_each_type(client: Serve, column: str, value: Any, code: str) -> None:
    answer = client("types").post("/predict", json={"dataframe_records": [{}, {column: value}]})
    found = answer.json()["error"]
    assert (answer.status_code, found["code"]) == (400, code)
    assert (found["column"], found["row"]) == (column, 1)


def test_a_gap_in_every_optional_column(client: Serve) -> None:
    row = ask(client("types"), {"dataframe_records": [{"boolean": True, "long": 1}, {}]})["predictions"][1]
    assert row["boolean"] == "None"
    assert row["datetime"] == "NaT"


def test_many_columns_and_rows(client: Serve) -> None:
    body = {"dataframe_split": {"columns": ["b", "a"], "data": [[n, 1] for n in range(5000)]}}
    assert ask(client("orders"), body)["predictions"] == [10.0 + n for n in range(5000)]


def test_a_frame_as_pandas_writes_it(client: Serve) -> None:
    frame = pd.DataFrame({"b": [2, 3], "a": [1.5, math.nan]})
    body = f'{{"dataframe_split": {frame.to_json(orient="split")}}}'
    answer = client("orders").post("/predict", content=body)
    assert answer.json()["predictions"] == [17.0, None]


@pytest.mark.parametrize("value", [2**53 - 1, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)])
def test_whole_numbers_reach_the_model_exactly(value: int) -> None:
    schema = Schema(columns=(Column("n", "n", "long"),), width=1)
    for body in ({"instances": [[value]]}, {"n": value}, {"inputs": {"n": [value, 0]}}):
        table = forms.read(body, schema, Rules(version="1")).batch
        assert isinstance(table, Table)
        assert table.columns["n"].tolist()[0] == value
