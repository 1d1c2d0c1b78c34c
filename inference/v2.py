"""The Open Inference Protocol V2 in JSON: its inputs as a query, an answer as its outputs.

A model with columns takes one input a column, or a single two-dimensional one with all of them in order.
A model with tensors takes its tensors by name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from inference import batch, outputs
from inference.batch import Rules
from inference.errors import RequestError, bad_form
from inference.forms import Query
from inference.schema import Schema
from inference.tables import Batch
from inference.values import Array, objects

_LIMITS = {
    f"{sign}{bits}": np.iinfo(f"{sign.lower()}{bits}") for sign in ("INT", "UINT") for bits in (8, 16, 32, 64)
}
_FLOATS = frozenset({"FP16", "FP32", "FP64"})
_DATATYPES = frozenset({"BOOL", "BYTES", *_FLOATS, *_LIMITS})
_COLUMN_DATATYPES = {
    "boolean": "BOOL",
    "integer": "INT32",
    "long": "INT64",
    "float": "FP32",
    "double": "FP64",
    "unknown": "FP64",
}
_PREDICT, _PROBABILITIES = "predict", "predict_proba"


@dataclass(frozen=True)
class Input:
    """One input of a request: its leaves in row-major order."""

    name: str
    shape: tuple[int, ...]
    leaves: list[Any]


@dataclass(frozen=True)
class InferRequest:
    """A query and what the answer must repeat."""

    query: Query
    id: str | None
    wanted: tuple[str, ...]  # names of outputs; empty: all but the probabilities


def read(body: Any, schema: Schema, rules: Rules) -> InferRequest:
    """The request in a parsed body."""
    if not isinstance(body, dict) or not isinstance(body.get("inputs"), list) or not body["inputs"]:
        raise bad_form("the body must be an object with `inputs`, a list")
    identifier = body.get("id")
    if identifier is not None and not isinstance(identifier, str):
        raise bad_form("`id` must be a string")
    inputs = [_input(item) for item in body["inputs"]]
    if len({item.name for item in inputs}) < len(inputs):
        raise RequestError("duplicate_column", "two inputs have the same name")
    wanted = _wanted(body.get("outputs"))
    query = Query(_batch(inputs, schema, rules), probabilities=_PROBABILITIES in wanted)
    return InferRequest(query, identifier, wanted)


def write(request: InferRequest, predictions: Any, probabilities: Any) -> list[dict[str, Any]]:
    """The `outputs` of an answer."""
    found = _named_outputs(predictions)
    if probabilities is not None:
        found[_PROBABILITIES] = _plain(outputs.probabilities(probabilities))
    for name in request.wanted:
        if name not in found:
            raise RequestError("unknown_output", f"there is no output {name!r}; there are {', '.join(found)}")
    names = request.wanted or tuple(found)
    return [_output(name, found[name]) for name in names]


def input_metadata(schema: Schema | None) -> list[dict[str, Any]]:
    """The `inputs` of the model's metadata."""
    if schema is None:
        return []
    if schema.tensors:
        return [
            {"name": item.name or "input", "datatype": _datatype(item.dtype), "shape": list(item.shape)}
            for item in schema.tensors
        ]
    if not schema.named or not schema.columns:
        return [{"name": "input", "datatype": "FP64", "shape": [-1, schema.width or -1]}]
    return [
        {
            "name": column.name,
            "datatype": _COLUMN_DATATYPES.get(column.type, "BYTES"),
            "shape": [-1, 1],
        }
        for column in schema.columns
    ]


def output_metadata(declared: Sequence[Mapping[str, Any]], classes: Sequence[Any] | None) -> list[dict[str, Any]]:
    """The `outputs` of the model's metadata, from the signature's outputs where it has any."""
    first = declared[0] if declared else {}
    spec = first.get("tensor-spec") or {}
    datatype = _datatype(spec["dtype"]) if spec else _COLUMN_DATATYPES.get(str(first.get("type")), "BYTES")
    found = [{"name": _PREDICT, "datatype": datatype if first else "FP64", "shape": list(spec.get("shape", [-1]))}]
    if classes is not None:
        found.append({"name": _PROBABILITIES, "datatype": "FP64", "shape": [-1, len(classes)]})
    return found


def _input(item: Any) -> Input:
    if not isinstance(item, dict) or not {"name", "shape", "datatype", "data"} <= set(item):
        raise bad_form("each input needs `name`, `shape`, `datatype` and `data`")
    name, shape, datatype = item["name"], item["shape"], item["datatype"]
    if not isinstance(name, str):
        raise bad_form("an input's `name` must be a string")
    if not isinstance(shape, list) or not shape or not all(type(n) is int and 0 <= n < 2**31 for n in shape):
        raise bad_form(f"input {name!r}: `shape` must be a list of whole numbers")
    if datatype not in _DATATYPES if isinstance(datatype, str) else True:
        raise bad_form(f"input {name!r}: `datatype` must be one of {', '.join(sorted(_DATATYPES))}")
    leaves = _leaves(name, item["data"])
    if len(leaves) != math.prod(shape):
        message = f"input {name!r}: the shape {shape} holds {math.prod(shape)} values, `data` has {len(leaves)}"
        raise RequestError("wrong_shape", message, column=name)
    for position, leaf in enumerate(leaves):
        if leaf is not None and not _fits(leaf, datatype):
            message = f"input {name!r}: value {position} is no {datatype}"
            raise RequestError("wrong_type", message, column=name)
    return Input(name, tuple(shape), leaves)


