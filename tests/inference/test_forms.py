"""Every form of a prediction request, with its exact answer: the table in the documentation, row by row."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inference.requests import forms
from inference.requests.batch import Rules
from inference.schema import Column, Schema
from tests.inference.conftest import Serve

Error = tuple[int, str, str | None, int | None]
Check = Callable[[Any, Any, Any], None]
MESSAGES = Path(__file__).with_name("messages.json")


def error(status: int, code: str, column: str | None = None, row: int | None = None) -> Error:
    return status, code, column, row


INVALID = error(400, "invalid_form")

# A model with the columns a (double), b (long) and note (string, optional); an answer is 10 a + b.
TABLE: list[tuple[str, Any, list[float] | Error]] = [
    # an object whose values are all lists: columns
    ("inputs, columns", {"inputs": {"b": [2, 4], "a": [1, 3.5]}}, [12, 39]),
    ("instances, columns", {"instances": {"a": [1], "b": [2]}}, [12]),
    ("data, columns", {"data": {"a": [1, 1], "b": [2, 3]}}, [12, 13]),
    ("columns, unequal", {"inputs": {"a": [1, 2], "b": [2]}}, error(400, "unequal_lengths")),
    ("columns, one missing", {"inputs": {"a": [1, 2]}}, error(400, "missing_column", "b")),
    ("columns, empty", {"inputs": {"a": [], "b": []}}, error(400, "no_rows")),
    # all scalars: one row
    ("inputs, one row", {"inputs": {"a": 1, "b": 2}}, [12]),
    ("instances, one row", {"instances": {"b": 2, "a": 1}}, [12]),
    ("data, one row", {"data": {"a": 1, "b": 2, "note": "x"}}, [12]),
    ("one row, a column missing", {"inputs": {"a": 1}}, error(400, "missing_column", "b", 0)),
    # lists and scalars mixed
    ("inputs, mixed", {"inputs": {"a": [1], "b": 2}}, INVALID),
    ("instances, mixed", {"instances": {"a": 1, "b": [2]}}, INVALID),
    ("data, mixed", {"data": {"a": [1], "b": 2}}, INVALID),
    ("an empty object", {"inputs": {}}, INVALID),
    ("an object inside", {"inputs": {"a": {"x": 1}, "b": 2}}, error(400, "invalid_form", "a")),
    # a list of objects: records
    ("inputs, records", {"inputs": [{"a": 1, "b": 2}, {"b": 4, "a": 3}]}, [12, 34]),
    ("instances, records", {"instances": [{"a": 1, "b": 2}]}, [12]),
    ("data, records", {"data": [{"a": 1, "b": 2}]}, [12]),
    (
        "records, one without a column",
        {"instances": [{"a": 1, "b": 2}, {"a": 1}]},
        error(400, "missing_column", "b", 1),
    ),
    (
        "records, one without an optional",
        {"instances": [{"a": 1, "b": 2, "note": "x"}, {"a": 1, "b": 3}]},
        [12, 13],
    ),
    ("records, optional null", {"instances": [{"a": 1, "b": 2, "note": None}]}, [12]),
    ("records, unknown column left out", {"instances": [{"a": 1, "b": 2, "zzz": 5}]}, [12]),
    # a list of lists: rows by position
    ("inputs, rows", {"inputs": [[1, 2, "x"], [3, 4, None]]}, [12, 34]),
    ("instances, rows", {"instances": [[1, 2, "x"]]}, [12]),
    ("data, rows", {"data": [[1, 2, "x"]]}, [12]),
    ("rows, too narrow", {"instances": [[1, 2, "x"], [1, 2]]}, error(400, "wrong_width", None, 1)),
    ("rows, too wide", {"instances": [[1, 2, "x", 4]]}, error(400, "wrong_width", None, 0)),
    # a flat list
    ("inputs, flat", {"inputs": [1, 2, "x"]}, error(400, "wrong_width")),
    ("instances, flat", {"instances": [1, 2, "x"]}, error(400, "wrong_width")),
    ("data, flat", {"data": [1, 2, "x"]}, error(400, "wrong_width")),
    ("a list, mixed", {"instances": [[1, 2, "x"], {"a": 1, "b": 2}]}, INVALID),
    ("a list, lists and scalars", {"instances": [[1, 2, "x"], 3]}, INVALID),
    ("an empty list", {"instances": []}, error(400, "no_rows")),
    ("a scalar", {"instances": 3}, INVALID),
    ("null", {"inputs": None}, INVALID),
    # the Open Inference Protocol, sent here
    ("V2", {"inputs": [{"name": "a", "shape": [1], "datatype": "FP64", "data": [1]}], "id": "x"}, INVALID),
    # data with columns: as dataframe_split
    ("data with columns", {"data": [[2, 1], [4, 3]], "columns": ["b", "a"]}, [12, 34]),
    ("data with columns and index", {"data": [[2, 1]], "columns": ["b", "a"], "index": [7]}, [12]),
    ("data with index", {"data": [[1, 2, "x"]], "index": [7]}, [12]),
    ("data with columns, objects", {"data": [{"a": 1, "b": 2}], "columns": ["a", "b"]}, INVALID),
    ("columns beside instances", {"instances": [[2, 1]], "columns": ["b", "a"]}, error(400, "unknown_key")),
    # dataframe_split
    ("split", {"dataframe_split": {"columns": ["b", "a"], "data": [[2, 1], [4, 3]]}}, [12, 34]),
    ("split with index", {"dataframe_split": {"index": ["i"], "columns": ["b", "a"], "data": [[2, 1]]}}, [12]),
    ("split by position", {"dataframe_split": {"data": [[1, 2, "x"]]}}, [12]),
    (
        "split, duplicate",
        {"dataframe_split": {"columns": ["a", "b", "a"], "data": [[1, 2, 3]]}},
        error(400, "duplicate_column", "a"),
    ),
    (
        "split, ragged",
        {"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2], [1]]}},
        error(400, "wrong_width", None, 1),
    ),
    (
        "split, column missing",
        {"dataframe_split": {"columns": ["a"], "data": [[1]]}},
        error(400, "missing_column", "b"),
    ),
    ("split, unknown left out", {"dataframe_split": {"columns": ["a", "b", "z"], "data": [[1, 2, 3]]}}, [12]),
    ("split, unknown key", {"dataframe_split": {"data": [[1, 2, "x"]], "rows": 1}}, INVALID),
    ("split without data", {"dataframe_split": {"columns": ["a", "b"]}}, INVALID),
    ("split, columns no list", {"dataframe_split": {"columns": "ab", "data": [[1, 2]]}}, INVALID),
    ("split, flat data", {"dataframe_split": {"columns": ["a", "b"], "data": [1, 2]}}, INVALID),
    ("split, a list", {"dataframe_split": [[1, 2]]}, INVALID),
    ("split, no rows", {"dataframe_split": {"columns": ["a", "b"], "data": []}}, error(400, "no_rows")),
    # dataframe_records
    ("records", {"dataframe_records": [{"a": 1, "b": 2}, {"b": 4, "a": 3}]}, [12, 34]),
    ("records, a list inside", {"dataframe_records": [{"a": 1, "b": 2}, [1, 2]]}, INVALID),
    ("records, rows", {"dataframe_records": [[1, 2, "x"]]}, INVALID),
    ("records, an object", {"dataframe_records": {"a": [1], "b": [2]}}, INVALID),
    # a list of objects at the top
    ("top list", [{"a": 1, "b": 2}, {"b": 4, "a": 3}], [12, 34]),
    ("top list, one without a column", [{"a": 1, "b": 2}, {"b": 4}], error(400, "missing_column", "a", 1)),
    ("top list of lists", [[1, 2, "x"]], INVALID),
    ("top list, empty", [], error(400, "no_rows")),
    # a bare object
    ("bare record", {"a": 1, "b": 2}, [12]),
    ("bare record, unknown left out", {"a": 1, "b": 2, "zzz": 3}, [12]),
    ("bare record, column missing", {"a": 1}, error(400, "missing_column", "b", 0)),
    ("bare record, lists", {"a": [1], "b": [2]}, error(400, "invalid_form", "a")),
    ("bare record, empty", {}, error(400, "missing_column", "a", 0)),
    ("bare record with an option", {"a": 1, "b": 2, "model_version": "1.2.3"}, [12]),
    ("a scalar at the top", 3, INVALID),
    ("null at the top", None, INVALID),
    # top-level keys
    ("two envelopes", {"inputs": [[1, 2, "x"]], "instances": [[1, 2, "x"]]}, error(400, "ambiguous_form")),
    ("an unknown sibling", {"inputs": [[1, 2, "x"]], "zzz": 1}, error(400, "unknown_key")),
    ("a column as a sibling", {"inputs": [[1, 2, "x"]], "a": 1}, error(400, "unknown_key")),
    ("version served", {"instances": [[1, 2, "x"]], "model_version": "1.2.3"}, [12]),
    ("version latest", {"instances": [[1, 2, "x"]], "model_version": "latest"}, [12]),
    ("another version", {"instances": [[1, 2, "x"]], "model_version": "1.2.4"}, error(409, "version_mismatch")),
    ("version no string", {"instances": [[1, 2, "x"]], "model_version": 1}, error(400, "invalid_option")),
    ("params", {"instances": [[1, 2, "x"]], "params": {}}, [12]),
    ("params no object", {"instances": [[1, 2, "x"]], "params": [1]}, error(400, "invalid_option")),
    (
        "probabilities of a regressor",
        {"instances": [[1, 2, "x"]], "return_probabilities": True},
        error(400, "no_probabilities"),
    ),
    (
        "probabilities no boolean",
        {"instances": [[1, 2, "x"]], "return_probabilities": 1},
        error(400, "invalid_option"),
    ),
    # values
    ("whole numbers fit a double", {"instances": [{"a": 1, "b": 2}]}, [12]),
    ("a whole float fits a long", {"instances": [{"a": 1, "b": 2.0}]}, [12]),
    ("null in a double is a gap", {"instances": [{"a": 1, "b": 2}, {"a": None, "b": 2}]}, [12, None]),
    (
        "null in a required long",
        {"instances": [{"a": 1, "b": 2}, {"a": 1, "b": None}]},
        error(400, "missing_value", "b", 1),
    ),
    ("a fraction in a long", {"inputs": {"a": [1, 1], "b": [2, 2.5]}}, error(400, "wrong_type", "b", 1)),
    ("over 64 bits", {"inputs": {"a": [1], "b": [2**63]}}, error(400, "out_of_range", "b", 0)),
    ("a boolean for a number", {"inputs": {"a": [1, True], "b": [2, 2]}}, error(400, "wrong_type", "a", 1)),
    ("a string for a number", {"inputs": {"a": ["1"], "b": [2]}}, error(400, "wrong_type", "a", 0)),
    ("a number for a string", {"inputs": {"a": [1], "b": [2], "note": [3]}}, error(400, "wrong_type", "note", 0)),
    ("a list for a number", {"instances": [{"a": [1], "b": 2}]}, error(400, "wrong_type", "a", 0)),
    ("an object for a number", {"instances": [[{"a": 1}, 2, "x"]]}, error(400, "wrong_type", "a", 0)),
]


@pytest.fixture
def check(request: pytest.FixtureRequest) -> Check:
    """Compares an answer byte for byte; the messages of errors are those in messages.json, by the test's name."""
    golden = bool(request.config.getoption("--update-golden"))

    def compare(client: Any, body: Any, expected: Any) -> None:
        answer = client.post("/predict", content=json.dumps(body))
        assert answer.headers["Content-Type"] == "application/json"
        if isinstance(expected, tuple):
            status, code, column, row = expected
            said = answer.json()["error"]["message"]
            if code == "refused_by_model":  # the rest is in the words of the library's version
                assert said.startswith("the model refuses this input: ")
            elif golden:
                keep(request.node.name, said)
            message = said if code == "refused_by_model" else json.loads(MESSAGES.read_text())[request.node.name]
            assert column is None or repr(column) in message, "a message names the column"
            wanted: Any = {"error": {"code": code, "message": message, "column": column, "row": row}}
        else:
            wanted, status = {"predictions": [*map(number, expected)], "model_version": "1.2.3"}, 200
        text = json.dumps(wanted, separators=(",", ":"), ensure_ascii=False)
        assert (answer.status_code, answer.content.decode()) == (status, text)

    return compare


