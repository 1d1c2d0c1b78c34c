"""The Open Inference Protocol V2, and MLflow's scoring protocol."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

from inference import __version__
from tests.inference.conftest import Serve

INFER = "/v2/models/shop/infer"


def tensor(name: str, data: list[Any], datatype: str = "FP64", shape: list[int] | None = None) -> dict[str, Any]:
    return {"name": name, "shape": shape or [len(data)], "datatype": datatype, "data": data}


def test_server_and_health(client: Serve) -> None:
    served = client("labels")
    assert served.get("/v2").json() == {
        "name": "tagship",
        "version": __version__,
        "extensions": ["binary_tensor_data"],
    }
    assert served.get("/v2/health/live").json() == {"live": True}
    assert served.get("/v2/health/ready").json() == {"ready": True}
    for path in ("/v2/models/shop/ready", "/v2/models/shop/versions/1.2.3/ready"):
        assert served.get(path).json() == {"name": "shop", "ready": True}


def test_model_metadata(client: Serve) -> None:
    expected = {
        "name": "shop",
        "versions": ["1.2.3"],
        "platform": "mlflow_sklearn",
        "inputs": [{"name": name, "datatype": "FP64", "shape": [-1, 1]} for name in "ab"],
        "outputs": [
            {"name": "predict", "datatype": "BYTES", "shape": [-1]},
            {"name": "predict_proba", "datatype": "FP64", "shape": [-1, 2]},
        ],
    }
    assert client("labels").get("/v2/models/shop").json() == expected
    assert client("labels").get("/v2/models/shop/versions/1.2.3").json() == expected
    assert client("tensors").get("/v2/models/shop").json()["inputs"] == [
        {"name": "x", "datatype": "FP32", "shape": [-1, 2]},
        {"name": "y", "datatype": "INT64", "shape": [-1]},
    ]
    assert client("bare").get("/v2/models/shop").json()["inputs"] == [
        {"name": "input", "datatype": "FP64", "shape": [-1, 2]}
    ]


def outputs(client: Any, body: Any) -> Any:
    answer = client.post(INFER, content=json.dumps(body))
    assert answer.status_code == 200, answer.text
    return answer.json()["outputs"]


def predicted(data: list[Any], datatype: str = "FP64", shape: list[int] | None = None) -> list[dict[str, Any]]:
    return [{"name": "predict", "shape": shape or [len(data)], "datatype": datatype, "data": data}]


def test_infer_by_column(client: Serve) -> None:
    body = {"id": "7", "inputs": [tensor("b", [2, 4], "INT64"), tensor("a", [1.0, 3.0], shape=[2, 1])]}
    answer = client("orders").post(INFER, json=body)
    assert answer.json() == {
        "model_name": "shop",
        "model_version": "1.2.3",
        "id": "7",
        "outputs": predicted([12.0, 34.0]),
    }
    versioned = client("orders").post("/v2/models/shop/versions/1.2.3/infer", json=body)
    assert versioned.json() == answer.json()


def test_infer_all_columns_in_one_input(client: Serve) -> None:
    flat = tensor("input-0", [1, 0, 0, 1], shape=[2, 2])
    nested = tensor("input-0", [[1, 0], [0, 1]], shape=[2, 2])
    for model in ("labels", "bare"):
        for item in (flat, nested):
            assert outputs(client(model), {"inputs": [item]}) == predicted(["yes", "no"], "BYTES")


def test_infer_tensors(client: Serve) -> None:
    body = {"inputs": [tensor("y", [5], "INT64"), tensor("x", [1, 2], "FP32", [1, 2])]}
    assert outputs(client("tensors"), body) == predicted([8.0])
    unnamed = {"inputs": [tensor("anything", [1, 2], shape=[1, 2])]}
    assert outputs(client("tensor"), unnamed) == predicted([12.0])


def test_wanted_outputs(client: Serve) -> None:
    inputs = [tensor("a", [1]), tensor("b", [0])]
    found = outputs(
        client("labels"), {"inputs": inputs, "outputs": [{"name": "predict_proba"}, {"name": "predict"}]}
    )
    assert found == [
        {"name": "predict_proba", "shape": [1, 2], "datatype": "FP64", "data": [0.0, 1.0]},
        *predicted(["yes"], "BYTES"),
    ]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("integers", predicted([1], "INT64")),
        ("booleans", predicted([True], "BOOL")),
        ("two-numbers", predicted([2.0, 0.0], shape=[1, 2])),
        ("two-outputs", predicted(["yes", "x"], "BYTES", [1, 2])),
    ],
)
def test_output_datatypes(client: Serve, model: str, expected: Any) -> None:
    assert outputs(client(model), {"inputs": [tensor("a", [1]), tensor("b", [0])]}) == expected


def test_a_frame_is_an_output_a_column(client: Serve) -> None:
    assert outputs(client("moody"), {"inputs": [tensor("mood", ["frame"], "BYTES")]}) == [
        {"name": "label", "shape": [1], "datatype": "BYTES", "data": ["x"]},
        {"name": "score", "shape": [1], "datatype": "FP64", "data": [None]},
    ]


@pytest.mark.parametrize(
    ("mood", "expected"),
    [
        ("ragged", predicted(["[1]", "[2,3]"], "BYTES")),
        ("objects", predicted([1, 2], "INT64")),
        ("text", predicted(["only text"], "BYTES")),
        ("timestamp", predicted(["2024-01-31T00:00:00", "null", "null", "YWI=", "[1,2]", "[1,2]"], "BYTES")),
    ],
)
def test_whatever_a_model_returns(client: Serve, mood: str, expected: Any) -> None:
    assert outputs(client("moody"), {"inputs": [tensor("mood", [mood], "BYTES")]}) == expected


A, B = tensor("a", [1]), tensor("b", [0])
WRONG_V2: list[tuple[str, Any, str]] = [
    ("no object", [1], "invalid_form"),
    ("no inputs", {}, "invalid_form"),
    ("no input", {"inputs": []}, "invalid_form"),
    ("inputs no list", {"inputs": {"a": 1}}, "invalid_form"),
    ("input no object", {"inputs": [1]}, "invalid_form"),
    ("no datatype", {"inputs": [{"name": "a", "shape": [1], "data": [1]}]}, "invalid_form"),
    ("unknown datatype", {"inputs": [tensor("a", [1], "FP128")]}, "invalid_form"),
    ("datatype no string", {"inputs": [A | {"datatype": ["FP64"]}]}, "invalid_form"),
    ("shape no list", {"inputs": [A | {"shape": 1}]}, "invalid_form"),
    ("shape negative", {"inputs": [A | {"shape": [-1]}]}, "invalid_form"),
    ("shape huge", {"inputs": [A | {"shape": [2**31 - 1] * 5}]}, "wrong_shape"),
    ("shape and data differ", {"inputs": [A | {"shape": [2]}, B]}, "wrong_shape"),
    ("data no list", {"inputs": [A | {"data": 1}]}, "invalid_form"),
    ("data uneven", {"inputs": [A | {"data": [[1], 2]}]}, "invalid_form"),
    ("value no FP64", {"inputs": [tensor("a", ["x"]), B]}, "wrong_type"),
    ("value over INT8", {"inputs": [tensor("a", [128], "INT8"), B]}, "wrong_type"),
    ("value no BOOL", {"inputs": [tensor("a", [1], "BOOL"), B]}, "wrong_type"),
    ("BOOL for a double", {"inputs": [tensor("a", [True], "BOOL"), B]}, "wrong_type"),
    ("id no string", {"inputs": [A, B], "id": 1}, "invalid_form"),
    ("outputs no list", {"inputs": [A, B], "outputs": "predict"}, "invalid_form"),
    ("unknown output", {"inputs": [A, B], "outputs": [{"name": "zzz"}]}, "unknown_output"),
    ("the same twice", {"inputs": [A, A]}, "duplicate_column"),
    ("one missing", {"inputs": [A]}, "missing_column"),
    ("unequal", {"inputs": [A, tensor("b", [1, 2])]}, "unequal_lengths"),
    ("a column of two", {"inputs": [A, tensor("b", [1, 2], shape=[1, 2])]}, "wrong_shape"),
    ("no column of this model", {"inputs": [tensor("zzz", [1])]}, "wrong_shape"),
    ("no rows", {"inputs": [tensor("z", [], shape=[0, 2])]}, "no_rows"),
    ("wrong width", {"inputs": [tensor("z", [1, 2, 3], shape=[1, 3])]}, "wrong_width"),
]


@pytest.mark.parametrize(("body", "code"), [case[1:] for case in WRONG_V2], ids=[case[0] for case in WRONG_V2])
def test_wrong_v2_requests(client: Serve, body: Any, code: str) -> None:
    answer = client("labels").post(INFER, json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, code), answer.text
    assert isinstance(answer.json()["error"], str)


def test_no_probabilities_to_infer(client: Serve) -> None:
    body = {"inputs": [A, tensor("b", [0], "INT64")], "outputs": [{"name": "predict_proba"}]}
    assert client("orders").post(INFER, json=body).json()["code"] == "no_probabilities"


@pytest.mark.parametrize(
    "path", ["/v2/models/other", "/v2/models/shop/versions/2", "/v2/models/other/ready", "/v2/zzz", "/v2/models"]
)
def test_v2_names_what_is_not_here(client: Serve, path: str) -> None:
    answer = client("labels").get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert isinstance(answer.json()["error"], str)


def test_v2_model_bug(client: Serve) -> None:
    answer = client("moody").post(INFER, json={"inputs": [tensor("mood", ["break"], "BYTES")]})
    assert answer.status_code == 500
    assert isinstance(answer.json()["error"], str)
    assert "secret" not in answer.text


# MLflow's own


def test_mlflow_ping_and_version(client: Serve) -> None:
    assert client("orders").get("/ping").status_code == 200
    assert client("orders").get("/version").text.split(".")[0] in "23"


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": ["b", "a"], "data": [[2, 1]]}},
        {"dataframe_records": [{"a": 1, "b": 2}]},
        {"instances": [{"a": 1, "b": 2}]},
        {"inputs": {"a": [1], "b": [2]}},
    ],
)
def test_invocations(client: Serve, body: Any) -> None:
    answer = client("orders").post("/invocations", json=body)
    assert (answer.status_code, answer.content) == (200, b'{"predictions":[12.0]}')
    assert answer.headers["Content-Type"] == "application/json"


def test_invocations_errors(client: Serve) -> None:
    answer = client("orders").post("/invocations", json={"instances": [[1]]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "wrong_width")


CSV: list[tuple[str, str, bytes, Any]] = [
    ("by name", "orders", b"b,a\n2,1\n4,3.5\n", [12, 39]),
    ("CRLF and a mark", "orders", b"\xef\xbb\xbfa,b,note\r\n1,2,x\r\n", [12]),
    ("quoted", "orders", b'a,b,note\n1,2,"x,\n""y"""\n', [12]),
    ("unknown left out", "orders", b",a,b\n0,1,2\n", [12]),
    ("a gap in a double", "orders", b"a,b\n,2\nNaN,2\n", [None, None]),
    ("a gap in a long", "orders", b"a,b\n1,2\n1,\n", (400, "missing_value")),
    ("an infinite double", "orders", b"a,b\ninf,2\n", (400, "out_of_range")),
    ("text for a number", "orders", b"a,b\nx,2\n", (400, "wrong_type")),
    ("ragged", "orders", b"a,b\n1,2,3\n", (400, "wrong_width")),
    ("a column twice", "orders", b"a,b,a\n1,2,3\n", (400, "duplicate_column")),
    ("one missing", "orders", b"a\n1\n", (400, "missing_column")),
    ("no rows", "orders", b"a,b\n", (400, "no_rows")),
    ("nothing", "orders", b"", (400, "invalid_csv")),
    ("no UTF-8", "orders", b"a,b\n\xff,2\n", (400, "invalid_csv")),
    ("an open quote", "orders", b'a,b\n"1,2\n', (400, "invalid_csv")),
    ("one column", "one-column", b"x\n1\n\n2\n", [1, None, 2]),
    ("no names, numbered", "bare", b"0,1\n1,0\n0,1\n", ["yes", "no"]),
    ("no names, names", "bare", b"a,b\n1,0\n", (400, "no_column_names")),
    ("no names, no header", "bare", b"1,0\n0,1\n", (400, "no_column_names")),
    ("no names, width", "bare", b"0,1,2\n1,0,0\n", (400, "wrong_width")),
    ("unnamed", "unnamed", b"0\n3\n", [3]),
    ("unnamed, width", "unnamed", b"0,1\n3,4\n", (400, "wrong_width")),
    ("no signature, words", "words", b"n,colour\n0,red\n1,blue\n", ["r", "b"]),
    ("tensors", "tensor", b"0,1\n1,2\n", (400, "invalid_form")),
    ("booleans", "types", b"boolean\nTrue\nfalse\n", [{"boolean": "True"}, {"boolean": "False"}]),
    ("a wrong boolean", "types", b"boolean\nyes\n", (400, "wrong_type")),
    ("dates", "types", b"datetime,long\n2024-01-31,1\n", [{"datetime": "Timestamp('2024-01-31 00:00:00')"}]),
    ("long exactly", "types", b"long\n9007199254740993\n", [{"long": "9007199254740993"}]),
    ("a long with a point", "types", b"long\n5.0\n", [{"long": "5"}]),
    ("over 64 bits", "types", b"long\n9223372036854775808\n", (400, "out_of_range")),
    ("thousands of digits", "types", b"long\n" + b"9" * 5000, (400, "wrong_type")),
    ("thousands of digits, no type", "names-only", b"a,b\n" + b"9" * 5000 + b",1", (400, "refused_by_model")),
    ("Python's own numbers", "orders", b"a,b\n1_0,2\n", (400, "wrong_type")),
    ("digits of another script", "orders", "a,b\n\u0661,2\n".encode(), (400, "wrong_type")),
    ("text stays text", "types", b"string,long\nNA,1\n007,1\n", [{"string": "'NA'"}, {"string": "'007'"}]),
    ("an empty optional string", "types", b"string,long\n,1\n", [{"string": "None"}]),
    ("bytes", "types", b"binary,long\naGk=,1\n", [{"binary": "b'hi'"}]),
    ("a list", "types", b"array,long\n[1],1\n", (400, "wrong_type")),
    ("numbers without types, a gap", "lightgbm-names", b"a,b\n1,\n0,1\n", ["yes", "no"]),
]


