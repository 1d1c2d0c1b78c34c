"""MLflow's scoring protocol: /ping, /version and /invocations. Its client is in test_foreign_clients.py."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from tests.inference.conftest import Serve


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


def test_a_table_that_is_much_too_long_is_not_read_to_its_end(client: Serve) -> None:
    served = client("one-column", max_rows=100)
    tracemalloc.start()
    try:
        answer = served.post("/invocations", content=b"x\n" + b"\n" * 2**21, headers={"Content-Type": "text/csv"})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_many_rows")
    assert peak < 2**25, "a list for each line would take 16 times the body"


def test_csv_is_only_for_invocations(client: Serve) -> None:
    answer = client("orders").post("/predict", content=b"a,b\n1,2\n", headers={"Content-Type": "text/csv"})
    assert answer.status_code == 415