def keep(name: str, message: str) -> None:
    messages = json.loads(MESSAGES.read_text()) if MESSAGES.exists() else {}
    text = json.dumps({**messages, name: message}, indent=1, sort_keys=True, ensure_ascii=False)
    MESSAGES.write_text(text + "\n")


def number(value: Any) -> Any:
    """The models of the tables answer with floats."""
    return float(value) if isinstance(value, int) else value


@pytest.mark.parametrize(("body", "expected"), [case[1:] for case in TABLE], ids=[case[0] for case in TABLE])
def test_table(client: Serve, check: Check, body: Any, expected: Any) -> None:
    check(client("orders"), body, expected)


FEATURES: list[tuple[str, Any, Any]] = [
    ("list", {"features": [1, 2, "x"]}, 12.0),
    ("object", {"features": {"b": 2, "a": 1}}, 12.0),
    ("too narrow", {"features": [1, 2]}, error(400, "wrong_width", None, 0)),
    ("nested", {"features": [[1, 2, "x"]]}, INVALID),
    ("a list in an object", {"features": {"a": [1], "b": [2]}}, error(400, "invalid_form", "a")),
    ("an object in a list", {"features": [{"a": 1, "b": 2}]}, INVALID),
    ("a scalar", {"features": 1}, INVALID),
    ("empty", {"features": []}, error(400, "wrong_width", None, 0)),
    (
        "probabilities of a regressor",
        {"features": [1, 2, "x"], "return_probabilities": True},
        (400, "no_probabilities", None, None),
    ),
]


