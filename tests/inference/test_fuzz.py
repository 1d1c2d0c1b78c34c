"""No body makes the server fail: whatever is sent, the answer is 200 or a 4xx in the right shape."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference.requests.forms import ENVELOPES, OPTIONS
from tests.inference.conftest import Serve

MODELS = ["orders", "types", "tensor", "tensors", "names-only", "bare", "unknown", "envelope"]
NAMES = st.sampled_from(["a", "b", "note", "x", "y", "data", "age", "long", "datetime", "array", "object", "any"])
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=5), st.just("2024-01-31")
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
COLUMNS = st.dictionaries(NAMES, VALUES, max_size=4)
CONTENT = st.one_of(
    VALUES,
    COLUMNS,
    st.lists(COLUMNS, max_size=3),
    st.lists(st.lists(SCALARS, max_size=3), max_size=3),
    st.fixed_dictionaries({"data": VALUES}, optional={"columns": VALUES, "index": VALUES}),
)
BODIES = st.one_of(
    CONTENT,
    st.dictionaries(
        st.sampled_from([*ENVELOPES, *OPTIONS, "columns", "index", "a"]), CONTENT, min_size=1, max_size=3
    ),
    st.dictionaries(st.sampled_from(ENVELOPES), CONTENT, min_size=1, max_size=1),
)
INPUT = st.fixed_dictionaries(
    {
        "name": NAMES | VALUES,
        "shape": st.lists(st.integers(-1, 3), max_size=3) | VALUES,
        "datatype": st.sampled_from(["BOOL", "INT8", "UINT64", "FP32", "FP64", "BYTES"]) | VALUES,
        "data": VALUES,
    }
)
V2_BODIES = st.one_of(
    VALUES, st.fixed_dictionaries({"inputs": st.lists(INPUT | VALUES, max_size=3)}, optional={"outputs": VALUES})
)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def check(client: Any, path: str, body: bytes, media: str = "application/json") -> None:
    answer = client.post(path, content=body, headers={"Content-Type": media})
    assert answer.status_code in (200, 400, 409, 413), (path, body, answer.text)
    found = answer.json()
    assert ("error" in found) == (answer.status_code != 200)


@pytest.mark.parametrize("model", MODELS)
def test_predict(client: Serve, model: str) -> None:
    served = client(model)

    @QUICK
    @given(BODIES)
    def fuzz(body: Any) -> None:
        check(served, "/predict", json.dumps(body).encode())

    fuzz()


@pytest.mark.parametrize("model", ["orders", "tensors", "bare", "types"])
def test_infer(client: Serve, model: str) -> None:
    served = client(model)

    @QUICK
    @given(V2_BODIES)
    def fuzz(body: Any) -> None:
        check(served, "/v2/models/shop/infer", json.dumps(body).encode())

    fuzz()


@pytest.mark.parametrize("model", ["orders", "types", "names-only", "bare", "unknown"])
def test_csv(client: Serve, model: str) -> None:
    served = client(model)
    words = st.sampled_from(
        ["a", "b", "0", "1", "9" * 25, "_", "inf", ",", "\n", '"', "\r", "NaN", "x", "long", "1e999", "\0", "é"]
    )

    @QUICK
    @given(st.lists(words, max_size=20).map("".join).map(str.encode) | st.binary(max_size=20))
    def fuzz(body: bytes) -> None:
        check(served, "/invocations", body, "text/csv")

    fuzz()


def test_bytes(client: Serve) -> None:
    served = client("orders")

    @QUICK
    @given(st.binary(max_size=50))
    def fuzz(body: bytes) -> None:
        check(served, "/predict", body)

    fuzz()
