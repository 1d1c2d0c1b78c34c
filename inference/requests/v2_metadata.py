"""The inputs and outputs that the Open Inference Protocol's model metadata tells of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from inference.requests.v2_data import datatype_of
from inference.schema import Schema

PREDICT, PROBABILITIES = "predict", "predict_proba"
"""Names of the outputs of a model that names none itself."""

_COLUMN_DATATYPES = {
    "boolean": "BOOL",
    "integer": "INT32",
    "long": "INT64",
    "float": "FP32",
    "double": "FP64",
    "unknown": "FP64",
}


def inputs(schema: Schema) -> list[dict[str, Any]]:
    """An input a column, or a tensor; one for all columns where they have no names."""
    if schema.tensors:
        return [_tensor(item.name or "input", tensor_datatype(item.dtype), item.shape) for item in schema.tensors]
    if not schema.named or not schema.columns:
        kinds = {_column_datatype(column.type) for column in schema.columns} or {"FP64"}
        return [_tensor("input", kinds.pop() if len(kinds) == 1 else "FP64", [-1, schema.width or -1])]
    return [_tensor(column.name, _column_datatype(column.type), [-1, 1]) for column in schema.columns]


def outputs(declared: Sequence[Mapping[str, Any]], classes: Sequence[Any] | None) -> list[dict[str, Any]]:
    """From the signature's outputs; without them from the classes; else a number a row is supposed."""
    found = [_declared(item, name) for item, name in zip(declared, names(declared), strict=True)]
    several = bool(classes) and isinstance(classes[0], list) if classes else False
    if not found:
        labels = np.asarray(classes[0] if several else classes) if classes else np.empty(0)
        found = [_tensor(PREDICT, datatype_of(labels.dtype), [-1, len(classes)] if several and classes else [-1])]
    if classes is not None and not several:
        found.append(_tensor(PROBABILITIES, "FP64", [-1, len(classes)]))
    return found


def names(declared: Sequence[Mapping[str, Any]]) -> list[str]:
    """The outputs' names, in the signature's order."""
    default = [PREDICT] if len(declared) == 1 else map(str, range(len(declared)))  # as an unnamed frame's columns
    return [str(item.get("name") or name) for item, name in zip(declared, default, strict=True)]


def tensor_datatype(dtype: str) -> str:
    """The datatype of a signature's tensor."""
    return "BYTES" if dtype in ("str", "object") else datatype_of(np.dtype(dtype))


def _declared(item: Mapping[str, Any], name: str) -> dict[str, Any]:
    spec = item.get("tensor-spec")
    if spec:
        return _tensor(name, tensor_datatype(str(spec["dtype"])), spec["shape"])
    return _tensor(name, _column_datatype(str(item.get("type"))), [-1])


def _column_datatype(kind: str) -> str:
    return _COLUMN_DATATYPES.get(kind, "BYTES")


def _tensor(name: str, datatype: str, shape: Sequence[int]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": list(shape)}


def example(body: Mapping[str, Any], schema: Schema) -> dict[str, Any] | None:
    """The example for /predict as a request of this protocol; None where a value has no datatype."""
    value = next(iter(body.values()))
    if schema.tensors:
        value = value if isinstance(value, dict) else {"input": value}
    elif schema.named and schema.columns:
        value = {name: [[cell]] for name, cell in value[0].items()}
    else:
        value = {"input": value}
    found = [_filled(spec, value[spec["name"]]) for spec in inputs(schema) if spec["name"] in value]
    return None if None in found else {"inputs": found}


def _filled(spec: Mapping[str, Any], data: Any) -> dict[str, Any] | None:
    shape, leaves = [], data
    while isinstance(leaves, list):
        shape.append(len(leaves))
        leaves = leaves[0] if leaves else None
    if isinstance(leaves, dict) or len(shape) != len(spec["shape"]):
        return None
    return {**spec, "shape": shape, "data": data}