@pytest.mark.parametrize(("body", "expected"), [case[1:] for case in FEATURES], ids=[case[0] for case in FEATURES])
def test_features(client: Serve, check: Check, body: Any, expected: Any) -> None:
    if isinstance(expected, tuple):
        check(client("orders"), body, expected)
        return
    answer = client("orders").post("/predict", json=body).json()
    assert answer.pop("latency_ms") > 0
    assert answer == {"prediction": expected, "probability": None, "model_version": "1.2.3"}


def test_features_of_a_classifier_come_with_the_probability(client: Serve) -> None:
    answer = client("labels").post("/predict", json={"features": [1, 0]}).json()
    del answer["latency_ms"]
    assert answer == {"prediction": "yes", "probability": 1.0, "model_version": "1.2.3"}


def test_features_with_probabilities(client: Serve) -> None:
    answer = client("labels").post("/predict", json={"features": [1, 0], "return_probabilities": True}).json()
    assert answer["probabilities"] == [0.0, 1.0]
    assert answer["classes"] == ["no", "yes"]


def test_probabilities(client: Serve) -> None:
    body = {"instances": [{"b": 0, "a": 1}, {"a": 0, "b": 1}], "return_probabilities": True}
    assert client("labels").post("/predict", json=body).json() == {
        "predictions": ["yes", "no"],
        "probabilities": [[0.0, 1.0], [1.0, 0.0]],
        "classes": ["no", "yes"],
        "model_version": "1.2.3",
    }