@pytest.mark.parametrize(("model", "body", "expected"), [case[1:] for case in CSV], ids=[case[0] for case in CSV])
def test_csv(client: Serve, model: str, body: bytes, expected: Any) -> None:
    answer = client(model).post("/invocations", content=body, headers={"Content-Type": "text/csv"})
    if isinstance(expected, tuple):
        assert (answer.status_code, answer.json()["error"]["code"]) == expected, answer.text
        return
    assert answer.status_code == 200, answer.text
    found = answer.json()["predictions"]
    if isinstance(expected[0], dict):
        found = [{key: row[key] for key in wanted} for row, wanted in zip(found, expected, strict=True)]
    assert found == expected


@pytest.mark.parametrize(
    ("media", "status"),
    [
        ("text/csv", 200),
        ("text/csv; charset=utf-8", 200),
        ("Text/CSV;charset=UTF-8; header=present", 200),
        ("text/csv; header=absent", 415),
        ('text/csv; charset=utf-8; Header="absent"', 415),
        ("text/csv; charset=latin-1", 415),
        ("text/tab-separated-values", 415),
        ("application/json; charset=utf-8; format=pandas-split", 400),
    ],
)
def test_csv_and_the_parameters_of_its_type(client: Serve, media: str, status: int) -> None:
    answer = client("orders").post("/invocations", content=b"a,b\n1,2\n", headers={"Content-Type": media})
    assert answer.status_code == status
    if status == 200:
        assert answer.content == b'{"predictions":[12.0]}'


