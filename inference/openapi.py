"""The OpenAPI 3.1 document, with the model's own columns and a request that works."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inference import __version__
from inference.examples import column_example, from_types
from inference.forms import ENVELOPES
from inference.schema import Column, Schema, Tensor
from inference.settings import Release

_INTEGERS = {"integer": 32, "long": 64}
_SCALAR: dict[str, Any] = {"type": ["string", "number", "boolean", "null"]}
_COLUMNS: dict[str, dict[str, Any]] = {
    "boolean": {"type": "boolean"},
    "float": {"type": "number"},
    "double": {"type": "number"},
    "string": {"type": "string"},
    "binary": {"type": "string", "contentEncoding": "base64"},
    "datetime": {"type": "string", "format": "date-time"},
    "unknown": _SCALAR,
    "array": {"type": "array"},
    "object": {"type": "object"},
    "map": {"type": "object"},
}
_ERRORS = {
    "400": "the request is not understood, or the model refuses a value",
    "409": "another model version was asked for",
    "413": "the body or its number of rows is over the limit",
    "415": "the body's Content-Type is not supported",
    "500": "the model failed",
    "503": "the model is not ready",
}


def document(release: Release, schema: Schema | None, example: Mapping[str, Any] | None) -> dict[str, Any]:
    """The whole document; without a schema (the model is still loading) the columns are left open."""
    schema = schema or Schema(named=False, origin="none")
    example = example or from_types(schema)
    return {
        "openapi": "3.1.0",
        "info": {"title": release.name, "version": release.version, "x-server-version": __version__},
        "paths": _prediction_paths(release.name, example) | _reading_paths(release.name),
        "components": {"schemas": _components(schema)},
    }


def _prediction_paths(name: str, example: Mapping[str, Any] | None) -> dict[str, Any]:
    predict = _post("Predict", "PredictRequest", "PredictAnswer", example)
    invocations = _post("Predict, as MLflow's scoring server", "PredictRequest", "Predictions", example)
    invocations["post"]["requestBody"]["content"]["text/csv"] = {"schema": {"type": "string"}}
    infer = _post("Predict, Open Inference Protocol V2", "InferRequest", "InferAnswer", None)
    return {"/predict": predict, "/invocations": invocations, f"/v2/models/{name}/infer": infer}


def _post(summary: str, takes: str, gives: str, example: Mapping[str, Any] | None) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": _ref(takes)}
    if example:
        content["example"] = example
    responses = {
        "200": {"description": "the predictions", "content": {"application/json": {"schema": _ref(gives)}}}
    }
    error = "ProtocolError" if takes == "InferRequest" else "Error"
    for status, text in _ERRORS.items():
        responses[status] = {"description": text, "content": {"application/json": {"schema": _ref(error)}}}
    body = {"required": True, "content": {"application/json": content}}
    return {"post": {"summary": summary, "requestBody": body, "responses": responses}}


def _response(text: str, schema: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": _ref(schema)}}}


def _reading_paths(name: str) -> dict[str, Any]:
    texts = {
        "/health": "starting, ready, failed or stopping, and why",
        "/livez": "the process answers",
        "/readyz": "predictions are answered",
        "/metadata": "the release: name, version, run, commit, digest, signature",
        "/model/info": "the loaded model: flavors, columns, classes",
        "/metrics": "figures for Prometheus",
        "/ping": "MLflow's readiness",
        "/version": "the version of MLflow that serves the model",
        "/v2": "server metadata",
        "/v2/health/live": "live",
        "/v2/health/ready": "ready",
        f"/v2/models/{name}": "model metadata",
        f"/v2/models/{name}/ready": "model ready",
    }
    may_fail = {"/health", "/readyz", "/ping", "/v2/health/ready", f"/v2/models/{name}/ready", "/model/info"}
    return {path: _get(text, unready=path in may_fail) for path, text in texts.items()}


def _get(summary: str, *, unready: bool) -> dict[str, Any]:
    responses = {"200": {"description": summary}}
    if unready:
        responses["503"] = {"description": "the model is not ready"}
    return {"get": {"summary": summary, "responses": responses}}


def _components(schema: Schema) -> dict[str, Any]:
    envelopes = ENVELOPES[:2] if schema.tensors else ENVELOPES
    options = {
        "return_probabilities": {"type": "boolean", "default": False},
        "params": {"type": "object"},
        "model_version": {"type": "string"},
    }
    forms = [
        {
            "type": "object",
            "required": [envelope],
            "properties": {envelope: _envelope(envelope, schema), **options}
            | ({"columns": {"type": "array"}, "index": {}} if envelope == "data" else {}),
            "additionalProperties": False,
        }
        for envelope in envelopes
    ]
    if schema.named and not schema.tensors:
        forms.append({"type": "array", "items": _ref("Row"), "minItems": 1})
        forms.append(_ref("Row"))
    return {"Row": _row(schema), "PredictRequest": {"anyOf": forms}, **_FIXED}


def _row(schema: Schema) -> dict[str, Any]:
    """One row as an object; by position where the model has no names."""
    if schema.tensors:
        return {"type": "object", "properties": {item.name or "input": _tensor(item) for item in schema.tensors}}
    if not schema.named:
        return {"type": "array", "items": _SCALAR} | ({"minItems": schema.width} if schema.width else {})
    return {
        "type": "object",
        "required": [column.name for column in schema.columns if column.required],
        "properties": {column.name: _column(column) for column in schema.columns},
    }


def _envelope(envelope: str, schema: Schema) -> dict[str, Any]:
    if schema.tensors:
        return {"anyOf": [_row(schema), *(_tensor(item) for item in schema.tensors[:1])]}
    rows = {"type": "array", "items": {"type": "array", "items": {}}}
    described: dict[str, dict[str, Any]] = {
        "features": {"anyOf": [_ref("Row"), {"type": "array", "items": _SCALAR}]},
        "dataframe_records": {"type": "array", "items": _ref("Row")},
        "dataframe_split": {
            "type": "object",
            "required": ["data"],
            "properties": {"columns": {"type": "array"}, "index": {}, "data": rows},
            "additionalProperties": False,
        },
    }
    return described.get(
        envelope, {"type": ["array", "object"], "description": "rows, records, columns, or one row"}
    )


def _column(column: Column) -> dict[str, Any]:
    kind = _COLUMNS.get(column.type, {})
    if column.type in _INTEGERS:
        bits = _INTEGERS[column.type]
        kind = {"type": "integer", "minimum": -(2 ** (bits - 1)), "maximum": 2 ** (bits - 1) - 1}
    if column.nullable and isinstance(kind.get("type"), str):
        kind = kind | {"type": [kind["type"], "null"]}
    return kind | {"examples": [column_example(column)]}


def _tensor(tensor: Tensor) -> dict[str, Any]:
    leaf = {"b": "boolean", "i": "integer", "u": "integer", "f": "number"}.get(tensor.dtype[0], "string")
    found: dict[str, Any] = {"type": leaf}
    for length in reversed(tensor.shape):
        found = {"type": "array", "items": found} | (
            {} if length < 0 else {"minItems": length, "maxItems": length}
        )
    return found


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


_DETAIL = {
    "code": {"type": "string"},
    "message": {"type": "string"},
    "column": {"type": ["string", "null"]},
    "row": {"type": ["integer", "null"]},
}
_FIXED: dict[str, Any] = {
    "Predictions": {"type": "object", "required": ["predictions"], "properties": {"predictions": {}}},
    "PredictAnswer": {
        "type": "object",
        "required": ["model_version"],
        "properties": {
            "predictions": {"description": "one a row"},
            "probabilities": {"type": "array", "description": "a list a row, in the order of `classes`"},
            "classes": {"type": "array"},
            "prediction": {"description": "of the one row of `features`"},
            "probability": {"type": ["number", "null"]},
            "latency_ms": {"type": "number"},
            "model_version": {"type": "string"},
        },
    },
    "InferRequest": {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": "string"},
            "inputs": {
                "type": "array",
                "minItems": 1,
                "items": {"type": "object", "required": ["name", "shape", "datatype", "data"]},
            },
            "outputs": {"type": "array", "items": {"type": "object", "required": ["name"]}},
        },
    },
    "InferAnswer": {"type": "object", "required": ["model_name", "outputs"]},
    "Error": {
        "type": "object",
        "required": ["error"],
        "properties": {"error": {"type": "object", "required": ["code", "message"], "properties": _DETAIL}},
    },
    "ProtocolError": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}},
}