def test_bare_record_with_probabilities(client: Serve) -> None:
    body = {"a": 1, "b": 0, "return_probabilities": True}
    assert client("labels").post("/predict", json=body).json()["classes"] == ["no", "yes"]


ONE_COLUMN: list[tuple[str, str, Any, Any]] = [
    ("inputs, flat", "one-column", {"inputs": [1, 2.5]}, [1, 2.5]),
    ("instances, flat", "one-column", {"instances": [1, 2]}, [1, 2]),
    ("data, flat", "one-column", {"data": [1, None]}, [1, None]),
    ("features is one row", "one-column", {"features": [1, 2]}, error(400, "wrong_width", None, 0)),
    ("a name", "one-column", {"x": 3}, [3]),
    ("unnamed, flat", "unnamed", {"inputs": [1, 2]}, [1, 2]),
    ("unnamed, rows", "unnamed", {"inputs": [[1], [2]]}, [1, 2]),
    ("unnamed, object", "unnamed", {"inputs": {"0": [1]}}, error(400, "no_column_names")),
    ("unnamed, bare record", "unnamed", {"x": 1}, error(400, "no_column_names")),
    ("numbered columns", "numbered", {"instances": [{"1": 2, "0": 1}]}, [12]),
    ("numbered columns, split", "numbered", {"dataframe_split": {"columns": [1, 0], "data": [[2, 1]]}}, [12]),
]


