"""JSON Schemas of requests to a model, made from its own schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inference.description.examples import column_example
from inference.requests.forms import ENVELOPES, TENSOR_ENVELOPES
from inference.schema import Column, Schema, Tensor

Json = dict[str, Any]

_SCALAR: Json = {"type": ["string", "number", "boolean", "null"]}
_FLOAT32 = 3.4028234663852886e38
_TYPES: dict[str, Json] = {
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer", "format": "int32", "minimum": -(2**31), "maximum": 2**31 - 1},
    "long": {"type": "integer", "format": "int64", "minimum": -(2**63), "maximum": 2**63 - 1},
    "float": {"type": "number", "format": "float", "minimum": -_FLOAT32, "maximum": _FLOAT32},
    "double": {"type": "number", "format": "double"},
    "string": {"type": "string"},
    "binary": {"type": "string", "contentEncoding": "base64"},
    "datetime": {"type": "string", "format": "date-time"},
    "unknown": _SCALAR,
}
_LEAVES = {"b": "boolean", "i": "integer", "u": "integer", "f": "number"}


def ref(name: str) -> Json:
    """A reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def many(items: Json) -> Json:
    """A list with at least one item."""
    return {"type": "array", "items": items, "minItems": 1}


def requests(schema: Schema, *, strict: bool) -> dict[str, Json]:
    """The schemas of a row and of all forms of a request, by name."""
    if schema.tensors:
        found = {"Row": _tensors(schema)}
        forms = [_form(name, ref("Row")) for name in TENSOR_ENVELOPES]
        return {**found, "PredictRequest": {"anyOf": forms}}
    found = {"RowByPosition": _by_position(schema), "DataframeSplit": _split()}
    if schema.named:
        found |= {"Row": _row(schema, strict), "Columns": _columns(schema, strict)}
    else:
        found["Row"] = ref("RowByPosition")
    forms = [
        _form(name, _content(name, schema)) for name in ENVELOPES if schema.named or name != "dataframe_records"
    ]
    if schema.named:
        forms += [_data_with_columns(), _bare(schema, strict), many(ref("Row"))]
    return {**found, "PredictRequest": {"anyOf": forms}}


def _form(envelope: str, content: Json) -> Json:
    beside = {"index": _INDEX} if envelope == "data" else {}
    return {
        "title": envelope,
        "type": "object",
        "required": [envelope],
        "properties": {envelope: content, **beside, **_OPTIONS},
        "additionalProperties": False,
    }


def _data_with_columns() -> Json:
    split = _split()
    return {
        **split,
        "title": "data with columns",
        "required": ["data", "columns"],
        "properties": {**split["properties"], **_OPTIONS},
    }


def _content(envelope: str, schema: Schema) -> Json:
    one = [ref("Row"), ref("RowByPosition")] if schema.named else [ref("RowByPosition")]
    if envelope == "features":
        return {"anyOf": one, "description": "exactly one row; the answer is singular"}
    if envelope == "dataframe_split":
        return ref("DataframeSplit")
    if envelope == "dataframe_records":
        return many(ref("Row"))
    found = [many(item) for item in one]
    if schema.named:
        found += [ref("Columns"), ref("Row")]
    if schema.width == 1:
        found.append(many(_column(schema.columns[0]) if schema.columns else _SCALAR))
    return {"anyOf": found}


def _row(schema: Schema, strict: bool) -> Json:
    return {
        "type": "object",
        "description": "one row, by the columns' names",
        "required": [column.name for column in schema.columns if column.required],
        "properties": {column.name: _column(column) for column in schema.columns},
        "additionalProperties": not strict,
    }


def _bare(schema: Schema, strict: bool) -> Json:
    row = _row(schema, strict)
    options = {name: option for name, option in _OPTIONS.items() if name not in schema.names}
    return {**row, "title": "one row", "properties": {**options, **row["properties"]}}


def _columns(schema: Schema, strict: bool) -> Json:
    row = _row(schema, strict)
    lists = {name: many(column) for name, column in row["properties"].items()}
    return {**row, "description": "equally long columns, by name", "properties": lists}


def _by_position(schema: Schema) -> Json:
    found: Json = {"type": "array", "description": "one row, in the order of the columns"}
    if schema.columns:
        found["prefixItems"] = [_column(column) for column in schema.columns]
    else:
        found["items"] = _SCALAR
    return found | ({"minItems": schema.width, "maxItems": schema.width} if schema.width else {"minItems": 1})


def _split() -> Json:
    return {
        "type": "object",
        "required": ["data"],
        "properties": {
            "columns": {"type": ["array", "null"], "items": {"type": ["string", "integer"]}},
            "index": _INDEX,
            "data": many({"type": "array", "items": {}}),
        },
        "additionalProperties": False,
    }


def _column(column: Column) -> Json:
    return _nullable(_typed(column.type, column.spec), column.nullable) | {"examples": [column_example(column)]}


def _typed(kind: str, spec: Mapping[str, Any]) -> Json:
    """A type of the signature, nested as declared."""
    if kind == "array":
        return {"type": "array", "items": _item(spec.get("items") or {})}
    if kind == "map":
        return {"type": "object", "additionalProperties": _item(spec.get("values") or {})}
    if kind == "object":
        fields: Mapping[str, Any] = spec.get("properties") or {}
        return {
            "type": "object",
            "required": [name for name, field in fields.items() if field.get("required", True)],
            "properties": {
                name: _nullable(_item(field), not field.get("required", True)) for name, field in fields.items()
            },
            "additionalProperties": False,
        }
    return dict(_TYPES.get(kind, {}))


def _item(spec: Mapping[str, Any]) -> Json:
    return _typed(str(spec.get("type")), spec)


def _nullable(found: Json, nullable: bool) -> Json:
    return found | {"type": [found["type"], "null"]} if nullable and isinstance(found.get("type"), str) else found


def _tensors(schema: Schema) -> Json:
    if schema.tensors[0].name is None:
        return _tensor(schema.tensors[0])
    properties = {str(item.name): _tensor(item) for item in schema.tensors}
    named = {"type": "object", "required": list(properties), "properties": properties}
    return {"anyOf": [named, *properties.values()]} if len(properties) == 1 else named


def _tensor(tensor: Tensor) -> Json:
    kind = "O" if tensor.dtype == "object" else tensor.dtype[0]
    found: Json = {} if kind == "O" else {"type": _LEAVES.get(kind, "string")}
    if kind == "f":
        found["type"] = ["number", "null"]
    for length in reversed(tensor.shape):
        found = {"type": "array", "items": found}
        if length >= 0:
            found |= {"minItems": length, "maxItems": length}
    return found


_OPTIONS: dict[str, Json] = {
    "return_probabilities": {
        "type": "boolean",
        "default": False,
        "description": "answer also `probabilities` and `classes`; classifiers only",
    },
    "params": {"type": ["object", "null"], "description": "the model's own parameters, as its signature has them"},
    "model_version": {
        "type": ["string", "null"],
        "description": "refused (409) unless `latest` or the served one",
    },
}
_INDEX: Json = {"description": "not used"}
