"""The binary tensor data extension of the Open Inference Protocol: bytes behind the JSON, both ways."""

from __future__ import annotations

import json
import struct
import tracemalloc
from typing import Any

import numpy as np
import pytest

from inference.requests import v2
from inference.requests.batch import Rules
from inference.schema import Column, Schema
from tests.inference.conftest import Serve

INFER = "/v2/models/shop/infer"
LENGTH = "Inference-Header-Content-Length"
NUMBERS = {
    **{f"{sign}{bits}": f"<{sign[0].lower()}{bits // 8}" for sign in ("INT", "UINT") for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": f"<f{bits // 8}" for bits in (16, 32, 64)},
}


def elements(*values: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(value)) + value for value in values)


def given(name: str, datatype: str, shape: list[int], raw: bytes) -> tuple[dict[str, Any], bytes]:
    parameters = {"binary_data_size": len(raw)}
    return {"name": name, "datatype": datatype, "shape": shape, "parameters": parameters}, raw


def doubles(name: str, *values: float) -> tuple[dict[str, Any], bytes]:
    return given(name, "FP64", [len(values)], np.array(values, "<f8").tobytes())


def send(client: Any, *inputs: tuple[dict[str, Any], bytes], length: str | None = None, **more: Any) -> Any:
    header = json.dumps({"inputs": [entry for entry, _ in inputs], **more}).encode()
    body = header + b"".join(raw for _, raw in inputs)
    return client.post(INFER, content=body, headers={LENGTH: (length or str(len(header))).encode("latin-1")})


def received(answer: Any) -> tuple[Any, bytes]:
    assert answer.status_code == 200, answer.text
    size = int(answer.headers[LENGTH])
    return json.loads(answer.content[:size]), answer.content[size:]


def test_an_answer_in_json(client: Serve) -> None:
    answer = send(client("labels"), doubles("b", 0, 1), doubles("a", 1, 0))
    assert answer.headers["Content-Type"] == "application/json"
    assert LENGTH not in answer.headers
    assert answer.content == (
        b'{"model_name":"shop","model_version":"1.2.3",'
        b'"outputs":[{"name":"predict","shape":[2],"datatype":"BYTES","data":["yes","no"]}]}'
    )


def test_an_answer_in_bytes(client: Serve) -> None:
    answer = send(
        client("labels"),
        doubles("a", 1, 0),
        doubles("b", 0, 1),
        id="7",
        outputs=[{"name": "predict_proba"}, {"name": "predict"}],
        parameters={"binary_data_output": True},
    )
    header = (
        b'{"model_name":"shop","model_version":"1.2.3","id":"7","outputs":['
        b'{"name":"predict_proba","shape":[2,2],"datatype":"FP64","parameters":{"binary_data_size":32}},'
        b'{"name":"predict","shape":[2],"datatype":"BYTES","parameters":{"binary_data_size":13}}]}'
    )
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers[LENGTH] == str(len(header))
    probabilities = np.array([[0, 1], [1, 0]], "<f8").tobytes()
    assert answer.content == header + probabilities + elements(b"yes", b"no")
    assert answer.headers["Content-Length"] == str(len(answer.content))


def test_an_output_has_its_own_way(client: Serve) -> None:
    outputs = [{"name": "predict", "parameters": {"binary_data": False}}, {"name": "predict_proba"}]
    found, raw = received(
        send(
            client("labels"),
            doubles("a", 1),
            doubles("b", 0),
            outputs=outputs,
            parameters={"binary_data_output": True},
        )
    )
    assert found["outputs"][0]["data"] == ["yes"]
    assert raw == np.array([0.0, 1.0]).tobytes()


@pytest.mark.parametrize("media", ["application/octet-stream", "application/json"])
def test_clients_name_the_body_differently(client: Serve, media: str) -> None:
    entries = [doubles("a", 1), doubles("b", 0)]
    header = json.dumps({"inputs": [entry for entry, _ in entries]}).encode()
    headers = {LENGTH: str(len(header)), "Content-Type": media}
    answer = client("labels").post(INFER, content=header + b"".join(raw for _, raw in entries), headers=headers)
    assert answer.json()["outputs"][0]["data"] == ["yes"]


def test_bytes_and_json_side_by_side(client: Serve) -> None:
    in_json = {"name": "a", "shape": [1], "datatype": "FP64", "data": [1.0]}, b""
    answer = send(client("labels"), in_json, doubles("b", 0))
    assert answer.json()["outputs"][0]["data"] == ["yes"]


@pytest.mark.parametrize("datatype", NUMBERS)
def test_numbers_of_each_datatype(client: Serve, datatype: str) -> None:
    raw = np.array([[3, 4], [5, 6]], NUMBERS[datatype]).tobytes()
    columns = send(client("orders"), *_columns(datatype, np.array([3, 5]), np.array([4, 6])))
    assert columns.json()["outputs"][0]["data"] == [34.0, 56.0]
    for model in ("numbered", "tensor"):
        answer = send(client(model), given("all", datatype, [2, 2], raw))
        assert answer.json()["outputs"][0]["data"] == [34.0, 56.0], model
    bare = send(
        client("bare"), given("all", datatype, [2, 2], np.array([[1, 0], [0, 1]], NUMBERS[datatype]).tobytes())
    )
    assert bare.json()["outputs"][0]["data"] == ["yes", "no"]


def _columns(datatype: str, a: Any, b: Any) -> list[tuple[dict[str, Any], bytes]]:
    arrays = {"a": a.astype(NUMBERS[datatype]), "b": b.astype(NUMBERS[datatype])}
    return [given(name, datatype, [len(array), 1], array.tobytes()) for name, array in arrays.items()]


VALUES: list[tuple[str, str, bytes, str]] = [
    ("boolean", "BOOL", b"\x01", "True"),
    ("integer", "INT32", struct.pack("<i", -5), "-5"),
    ("integer", "FP32", struct.pack("<f", 5), "5"),
    ("long", "INT64", struct.pack("<q", 2**53 + 1), "9007199254740993"),
    ("long", "UINT8", b"\xff", "255"),
    ("float", "FP32", struct.pack("<f", 0.5), "0.5"),
    ("double", "FP16", struct.pack("<e", 0.5), "0.5"),
    ("double", "FP64", struct.pack("<d", float("nan")), "nan"),
    ("double", "INT8", b"\xff", "-1.0"),
    ("string", "BYTES", elements("é".encode()), "'é'"),
    ("string", "BYTES", elements(b""), "''"),
    ("binary", "BYTES", elements(b"\xff\x00"), "b'\\xff\\x00'"),
    ("datetime", "BYTES", elements(b"2024-01-31"), "Timestamp('2024-01-31 00:00:00')"),
]


@pytest.mark.parametrize(("column", "datatype", "raw", "shown"), VALUES)
def test_values_of_each_column_type(client: Serve, column: str, datatype: str, raw: bytes, shown: str) -> None:
    answer = send(client("types"), given(column, datatype, [1], raw))
    assert answer.status_code == 200, answer.text
    found = json.loads(answer.json()["outputs"][0]["data"][0].replace('\\"', '"'))[column]
    assert found.removeprefix("np.float64(").removesuffix(")") == shown or found == shown


@pytest.mark.parametrize("dtype", ["<f4", "<f8", "<i8"])
def test_tensors_of_their_own_and_of_other_types(client: Serve, dtype: str) -> None:
    datatype = {"<f4": "FP32", "<f8": "FP64", "<i8": "INT64"}[dtype]
    x = given("x", datatype, [2, 2], np.array([[1, 2], [3, 4]], dtype).tobytes())
    y = given("y", "INT64", [2], np.array([5, 6], "<i8").tobytes())
    assert send(client("tensors"), y, x).json()["outputs"][0]["data"] == [8.0, 13.0]


ONE = struct.pack("<d", 1)
WRONG: list[tuple[str, list[tuple[dict[str, Any], bytes]], str | None, str]] = [
    ("length no number", [doubles("a", 1)], "x", "invalid_form"),
    ("length negative", [doubles("a", 1)], "-1", "invalid_form"),
    ("length over the body", [doubles("a", 1)], "100000", "invalid_form"),
    ("length of digits elsewhere", [doubles("a", 1)], "\xb2", "invalid_form"),
    ("length endless", [doubles("a", 1)], "9" * 5000, "invalid_form"),
    ("length zero", [doubles("a", 1)], "0", "invalid_json"),
    ("length in the JSON", [doubles("a", 1)], "9", "invalid_json"),
    ("too few bytes", [given("a", "FP64", [2], ONE)], None, "wrong_shape"),
    ("too many bytes", [given("a", "FP64", [1], ONE * 2)], None, "wrong_shape"),
    (
        "bytes of no input",
        [({"name": "a", "shape": [1], "datatype": "FP64", "data": [1]}, ONE)],
        None,
        "invalid_form",
    ),
    ("size over the bytes", [(doubles("a", 1)[0], b"")], None, "invalid_form"),
    (
        "size negative",
        [(doubles("a", 1)[0] | {"parameters": {"binary_data_size": -8}}, ONE)],
        None,
        "invalid_form",
    ),
    (
        "size no number",
        [(doubles("a", 1)[0] | {"parameters": {"binary_data_size": True}}, ONE)],
        None,
        "invalid_form",
    ),
    ("parameters no object", [(doubles("a", 1)[0] | {"parameters": [1]}, ONE)], None, "invalid_form"),
    ("data and bytes", [(doubles("a", 1)[0] | {"data": [1]}, ONE)], None, "invalid_form"),
    ("an infinity", [doubles("a", 1, float("inf"))], None, "out_of_range"),
    ("a BOOL of 2", [given("a", "BOOL", [1], b"\x02")], None, "wrong_type"),
    ("a gap in a long", [doubles("a", 1), doubles("b", float("nan"))], None, "wrong_type"),
    ("a fraction in a long", [doubles("a", 1), doubles("b", 0.5)], None, "wrong_type"),
    ("over 63 bits", [doubles("a", 1), given("b", "UINT64", [1], b"\xff" * 8)], None, "out_of_range"),
    ("text for a number", [given("a", "BYTES", [1], elements(b"x")), doubles("b", 1)], None, "wrong_type"),
    (
        "no UTF-8",
        [doubles("a", 1), doubles("b", 1), given("note", "BYTES", [1], elements(b"\xff"))],
        None,
        "wrong_type",
    ),
    ("an element cut off", [given("a", "BYTES", [1], elements(b"abc")[:-1])], None, "wrong_shape"),
    ("an element's length cut off", [given("a", "BYTES", [1], b"\x00\x00")], None, "wrong_shape"),
    ("an element's length endless", [given("a", "BYTES", [1], b"\xff" * 4)], None, "wrong_shape"),
    ("one element too many", [given("a", "BYTES", [1], elements(b"a", b"b"))], None, "wrong_shape"),
    ("one element too few", [given("a", "BYTES", [2], elements(b"a"))], None, "wrong_shape"),
    ("a column missing", [doubles("a", 1)], None, "missing_column"),
    ("unequal", [doubles("a", 1), doubles("b", 1, 2)], None, "unequal_lengths"),
    ("two columns in one", [given("a", "FP64", [1, 2], ONE * 2), doubles("b", 1)], None, "wrong_shape"),
    ("too wide", [given("all", "FP64", [1, 4], ONE * 4)], None, "wrong_width"),
    ("three dimensions", [given("all", "FP64", [1, 1, 3], ONE * 3)], None, "wrong_shape"),
    ("no rows", [given("a", "FP64", [0], b""), given("b", "FP64", [0], b"")], None, "no_rows"),
    ("a datatype of others", [given("a", "BF16", [1], b"\0\0")], None, "invalid_form"),
]


@pytest.mark.parametrize(
    ("inputs", "length", "code"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG]
)
def test_wrong_requests(client: Serve, inputs: Any, length: str | None, code: str) -> None:
    answer = send(client("orders"), *inputs, length=length)
    assert (answer.status_code, answer.json()["code"]) == (400, code), answer.text


def test_without_the_length_the_bytes_are_missed(client: Serve) -> None:
    entry, _ = doubles("a", 1)
    answer = client("orders").post(INFER, json={"inputs": [entry]})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_form")
    assert "is Inference-Header-Content-Length missing?" in answer.json()["error"]


def test_tensors_with_the_wrong_shape(client: Serve) -> None:
    answer = send(client("tensor"), given("x", "FP64", [1, 3], ONE * 3))
    assert (answer.status_code, answer.json()["code"]) == (400, "wrong_shape")
    one = given("x", "FP32", [1, 2], bytes(8))
    answer = send(client("tensors"), one, given("y", "INT64", [2], bytes(16)))
    assert (answer.status_code, answer.json()["code"]) == (400, "unequal_lengths")


def test_unknown_inputs_are_left_out_unless_strict(client: Serve) -> None:
    inputs = [doubles("data", 1), doubles("age", 2), doubles("z", 3)]
    assert send(client("envelope"), *inputs).json()["outputs"][0]["data"] == [12.0]
    answer = send(client("envelope", strict=True), *inputs)
    assert (answer.status_code, answer.json()["code"], answer.json()["column"]) == (400, "unknown_column", "z")


def test_too_many_rows(client: Serve) -> None:
    answer = send(client("orders", max_rows=2), doubles("a", 1, 2, 3), doubles("b", 1, 2, 3))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_many_rows")


def test_numbers_are_read_in_little_more_than_twice_their_bytes() -> None:
    rows, columns = 50_000, tuple(Column(f"c{at}", f"c{at}", "double") for at in range(20))
    schema = Schema(columns=columns, width=20)
    entry, raw = given("all", "FP64", [rows, 20], bytes(rows * 20 * 8))
    tracemalloc.start()
    found = v2.read({"inputs": [entry]}, memoryview(raw), schema, Rules(version="1"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.query.batch.rows == rows
    assert peak < 2.5 * len(raw)