@pytest.mark.parametrize(
    ("model", "body", "expected"), [case[1:] for case in ONE_COLUMN], ids=[c[0] for c in ONE_COLUMN]
)
def test_one_column(client: Serve, check: Check, model: str, body: Any, expected: Any) -> None:
    check(client(model), body, expected)


# A model with the columns `data` and `age`.
ENVELOPE: list[tuple[str, Any, Any]] = [
    ("bare record", {"data": 1, "age": 2}, error(400, "unknown_key")),
    ("bare record without the column", {"age": 2}, INVALID),
    ("instances", {"instances": [{"data": 1, "age": 2}]}, [12]),
    ("columns", {"inputs": {"data": [1], "age": [2]}}, [12]),
    ("top list", [{"data": 1, "age": 2}], [12]),
]


@pytest.mark.parametrize(("body", "expected"), [case[1:] for case in ENVELOPE], ids=[case[0] for case in ENVELOPE])
def test_a_column_named_like_an_envelope(client: Serve, check: Check, body: Any, expected: Any) -> None:
    check(client("envelope"), body, expected)
    if isinstance(expected, tuple):
        assert "`instances`" in client("envelope").post("/predict", json=body).json()["error"]["message"]


TENSORS: list[tuple[str, str, Any, Any]] = [
    ("inputs", "tensor", {"inputs": [[1, 2], [3, 4]]}, [12, 34]),
    ("instances", "tensor", {"instances": [[1, 2]]}, [12]),
    ("a gap", "tensor", {"instances": [[1, None]]}, [None]),
    ("wrong width", "tensor", {"instances": [[1, 2, 3]]}, error(400, "wrong_shape", "input")),
    ("ragged", "tensor", {"instances": [[1, 2], [1]]}, error(400, "wrong_shape", "input")),
    ("flat", "tensor", {"instances": [1, 2]}, error(400, "wrong_shape", "input")),
    ("too deep", "tensor", {"instances": [[[1], [2]]]}, error(400, "wrong_type", "input", 0)),
    ("empty", "tensor", {"instances": []}, error(400, "wrong_shape", "input")),
    ("a string", "tensor", {"instances": [[1, 2], [1, "x"]]}, error(400, "wrong_type", "input", 1)),
    ("a boolean", "tensor", {"instances": [[1, True]]}, error(400, "wrong_type", "input", 0)),
    ("an object", "tensor", {"inputs": {"x": [[1, 2]]}}, INVALID),
    ("data", "tensor", {"data": [[1, 2]]}, INVALID),
    ("features", "tensor", {"features": [1, 2]}, INVALID),
    ("dataframe_split", "tensor", {"dataframe_split": {"data": [[1, 2]]}}, INVALID),
    ("dataframe_records", "tensor", {"dataframe_records": [{"a": 1}]}, INVALID),
    ("bare record", "tensor", {"a": 1, "b": 2}, INVALID),
    ("top list", "tensor", [{"a": 1, "b": 2}], INVALID),
    ("a scalar", "tensor", {"inputs": 1}, INVALID),
    ("named", "tensors", {"inputs": {"y": [5, 6], "x": [[1, 2], [3, 4]]}}, [8, 13]),
    ("named, instances", "tensors", {"instances": {"x": [[1, 2]], "y": [5]}}, [8]),
    ("named, one missing", "tensors", {"inputs": {"x": [[1, 2]]}}, error(400, "missing_column", "y")),
    ("named, unequal", "tensors", {"inputs": {"x": [[1, 2]], "y": [1, 2]}}, error(400, "unequal_lengths")),
    ("named, a list", "tensors", {"inputs": [[1, 2]]}, INVALID),
    ("named, a fraction", "tensors", {"inputs": {"x": [[1, 2]], "y": [1.5]}}, error(400, "wrong_type", "y", 0)),
    ("named, null", "tensors", {"inputs": {"x": [[1, 2]], "y": [None]}}, error(400, "missing_value", "y", 0)),
]


