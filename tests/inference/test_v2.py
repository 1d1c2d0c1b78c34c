"""The Open Inference Protocol V2 in JSON; test_v2_binary.py has its bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from inference import __version__
from inference.requests import v2, v2_metadata
from inference.requests.batch import Rules
from inference.schema import Schema
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


@pytest.mark.parametrize(
    "datatype",
    [f"{kind}{bits}" for kind in ("INT", "UINT") for bits in (8, 16, 32, 64)] + ["FP16", "FP32", "FP64"],
)
def test_numbers_of_each_datatype(client: Serve, datatype: str) -> None:
    for data in ([1, 2, 3, 4], [[1, 2], [3, 4]]):
        body = {"inputs": [tensor("all", data, datatype, [2, 2])]}
        for model in ("tensor", "numbered"):
            answer = client(model).post(INFER, json=body)
            assert answer.content == (
                b'{"model_name":"shop","model_version":"1.2.3","outputs":'
                b'[{"name":"predict","shape":[2],"datatype":"FP64","data":[12.0,34.0]}]}'
            )


@pytest.mark.parametrize(
    ("column", "datatype", "value", "shown"),
    [
        ("boolean", "BOOL", True, "True"),
        ("integer", "INT32", -5, "-5"),
        ("long", "UINT64", 2**63 - 1, "9223372036854775807"),
        ("float", "FP32", 0.5, "0.5"),
        ("double", "FP64", None, "nan"),
        ("string", "BYTES", "é", "'é'"),
        ("string", "BYTES", None, "None"),
        ("binary", "BYTES", "aGk=", "b'hi'"),
        ("datetime", "BYTES", "2024-01-31", "Timestamp('2024-01-31 00:00:00')"),
    ],
)
def test_values_of_each_column_type(client: Serve, column: str, datatype: str, value: Any, shown: str) -> None:
    (answer,) = outputs(client("types"), {"inputs": [tensor(column, [value], datatype)]})
    found = json.loads(answer["data"][0].replace('\\"', '"'))[column]
    assert found.removeprefix("np.float64(").removesuffix(")") == shown or found == shown


def test_parameters_of_the_signature_reach_the_model(client: Serve) -> None:
    body = {"inputs": [tensor("mood", ["params"], "BYTES")], "parameters": {"t": 2.5, "priority": 1}}
    assert outputs(client("moody"), body) == predicted(['{"t":2.5,"name":"x"}'], "BYTES")


def test_what_may_be_null_or_empty(client: Serve) -> None:
    body = {"inputs": [A | {"parameters": None}, B], "id": None, "parameters": None}
    for wanted in (None, []):
        answer = client("labels").post(INFER, json=body | {"outputs": wanted})
        assert answer.json() == {
            "model_name": "shop",
            "model_version": "1.2.3",
            "outputs": predicted(["yes"], "BYTES"),
        }


def test_outputs_have_the_signatures_names() -> None:
    price = [{"type": "double", "name": "price", "required": True}]
    assert v2_metadata.outputs(price, None) == [{"name": "price", "datatype": "FP64", "shape": [-1]}]
    query = v2.read({"inputs": [tensor("x", [1], shape=[1, 1])]}, None, Schema(width=1, named=False), Rules("1"))
    (entry,), _ = v2.write(query, [2.5], None, v2_metadata.names(price))
    assert entry == {"name": "price", "shape": [1], "datatype": "FP64", "data": [2.5]}
    two = [{"type": "string", "name": "label"}, {"type": "float", "name": "score"}]
    assert [item["datatype"] for item in v2_metadata.outputs(two, None)] == ["BYTES", "FP32"]
    image = [{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 3]}}]
    assert v2_metadata.outputs(image, None) == [{"name": "predict", "datatype": "FP32", "shape": [-1, 3]}]


@pytest.mark.parametrize(
    ("model", "datatype", "shape"),
    [
        ("labels", "BYTES", [-1]),
        ("integers", "INT64", [-1]),
        ("booleans", "BOOL", [-1]),
        ("linear", "FP64", [-1]),
        ("two-outputs", "BYTES", [-1, 2]),
    ],
)
def test_metadata_of_what_a_model_answers(client: Serve, model: str, datatype: str, shape: Any) -> None:
    told = client(model).get("/v2/models/shop").json()["outputs"][0]
    assert told == {"name": "predict", "datatype": datatype, "shape": shape}
    (found,) = outputs(client(model), {"inputs": [A, B]})
    assert found["datatype"] == datatype
    assert len(found["shape"]) == len(shape)


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
    ("parameters no object", {"inputs": [A, B], "parameters": [1]}, "invalid_form"),
    (
        "an output's parameters",
        {"inputs": [A, B], "outputs": [{"name": "predict", "parameters": 1}]},
        "invalid_form",
    ),
    ("a flag", {"inputs": [A, B], "parameters": {"binary_data_output": 1}}, "invalid_form"),
    (
        "classification",
        {"inputs": [A, B], "outputs": [{"name": "predict", "parameters": {"classification": 2}}]},
        "invalid_form",
    ),
    (
        "shared memory",
        {
            "inputs": [
                {"name": "a", "shape": [1], "datatype": "FP64", "parameters": {"shared_memory_region": "x"}},
                B,
            ]
        },
        "invalid_form",
    ),
    ("an object as a value", {"inputs": [A | {"data": [{"x": 1}]}, B]}, "wrong_type"),
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