def test_invocations_with_params(client: Serve) -> None:
    body = {"dataframe_split": {"columns": ["mood"], "data": [["params"]]}, "params": {"t": 2}}
    answer = client("moody").post("/invocations", json=body)
    assert answer.json() == {"predictions": [{"t": 2.0, "name": "x"}]}
    wrong = client("moody").post("/invocations", json=body | {"params": {"t": "hot"}})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "refused_by_model")


def test_what_mlflow_1_called_its_forms(client: Serve) -> None:
    """`pandas-split` and `pandas-records` without an envelope mean the same here."""
    for body in ({"columns": ["b", "a"], "data": [[2, 1]]}, [{"a": 1, "b": 2}]):
        answer = client("orders").post(
            "/invocations", json=body, headers={"Content-Type": "application/json; format=pandas-split"}
        )
        assert answer.content == b'{"predictions":[12.0]}'


def test_csv_is_only_for_invocations(client: Serve) -> None:
    answer = client("orders").post("/predict", content=b"a,b\n1,2\n", headers={"Content-Type": "text/csv"})
    assert answer.status_code == 415


def test_a_body_that_mlflows_client_makes(client: Serve) -> None:
    """The client itself runs against a real process in test_process.py."""
    frame = pd.DataFrame({"b": [2], "a": [1.0]})
    body = ScoringServerClient.prepare_body if hasattr(ScoringServerClient, "prepare_body") else None
    text = body(frame) if body else json.dumps({"dataframe_split": frame.to_dict(orient="split")})
    assert client("orders").post("/invocations", content=text).json() == {"predictions": [12.0]}