@pytest.mark.parametrize(
    ("model", "body", "expected"), [case[1:] for case in TENSORS], ids=[c[0] for c in TENSORS]
)
def test_tensors(client: Serve, check: Check, model: str, body: Any, expected: Any) -> None:
    check(client(model), body, expected)


NO_SIGNATURE: list[tuple[str, str, Any, Any]] = [
    ("names, records", "names-only", {"instances": [{"b": 0, "a": 1}]}, ["yes"]),
    ("names, rows", "names-only", {"instances": [[1, 0], [0, 1]]}, ["yes", "no"]),
    ("names, bare", "names-only", {"b": 1, "a": 0}, ["no"]),
    ("names, missing", "names-only", {"instances": [{"a": 1}]}, error(400, "missing_column", "b", 0)),
    ("names, width", "names-only", {"instances": [[1]]}, error(400, "wrong_width", None, 0)),
    ("bare arrays, rows", "bare", {"instances": [[1, 0], [0, 1]]}, ["yes", "no"]),
    ("bare arrays, features", "bare", {"instances": [[1, 0]]}, ["yes"]),
    ("bare arrays, width", "bare", {"instances": [[1, 0, 0]]}, error(400, "wrong_width", None, 0)),
    ("bare arrays, flat", "bare", {"instances": [1, 0]}, error(400, "wrong_width")),
    ("bare arrays, nested", "bare", {"instances": [[1, [0]]]}, error(400, "wrong_type", None, 0)),
    ("bare arrays, records", "bare", {"instances": [{"a": 1, "b": 0}]}, error(400, "no_column_names")),
    ("bare arrays, columns", "bare", {"inputs": {"a": [1], "b": [0]}}, error(400, "no_column_names")),
    ("bare arrays, one row", "bare", {"inputs": {"a": 1, "b": 0}}, error(400, "no_column_names")),
    ("bare arrays, bare record", "bare", {"a": 1, "b": 0}, error(400, "no_column_names")),
    ("bare arrays, top list", "bare", [{"a": 1, "b": 0}], error(400, "no_column_names")),
    ("bare arrays, features object", "bare", {"features": {"a": 1, "b": 0}}, error(400, "no_column_names")),
    ("bare arrays, split rows", "bare", {"dataframe_split": {"data": [[1, 0]]}}, ["yes"]),
    ("bare arrays, split numbered", "bare", {"dataframe_split": {"columns": [0, 1], "data": [[1, 0]]}}, ["yes"]),
    (
        "bare arrays, split named",
        "bare",
        {"dataframe_split": {"columns": ["a", "b"], "data": [[1, 0]]}},
        error(400, "no_column_names"),
    ),
    ("nothing known, rows", "unknown", {"instances": [[1, 2], [3, 4]]}, [12, 34]),
    ("nothing known, ragged", "unknown", {"instances": [[1, 2], [3]]}, error(400, "wrong_width", None, 1)),
    ("nothing known, flat", "unknown", {"instances": [1, 2]}, error(400, "wrong_width")),
    ("nothing known, records", "unknown", {"instances": [{"a": 1}]}, error(400, "no_column_names")),
    ("words", "words", {"instances": [{"n": 0, "colour": "red"}]}, ["r"]),
    ("words, none that the model knows", "words", {"colour": "green", "n": 0}, error(400, "refused_by_model")),
    ("words, a number", "words", {"colour": 3, "n": 0}, error(400, "refused_by_model")),
    ("words, a gap", "words", {"colour": "red", "n": None}, error(400, "refused_by_model")),
]


