"""The OpenAPI 3.1 document, with the model's own columns and requests that work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inference import __version__
from inference.description import examples
from inference.description.openapi_answers import ANSWERS
from inference.description.openapi_schemas import Json, ref, requests
from inference.requests import v2_metadata
from inference.schema import Schema
from inference.settings import Release

_TAGS = {
    "predictions": "Ask the model",
    "release": "What is served",
    "health": "Whether it is served",
    "mlflow": "The protocol of MLflow's scoring server",
    "v2": "The Open Inference Protocol, version 2",
    "pages": "For people and programs that look around",
}
_ERRORS = {
    400: "the request is not understood, or the model refuses a value",
    404: "no such model, or no such version of it",
    408: "the request did not arrive in time",
    409: "another model version was asked for",
    413: "the body or its number of rows is over the limit",
    415: "the body's Content-Type is not taken",
    500: "the model or the hooks failed; the server's log has the reason",
    503: "the model is not ready, or too many requests are waiting",
}
_ASKED = (400, 408, 409, 413, 415, 500, 503)
_READING: tuple[tuple[str, str, str, str, str | None], ...] = (
    # path, operationId, tag, summary, schema of the answer (None: text)
    ("/health", "health", "health", "Starting, ready, failed or stopping, and why", "Health"),
    ("/livez", "live", "health", "The process answers", "Alive"),
    ("/readyz", "ready", "health", "Predictions are answered", "Ready"),
    ("/metadata", "metadata", "release", "Name, version, run, commit, digest and signature", "Release"),
    ("/model/info", "modelInfo", "release", "What the loaded model takes and gives", "ModelInfo"),
    ("/metrics", "metrics", "health", "Figures for Prometheus", None),
    ("/ping", "ping", "mlflow", "Ready, as MLflow's scoring server says it", None),
    ("/version", "mlflowVersion", "mlflow", "The version of MLflow that serves the model", None),
    ("/v2", "v2Server", "v2", "Server metadata", "ServerMetadata"),
    ("/v2/health/live", "v2Live", "v2", "Server live", "ServerLive"),
    ("/v2/health/ready", "v2Ready", "v2", "Server ready", "ServerReady"),
    ("/v2/models/{model_name}", "v2Model", "v2", "Model metadata", "ModelMetadata"),
    ("/v2/models/{model_name}/ready", "v2ModelReady", "v2", "Model ready", "ModelReady"),
)
_WHEN_NOT_READY = {"/health": "Health", "/readyz": "Ready", "/v2/health/ready": "ServerReady", "/ping": None}
"""Paths whose 503 is no error, and its schema."""

_JSON_LENGTH: Json = {
    "description": "bytes of the JSON at the body's start, where tensors follow it as bytes",
    "schema": {"type": "integer"},
}
_RETRY: Json = {"description": "seconds to wait", "schema": {"type": "integer"}}


def document(
    release: Release, schema: Schema | None, example: Mapping[str, Any] | None, *, strict: bool = False
) -> Json:
    """The whole document; without a schema (the model is still loading) the columns are left open."""
    known = schema or Schema(named=False, origin="none")
    example = example or examples.from_types(known)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": release.name,
            "version": release.version,
            "description": "Predictions of one model over HTTP.",
            "x-server-version": __version__,
        },
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": {
            **_predictions(known, example),
            **_infer(release, known, example),
            **_reading(release),
            **_pages(),
        },
        "components": {"schemas": {**requests(known, strict=strict), **ANSWERS}},
    }


def _predictions(schema: Schema, example: Mapping[str, Any] | None) -> Json:
    forms = examples.in_each_form(example, schema) if example else {}
    body = _json("PredictRequest", {name: {"value": value} for name, value in forms.items()})
    predict = _asking("predict", "predictions", "Predict", body, _json("PredictAnswer"))
    # The last form of MLflow's protocol is CSV, which only /invocations takes.
    table: Json = {"text/csv": {"schema": {"type": "string"}}}
    text = examples.as_csv(example, schema) if example else None
    if text:
        table["text/csv"]["example"] = text
    both = body if schema.tensors else {**body, **table}
    summary = "Predict, as MLflow's scoring server"
    invocations = _asking("invocations", "mlflow", summary, both, _json("Predictions"))
    return {"/predict": {"post": predict}, "/invocations": {"post": invocations}}


def _infer(release: Release, schema: Schema, example: Mapping[str, Any] | None) -> Json:
    found = v2_metadata.example(example, schema) if example else None
    body = _json("InferRequest", {"JSON": {"value": found}} if found else {})
    answer = {**_json("InferAnswer"), "application/octet-stream": {"schema": {"type": "string"}}}
    paths: Json = {}
    for path, operation in (
        ("/v2/models/{model_name}/infer", "v2Infer"),
        ("/v2/models/{model_name}/versions/{model_version}/infer", "v2InferVersion"),
    ):
        post = _asking(operation, "v2", "Predict, Open Inference Protocol", body, answer, "ProtocolError")
        post["responses"]["404"] = _refusal(404, "ProtocolError")
        post["responses"]["200"]["headers"] = {"Inference-Header-Content-Length": _JSON_LENGTH}
        paths[path] = {"post": {**post, "parameters": _parameters(path, release)}}
    return paths


def _asking(operation: str, tag: str, summary: str, body: Json, answer: Json, error: str = "Error") -> Json:
    responses: Json = {"200": {"description": "the predictions", "content": answer}}
    responses |= {str(status): _refusal(status, error) for status in _ASKED}
    return {
        "operationId": operation,
        "tags": [tag],
        "summary": summary,
        "requestBody": {"required": True, "content": body},
        "responses": responses,
    }


def _reading(release: Release) -> Json:
    paths: Json = {}
    for path, operation, tag, summary, schema in _READING:
        paths[path] = {"get": _get(path, operation, tag, summary, schema, release)}
        if "{" in path:
            versioned = path.replace("{model_name}", "{model_name}/versions/{model_version}")
            paths[versioned] = {"get": _get(versioned, f"{operation}Version", tag, summary, schema, release)}
    return paths


def _get(path: str, operation: str, tag: str, summary: str, schema: str | None, release: Release) -> Json:
    responses: Json = {"200": {"description": summary, "content": _json(schema) if schema else _TEXT}}
    named = "{" in path
    if path in _WHEN_NOT_READY:
        other = _WHEN_NOT_READY[path]
        responses["503"] = {"description": "not ready", "content": _json(other) if other else _TEXT}
    elif path.endswith("/ready"):
        responses["503"] = {"description": "not ready", "content": _json("ModelReady")}
    elif named or path == "/model/info":
        responses["503"] = _refusal(503, "ProtocolError" if named else "Error")
    if named:
        responses["404"] = _refusal(404, "ProtocolError")
    found = {"operationId": operation, "tags": [tag], "summary": summary, "responses": responses}
    return {**found, "parameters": _parameters(path, release)} if named else found


def _pages() -> Json:
    pages = {"/": ("home", "What this is, for people"), "/docs": ("docs", "The API, with a form to try it")}
    html = {"text/html": {"schema": {"type": "string"}}}
    found = {path: {"get": _page(operation, summary, html)} for path, (operation, summary) in pages.items()}
    described = {"application/json": {"schema": {"type": "object"}}}
    return {**found, "/openapi.json": {"get": _page("openapi", "This document", described)}}


def _page(operation: str, summary: str, content: Json) -> Json:
    responses = {"200": {"description": summary, "content": content}}
    return {"operationId": operation, "tags": ["pages"], "summary": summary, "responses": responses}


def _parameters(path: str, release: Release) -> list[Json]:
    """Path parameters, of which only one value is served."""
    served = {"model_name": release.name, "model_version": release.version}
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "enum": [value]},
            "example": value,
        }
        for name, value in served.items()
        if f"{{{name}}}" in path
    ]


_TEXT: Json = {"text/plain": {"schema": {"type": "string"}}}


def _json(schema: str, named: Json | None = None) -> Json:
    return {"application/json": {"schema": ref(schema), **({"examples": named} if named else {})}}


def _refusal(status: int, schema: str) -> Json:
    found: Json = {"description": _ERRORS[status], "content": _json(schema)}
    return {**found, "headers": {"Retry-After": _RETRY}} if status == 503 else found
