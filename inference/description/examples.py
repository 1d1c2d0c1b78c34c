"""Requests that a person can copy: from the model's own input example, else made from the types."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inference.errors import RequestError
from inference.requests import forms
from inference.requests.batch import Rules
from inference.schema import Column, Schema, Tensor

_VALUES: dict[str, Any] = {
    "boolean": True,
    "integer": 1,
    "long": 1,
    "float": 0.5,
    "double": 0.5,
    "string": "text",
    "binary": "dGFnc2hpcA==",
    "datetime": "2024-01-31T12:00:00",
    "unknown": 0.5,
}


def candidates(folder: Path, mlmodel: Mapping[str, Any], schema: Schema) -> list[dict[str, Any]]:
    """Bodies for /predict that the schema takes, the most telling first."""
    found = [_logged(folder, mlmodel, schema), from_types(schema)]
    return [body for body in found if body is not None and _is_taken(body, schema)]


def from_types(schema: Schema) -> dict[str, Any] | None:
    """One row made up from the declared types; None where not even the width is known."""
    if schema.tensors:
        first = schema.tensors[0]
        if first.name is None:
            return {"inputs": _tensor(first)}
        return {"inputs": {str(tensor.name): _tensor(tensor) for tensor in schema.tensors}}
    if schema.columns and schema.named:
        return {"instances": [{column.name: _value(column.spec, column.type) for column in schema.columns}]}
    if schema.columns:
        return {"instances": [[_value(column.spec, column.type) for column in schema.columns]]}
    return {"instances": [[0.5] * schema.width]} if schema.width else None


def in_each_form(body: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """The example in the forms that mean the same, by a name for each; the first is the example itself."""
    if schema.tensors:
        return {"inputs": body, "instances": {"instances": next(iter(body.values()))}}
    row = next(iter(body.values()))[0]
    if not schema.named:
        return {
            "rows": body,
            "features": {"features": row},
            "dataframe_split": {"dataframe_split": {"data": [row]}},
        }
    names, values = list(row), list(row.values())
    forms = {
        "records": body,
        "columns": {"inputs": {name: [value] for name, value in row.items()}},
        "rows": {"instances": [[row.get(column.name) for column in schema.columns]]},
        "features": {"features": row},
        "dataframe_split": {"dataframe_split": {"columns": names, "data": [values]}},
        "dataframe_records": {"dataframe_records": [row]},
        "data with columns": {"data": [values], "columns": names},
        "one row": row,
        "list": [row],
    }
    return {name: form for name, form in forms.items() if _is_taken(form, schema)}


def as_csv(body: Mapping[str, Any], schema: Schema) -> str | None:
    """The example as text/csv; None where a cell of text cannot hold its values."""
    if schema.tensors:
        return None
    row = next(iter(body.values()))[0]
    cells = row if isinstance(row, dict) else dict(enumerate(row))
    if any(isinstance(value, dict | list) for value in cells.values()):
        return None
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        [cells, ["" if value is None else value for value in cells.values()]]
    )
    return text.getvalue()


def _is_taken(body: Any, schema: Schema) -> bool:
    try:
        forms.read(body, schema, Rules(version=""))
    except RequestError:
        return False
    return True


def _logged(folder: Path, mlmodel: Mapping[str, Any], schema: Schema) -> dict[str, Any] | None:
    """The first row of the example that was logged with the model."""
    info = mlmodel.get("saved_input_example_info") or {}
    try:
        path = folder / str(info.get("artifact_path", "input_example.json"))
        content = json.loads(path.read_text(encoding="utf-8"))
        return _first_row(_without_nan(content), schema)
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        return None  # there is none, or it has a form that only MLflow reads


def _first_row(content: Any, schema: Schema) -> dict[str, Any] | None:
    if isinstance(content, list):
        return {"instances": content[:1]}
    if "inputs" in content and schema.tensors:
        value = content["inputs"]
        return {"inputs": {key: item[:1] for key, item in value.items()} if isinstance(value, dict) else value[:1]}
    if "inputs" in content:
        return {"instances": content["inputs"][:1]}
    row = content["data"][0]
    if not schema.named:
        return {"instances": [row]}
    names = content.get("columns") or [column.name for column in schema.columns]
    return {"instances": [{str(name): value for name, value in zip(names, row, strict=True)}]}


def _without_nan(content: Any) -> Any:
    """MLflow writes a gap as NaN, which no request may hold."""
    if isinstance(content, dict):
        return {key: _without_nan(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_without_nan(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def _value(spec: Mapping[str, Any], kind: str | None = None) -> Any:
    """A value for a signature's type, nested as declared."""
    kind = kind or str(spec.get("type"))
    if kind == "array":
        return [_value(spec.get("items") or {})]
    if kind == "map":
        return {"key": _value(spec.get("values") or {})}
    if kind == "object":
        return {name: _value(item) for name, item in (spec.get("properties") or {}).items()}
    return _VALUES.get(kind, "text")


def _tensor(tensor: Tensor) -> Any:
    leaf: Any = {"b": True, "i": 1, "u": 1, "f": 0.5}.get(_kind(tensor.dtype), "text")
    for length in reversed(tensor.shape):
        leaf = [leaf] * (1 if length < 0 else length)
    return leaf


def _kind(dtype: str) -> str:
    return "?" if dtype.startswith(("str", "object", "<U")) else dtype[0]


def column_example(column: Column) -> Any:
    """An example value for one column, for the OpenAPI document."""
    return _value(column.spec, column.type)
