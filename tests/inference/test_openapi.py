"""The OpenAPI document: it says what the server does, its examples work, and strangers' tests agree."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Route

from tests.inference.conftest import Serve, wait_until
from tests.inference.process import is_ready, served

MODELS = [
    "orders",
    "one-column",
    "unnamed",
    "numbered",
    "tensor",
    "tensors",
    "names-only",
    "bare",
    "types",
    "envelope",
    "labels",
    "xgboost",
]


def document(client: Any) -> Any:
    return client.get("/openapi.json").json()


def content(found: Any, path: str) -> Any:
    return found["paths"][path]["post"]["requestBody"]["content"]


@pytest.mark.parametrize("model", MODELS)
def test_its_examples_work_in_each_form(client: Serve, model: str) -> None:
    forms = content(document(client(model)), "/predict")["application/json"]["examples"]
    answers = [client(model).post("/predict", json=form["value"]) for form in forms.values()]
    assert [answer.status_code for answer in answers] == [200] * len(forms), [answer.text for answer in answers]
    found = [answer.json() for answer in answers]
    assert all([one["prediction"]] == found[0]["predictions"] for one in found if "prediction" in one)
    assert all(one == found[0] for one in found if "predictions" in one)


@pytest.mark.parametrize("model", MODELS)
def test_its_examples_of_other_protocols_work(client: Serve, model: str) -> None:
    served, found = client(model), document(client(model))
    infer = content(found, "/v2/models/{model_name}/infer")["application/json"].get("examples")
    if infer:  # lists and objects have no datatype there
        answer = served.post("/v2/models/shop/infer", json=infer["JSON"]["value"])
        assert answer.status_code == 200, answer.text
    table = content(found, "/invocations").get("text/csv", {}).get("example")
    if table:
        answer = served.post("/invocations", content=table, headers={"Content-Type": "text/csv"})
        assert answer.status_code == 200, answer.text
    assert bool(infer) == (model != "types")
    assert bool(table) == (model not in ("types", "tensor", "tensors"))


def test_the_forms_that_a_model_takes(client: Serve) -> None:
    def forms(model: str) -> dict[str, Any]:
        found = content(document(client(model)), "/predict")["application/json"]["examples"]
        return {name: form["value"] for name, form in found.items()}

    assert forms("orders") == {
        "records": {"instances": [{"a": 0.5, "b": 1, "note": "text"}]},
        "columns": {"inputs": {"a": [0.5], "b": [1], "note": ["text"]}},
        "rows": {"instances": [[0.5, 1, "text"]]},
        "features": {"features": {"a": 0.5, "b": 1, "note": "text"}},
        "dataframe_split": {"dataframe_split": {"columns": ["a", "b", "note"], "data": [[0.5, 1, "text"]]}},
        "dataframe_records": {"dataframe_records": [{"a": 0.5, "b": 1, "note": "text"}]},
        "data with columns": {"data": [[0.5, 1, "text"]], "columns": ["a", "b", "note"]},
        "one row": {"a": 0.5, "b": 1, "note": "text"},
        "list": [{"a": 0.5, "b": 1, "note": "text"}],
    }
    assert list(forms("envelope")) == [name for name in forms("orders") if name != "one row"]
    assert forms("bare") == {
        "rows": {"instances": [[0.5, 0.5]]},
        "features": {"features": [0.5, 0.5]},
        "dataframe_split": {"dataframe_split": {"data": [[0.5, 0.5]]}},
    }
    assert forms("tensors") == {
        "inputs": {"inputs": {"x": [[0.5, 0.5]], "y": [1]}},
        "instances": {"instances": {"x": [[0.5, 0.5]], "y": [1]}},
    }


def test_made_up_words_are_none_that_the_model_knows(client: Serve) -> None:
    """Without a signature it is not known which columns hold text; the example still names the columns."""
    forms = content(document(client("words")), "/predict")["application/json"]["examples"]
    answer = client("words").post("/predict", json=forms["records"]["value"])
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "refused_by_model")


def test_a_row_by_the_columns_types(client: Serve) -> None:
    row = document(client("types"))["components"]["schemas"]["Row"]
    long = {"type": ["integer", "null"], "format": "int64", "minimum": -(2**63), "maximum": 2**63 - 1}
    assert row["required"] == []
    assert row["properties"]["long"] == {**long, "examples": [1]}
    assert row["properties"]["datetime"] == {
        "type": ["string", "null"],
        "format": "date-time",
        "examples": ["2024-01-31T12:00:00"],
    }
    assert row["properties"]["array"] == {
        "type": ["array", "null"],
        "items": {"type": "number", "format": "double"},
        "examples": [[0.5]],
    }
    assert row["properties"]["object"] == {
        "type": ["object", "null"],
        "required": ["k"],
        "properties": {"k": {**long, "type": "integer"}},
        "additionalProperties": False,
        "examples": [{"k": 1}],
    }
    assert row["properties"]["any"] == {"examples": ["text"]}


def test_rows_and_tensors(client: Serve) -> None:
    schemas = document(client("orders"))["components"]["schemas"]
    assert schemas["Row"]["required"] == ["a", "b"]
    assert schemas["Row"]["additionalProperties"] is True
    assert [item["type"] for item in schemas["RowByPosition"]["prefixItems"]] == [
        ["number", "null"],
        "integer",
        ["string", "null"],
    ]
    assert schemas["RowByPosition"]["minItems"] == schemas["RowByPosition"]["maxItems"] == 3
    assert document(client("orders", strict=True))["components"]["schemas"]["Row"]["additionalProperties"] is False
    assert document(client("tensors"))["components"]["schemas"]["Row"] == {
        "type": "object",
        "required": ["x", "y"],
        "properties": {
            "x": {
                "type": "array",
                "items": {"type": "array", "items": {"type": ["number", "null"]}, "minItems": 2, "maxItems": 2},
            },
            "y": {"type": "array", "items": {"type": "integer"}},
        },
    }


def test_every_path_is_described(client: Serve) -> None:
    app: Any = client("orders").app
    routed = {
        (route.path.replace("{name}", "{model_name}").replace("{version}", "{model_version}"), method)
        for route in app.routes
        if isinstance(route, Route)
        for method in route.methods or ()
        if method != "HEAD"
    }
    paths = document(client("orders"))["paths"]
    assert {(path, method.upper()) for path, methods in paths.items() for method in methods} == routed


def test_what_a_client_generator_needs(client: Serve) -> None:
    found = document(client("orders"))
    operations = [operation for methods in found["paths"].values() for operation in methods.values()]
    identifiers = [operation["operationId"] for operation in operations]
    assert len(set(identifiers)) == len(identifiers)
    tags = {tag["name"] for tag in found["tags"]}
    assert all(set(operation["tags"]) <= tags and operation["summary"] for operation in operations)
    for operation in operations:
        assert all(answer["description"] and answer["content"] for answer in operation["responses"].values())
    schemas = found["components"]["schemas"]
    assert set(references(found)) == {f"#/components/schemas/{name}" for name in schemas}
    (name,) = found["paths"]["/v2/models/{model_name}/infer"]["post"]["parameters"]
    assert (name["schema"]["enum"], name["required"]) == (["shop"], True)


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [value["$ref"]] if "$ref" in value else [one for item in value.values() for one in references(item)]
    return [one for item in value for one in references(item)] if isinstance(value, list) else []


CHECKED = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,negative_data_rejection,unsupported_method,allow_header_conformance"
)
"""All of Schemathesis' checks but those of logins and of stored resources, and but that every request that the
document allows is taken: it cannot say that columns are equally long, or which words a model knows."""


@pytest.mark.parametrize(
    ("model", "how"),
    [
        ("orders", ["--phases", "examples,coverage", "-n", "1"]),
        ("orders", ["--include-method", "POST", "-n", "20"]),
        ("types", ["--include-method", "POST", "-n", "12"]),
        ("tensors", ["--include-method", "POST", "-n", "12"]),
        ("labels", ["--include-method", "POST", "-n", "12"]),
        ("unknown", ["--include-method", "POST", "-n", "12"]),
    ],
    ids=["orders, each path", "orders", "types", "tensors", "labels", "unknown"],
)
def test_schemathesis_agrees(saved: Callable[[str], Path], tmp_path: Path, model: str, how: list[str]) -> None:
    phases = [] if "--phases" in how else ["--phases", "examples,fuzzing"]
    with served(saved(model), log=subprocess.DEVNULL, TAGSHIP_NAME="shop") as (_, port):
        wait_until(lambda: is_ready(port))
        done = subprocess.run(
            [
                *(Path(sys.executable).with_name("schemathesis"), "run", f"http://127.0.0.1:{port}/openapi.json"),
                *(
                    "--checks",
                    CHECKED,
                    "--seed",
                    "1",
                    "--generation-deterministic",
                    "--no-color",
                    "--warnings",
                    "off",
                ),
                *(*phases, *how),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert is_ready(port)