@pytest.mark.parametrize(
    ("model", "body", "expected"), [case[1:] for case in NO_SIGNATURE], ids=[case[0] for case in NO_SIGNATURE]
)
def test_without_a_signature(client: Serve, check: Check, model: str, body: Any, expected: Any) -> None:
    check(client(model), body, expected)


def test_objects_for_a_model_without_names_are_told_to_be_rows(client: Serve) -> None:
    answer = client("bare").post("/predict", json={"instances": [{"a": 1, "b": 0}]})
    assert answer.json()["error"]["message"] == "this model has no column names; send rows"


def test_a_v2_body_is_sent_to_its_address(client: Serve) -> None:
    body = {"inputs": [{"name": "a", "shape": [1], "datatype": "FP64", "data": [1]}]}
    assert "/v2/models/shop/infer" in client("orders").post("/predict", json=body).json()["error"]["message"]


STRICT: list[tuple[str, Any, Any]] = [
    ("records", {"instances": [{"a": 1, "b": 2}, {"a": 1, "b": 2, "z": 3}]}, error(400, "unknown_column", "z", 1)),
    ("columns", {"inputs": {"a": [1], "b": [2], "z": [3]}}, error(400, "unknown_column", "z")),
    ("bare record", {"a": 1, "b": 2, "z": 3}, error(400, "unknown_column", "z", 0)),
    ("all known", {"a": 1, "b": 2, "note": "x"}, [12]),
]


@pytest.mark.parametrize(("body", "expected"), [case[1:] for case in STRICT], ids=[case[0] for case in STRICT])
def test_strict(client: Serve, check: Check, body: Any, expected: Any) -> None:
    check(client("orders", strict=True), body, expected)


def test_gaps_in_optional_whole_numbers(client: Serve, check: Check) -> None:
    check(
        client("gaps-in-integers"),
        {"instances": [{"a": 1, "b": 2}, {"a": 1, "b": None}, {"a": 1}]},
        [12, None, None],
    )


def test_a_value_that_the_model_refuses(client: Serve) -> None:
    for model in ("linear", "custom-gaps"):
        answer = client(model).post("/predict", json={"instances": [[None, 1]]})
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "refused_by_model"
        assert "Input X contains NaN" in answer.json()["error"]["message"]


def test_too_many_rows(client: Serve) -> None:
    small = client("orders", max_rows=2)
    assert small.post("/predict", json={"instances": [[1, 2, "x"]] * 2}).status_code == 200
    answer = small.post("/predict", json={"instances": [[1, 2, "x"]] * 3})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_many_rows")


def test_columns_named_as_in_the_open_inference_protocol() -> None:
    names = ("name", "shape", "datatype", "data")
    schema = Schema(columns=tuple(Column(name, name, "double") for name in names), width=4)
    found = forms.read({"inputs": [dict.fromkeys(names, 1)]}, schema, Rules(version="1"))
    assert found.batch.rows == 1