def _leaves(name: str, data: Any) -> list[Any]:
    """`data` may be flat or nested; a loop, since it may be nested deeper than Python recurses."""
    if not isinstance(data, list):
        raise bad_form(f"input {name!r}: `data` must be a list")
    level = data
    while any(isinstance(item, list) for item in level):
        if not all(isinstance(item, list) for item in level):
            raise bad_form(f"input {name!r}: `data` is nested unevenly")
        level = [leaf for item in level for leaf in item]
    return level


def _fits(leaf: Any, datatype: str) -> bool:
    if datatype == "BOOL":
        return isinstance(leaf, bool)
    if datatype == "BYTES":
        return isinstance(leaf, str)
    if datatype in _FLOATS:
        return isinstance(leaf, int | float) and not isinstance(leaf, bool)
    limits = _LIMITS[datatype]
    return type(leaf) is int and limits.min <= leaf <= limits.max


def _batch(inputs: list[Input], schema: Schema, rules: Rules) -> Batch:
    if schema.tensors:
        given = {item.name: _nest(item.leaves, item.shape) for item in inputs}
        if schema.tensors[0].name is None and len(inputs) == 1:
            return batch.from_tensors(schema, next(iter(given.values())), rules)
        return batch.from_tensors(schema, given, rules)
    only = inputs[0]
    if len(inputs) == 1 and only.name not in schema.names:
        return batch.from_rows(schema, _as_rows(only), rules)
    for item in inputs:
        if math.prod(item.shape[1:]) != 1:
            message = f"input {item.name!r} is one column: its shape must be [n] or [n, 1]"
            raise RequestError("wrong_shape", message, column=item.name)
    if len({item.shape[0] for item in inputs}) > 1:
        raise RequestError("unequal_lengths", "the inputs have different numbers of rows")
    return batch.from_columns(schema, {item.name: item.leaves for item in inputs}, rules)


def _as_rows(item: Input) -> list[list[Any]]:
    if len(item.shape) != 2:
        message = f"input {item.name!r} is no column of this model; as all columns its shape must be [n, columns]"
        raise RequestError("wrong_shape", message, column=item.name)
    width = item.shape[1]
    return [item.leaves[start * width : (start + 1) * width] for start in range(item.shape[0])]


def _nest(leaves: list[Any], shape: Sequence[int]) -> Any:
    """The leaves as lists nested as the shape says."""
    for length in reversed(shape[1:]):
        leaves = [leaves[start : start + length] for start in range(0, len(leaves), max(1, length))]
    return leaves


def _wanted(requested: Any) -> tuple[str, ...]:
    if requested is None:
        return ()
    if not isinstance(requested, list) or not all(
        isinstance(item, dict) and isinstance(item.get("name"), str) for item in requested
    ):
        raise bad_form("`outputs` must be a list of objects with a `name`")
    return tuple(dict.fromkeys(item["name"] for item in requested))


def _named_outputs(predictions: Any) -> dict[str, Array]:
    if hasattr(predictions, "to_dict") and hasattr(predictions, "columns"):  # a frame: an output a column
        return {str(name): _plain(predictions[name]) for name in predictions.columns}
    if isinstance(predictions, Mapping):
        return {str(name): _plain(value) for name, value in predictions.items()}
    if hasattr(predictions, "toarray"):
        predictions = predictions.toarray()
    return {_PREDICT: _plain(predictions)}


def _plain(value: Any) -> Array:
    """An array, of a type that the protocol has where the values allow it; ragged lists stay objects."""
    try:
        array = np.asarray(value)
        return np.asarray(array.tolist()) if array.dtype.kind == "O" else array
    except ValueError:
        return objects(value)


def _output(name: str, array: Array) -> dict[str, Any]:
    array = np.atleast_1d(array)
    datatype = _datatype(str(array.dtype))
    leaves = outputs.jsonable(array.ravel())
    if datatype == "BYTES":
        leaves = [leaf if isinstance(leaf, str) else outputs.dumps(leaf).decode().strip('"') for leaf in leaves]
    return {"name": name, "shape": list(array.shape), "datatype": datatype, "data": leaves}


def _datatype(dtype: str) -> str:
    kind = np.dtype("O" if dtype in ("str", "object") or dtype.startswith("datetime") else dtype)
    prefix = {"b": "BOOL", "i": "INT", "u": "UINT", "f": "FP"}.get(kind.kind, "BYTES")
    return prefix if prefix in ("BOOL", "BYTES") else f"{prefix}{kind.itemsize * 8}"
