"""JSON Schemas that are the same for every model: what the server answers, and the Open Inference Protocol."""

from __future__ import annotations

from typing import Any

from inference.description.openapi_schemas import Json, many
from inference.requests.v2_data import DATATYPES


def _object(required: dict[str, Json], optional: dict[str, Json] | None = None, **more: Any) -> Json:
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **(optional or {})},
        **more,
    }


_TENSOR_DATA: Json = {"$ref": "#/components/schemas/TensorData"}
_SCALAR: Json = {"type": ["string", "number", "boolean", "null"]}
_TEXT: Json = {"type": "string"}
_TEXT_OR_NULL: Json = {"type": ["string", "null"]}
_FLAG: Json = {"type": "boolean"}
_STATE: Json = {"type": "string", "enum": ["starting", "ready", "failed", "stopping"]}
_PREDICTIONS: Json = {
    "description": "one a row, in the rows' order: a label, a number, or a list or object of them"
}
_BY_CLASS: dict[str, Json] = {
    "probabilities": {"type": "array", "description": "in the order of `classes`; of several rows a list each"},
    "classes": {"type": "array", "description": "the labels that the probabilities belong to"},
}
_LABELS = {"type": ["array", "null"]}
_PLACE: dict[str, Json] = {
    "column": {"type": ["string", "null"], "description": "the column at fault"},
    "row": {"type": ["integer", "null"], "description": "the row at fault, counted from 0"},
}
_REQUEST_ID: dict[str, Json] = {"request_id": {"type": "string", "description": "where the log has the reason"}}
_PARAMETERS: Json = {"type": ["object", "null"], "description": "extensions, e.g. `binary_data_output`"}
_SHAPE: Json = {"type": "array", "items": {"type": "integer"}, "minItems": 1}
_DATATYPE: Json = {"type": "string", "enum": list(DATATYPES)}
_SPEC: Json = _object({"name": _TEXT, "datatype": _DATATYPE, "shape": _SHAPE})

ANSWERS: dict[str, Json] = {
    "Predictions": _object({"predictions": _PREDICTIONS}, _BY_CLASS),
    "PredictAnswer": {
        "anyOf": [
            _object({"predictions": _PREDICTIONS, "model_version": _TEXT}, _BY_CLASS, title="rows"),
            _object(
                {
                    "prediction": {"description": "of the one row"},
                    "probability": {"type": ["number", "null"], "description": "of the predicted class"},
                    "model_version": _TEXT,
                    "latency_ms": {"type": "number", "minimum": 0},
                },
                _BY_CLASS,
                title="features",
            ),
        ]
    },
    "Error": _object(
        {"error": _object({"code": _TEXT, "message": _TEXT, **_PLACE})},
        _REQUEST_ID,
    ),
    "ProtocolError": _object({"error": _TEXT}, {"code": _TEXT, **_PLACE, **_REQUEST_ID}),
    "Alive": _object({"status": {"const": "alive"}}),
    "Ready": _object({"status": _STATE}),
    "Health": _object({"status": _STATE, "reason": _TEXT_OR_NULL, "model": _TEXT, "model_version": _TEXT}),
    "Release": _object(
        {"name": _TEXT, "version": _TEXT},
        {
            **dict.fromkeys(
                ("run_id", "commit", "data_hash", "digest", "registered_version", "created"), _TEXT_OR_NULL
            ),
            "flavors": {"type": ["array", "null"], "items": _TEXT},
            "signature": {"type": ["object", "null"], "description": "MLflow's, as it is in the MLmodel file"},
            "server_version": _TEXT,
        },
    ),
    "ModelInfo": _object(
        {
            "name": _TEXT,
            "version": _TEXT,
            "columns": {
                "type": "array",
                "items": _object({"name": _TEXT_OR_NULL, "type": _TEXT, "required": _FLAG}),
            },
            "tensors": {
                "type": "array",
                "items": _object({"name": _TEXT_OR_NULL, "dtype": _TEXT, "shape": _SHAPE}),
            },
            "width": {"type": ["integer", "null"]},
            "classes": _LABELS,
            "unchecked": {"type": "array", "items": _TEXT, "description": "what cannot be checked in a request"},
        },
        {"params": {"type": "array", "items": _TEXT}, "load_seconds": {"type": ["number", "null"]}},
    ),
    "TensorData": {
        "type": "array",
        "items": {"anyOf": [_TENSOR_DATA, _SCALAR]},
        "description": "flat in row-major order, or nested",
    },
    "InferRequest": _object(
        {
            "inputs": many(
                _object(
                    {
                        "name": _TEXT,
                        "shape": {**_SHAPE, "items": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}},
                        "datatype": _DATATYPE,
                        "data": _TENSOR_DATA,
                    },
                    {"parameters": _PARAMETERS},
                )
            )
        },
        {
            "id": _TEXT_OR_NULL,
            "parameters": _PARAMETERS,
            "outputs": {
                "type": ["array", "null"],
                "items": _object({"name": _TEXT}, {"parameters": _PARAMETERS}),
                "description": "all but the probabilities, where it is left out",
            },
        },
    ),
    "InferAnswer": _object(
        {
            "model_name": _TEXT,
            "model_version": _TEXT,
            "outputs": {
                "type": "array",
                "items": _object(
                    {"name": _TEXT, "shape": _SHAPE, "datatype": _DATATYPE},
                    {"data": _TENSOR_DATA, "parameters": {"type": "object"}},
                ),
            },
        },
        {"id": _TEXT},
    ),
    "ServerMetadata": _object({"name": _TEXT, "version": _TEXT, "extensions": {"type": "array", "items": _TEXT}}),
    "ModelMetadata": _object(
        {
            "name": _TEXT,
            "versions": {"type": "array", "items": _TEXT},
            "platform": _TEXT,
            "inputs": {"type": "array", "items": _SPEC},
            "outputs": {"type": "array", "items": _SPEC},
        }
    ),
    "ServerLive": _object({"live": _FLAG}),
    "ServerReady": _object({"ready": _FLAG}),
    "ModelReady": _object({"name": _TEXT, "ready": _FLAG}),
}
"""By name."""
