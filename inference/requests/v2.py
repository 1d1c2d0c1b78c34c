"""The Open Inference Protocol V2: a request's inputs as a query, an answer as its outputs.

A model with columns takes one input a column, or a single two-dimensional one with all of them in order.
A model with tensors takes its tensors by name. The values are JSON, or bytes after the JSON (the binary
tensor data extension), for each input and output as the client says.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any, NamedTuple

import numpy as np

from inference import outputs
from inference.errors import RequestError, bad_form
from inference.requests import batch, v2_arrays, v2_data
from inference.requests.batch import Rules
from inference.requests.forms import Query
from inference.requests.tables import Batch
from inference.requests.v2_metadata import PREDICT, PROBABILITIES
from inference.requests.values import Array, objects
from inference.schema import Column, Schema

_SIZE, _AS_BYTES, _ALL_AS_BYTES = "binary_data_size", "binary_data", "binary_data_output"
_NONE: Mapping[str, Any] = {}


class Input(NamedTuple):
    """One input of a request: its values in row-major order, elements of BYTES as text or as bytes."""

    name: str
    shape: tuple[int, ...]
    values: Sequence[Any] | Array


@dataclass(frozen=True)
class InferRequest:
    """A query and what the answer must repeat."""

    query: Query
    id: str | None
    wanted: Mapping[str, bool | None]  # outputs, and whether as bytes; empty: all but the probabilities
    binary: bool = False  # outputs that don't say are bytes

    def as_bytes(self, name: str) -> bool:
        """Whether the client wants this output as bytes."""
        own = self.wanted.get(name)
        return self.binary if own is None else own


def read(body: Any, raw: memoryview | None, schema: Schema, rules: Rules) -> InferRequest:
    """The request in a parsed body and in the bytes behind it; None where there can't be any."""
    if not isinstance(body, dict) or not isinstance(body.get("inputs"), list) or not body["inputs"]:
        raise bad_form("the body must be an object with `inputs`, a list")
    identifier = body.get("id")
    if identifier is not None and not isinstance(identifier, str):
        raise bad_form("`id` must be a string")
    parameters = _parameters(body)
    inputs = _inputs(body["inputs"], raw)
    if len({item.name for item in inputs}) < len(inputs):
        raise RequestError("duplicate_column", "two inputs have the same name")
    wanted = _wanted(body.get("outputs"))
    params = {name: value for name, value in parameters.items() if name in schema.params} or None
    query = Query(_batch(inputs, schema, rules), probabilities=PROBABILITIES in wanted, params=params)
    return InferRequest(query, identifier, wanted, _flag(parameters, _ALL_AS_BYTES) or False)


def write(
    request: InferRequest, predictions: Any, probabilities: Any, declared: Sequence[str]
) -> tuple[list[dict[str, Any]], list[bytes]]:
    """The `outputs` of an answer, and the bytes that follow it. `declared` are the signature's names."""
    found = _named_outputs(predictions, declared)
    if probabilities is not None:
        found[PROBABILITIES] = _plain(outputs.probabilities(probabilities))
    for name in request.wanted:
        if name not in found:
            raise RequestError("unknown_output", f"there is no output {name!r}; there are {', '.join(found)}")
    pieces: list[bytes] = []
    entries = [_output(name, found[name], request.as_bytes(name), pieces) for name in request.wanted or found]
    return entries, pieces


def _inputs(items: list[Any], raw: memoryview | None) -> list[Input]:
    inputs, start = [], 0
    for item in items:
        if not isinstance(item, dict) or not isinstance(item.get("name"), str):
            raise bad_form("each input needs a `name`, a string")
        size = _parameters(item).get(_SIZE)
        inputs.append(_input(item, None if size is None else _part(item, raw, start, size)))
        start += size or 0
    if raw is not None and start != len(raw):
        raise bad_form(f"{len(raw) - start} bytes behind the JSON belong to no input")
    return inputs


def _part(item: Mapping[str, Any], raw: memoryview | None, start: int, size: Any) -> memoryview:
    """The bytes of one input."""
    if type(size) is not int or size < 0:
        raise bad_form(f"input {item['name']!r}: `{_SIZE}` must be a number of bytes")
    if raw is None or start + size > len(raw):
        left = 0 if raw is None else len(raw) - start
        message = f"input {item['name']!r} has `{_SIZE}` {size}, but {left} bytes are left behind the JSON"
        raise bad_form(message + (" (is Inference-Header-Content-Length missing?)" if raw is None else ""))
    return raw[start : start + size]


def _input(item: Mapping[str, Any], raw: memoryview | None) -> Input:
    name, shape, datatype = item["name"], item.get("shape"), item.get("datatype")
    if not isinstance(shape, list) or {*map(type, shape)} != {int} or min(shape) < 0 or max(shape) >= 2**31:
        raise bad_form(f"input {name!r}: `shape` must be a list of whole numbers")
    if 0 in shape[1:]:
        raise RequestError("wrong_shape", f"input {name!r}: rows of the shape {shape} hold nothing", column=name)
    if not isinstance(datatype, str) or datatype not in v2_data.DATATYPES:
        raise bad_form(f"input {name!r}: `datatype` must be one of {', '.join(v2_data.DATATYPES)}")
    if ("data" in item) == (raw is not None):
        raise bad_form(f"input {name!r} needs either `data` or the parameter `{_SIZE}`")
    count = math.prod(shape)
    if raw is not None:
        return Input(name, tuple(shape), v2_data.decode(name, raw, datatype, count))
    values = v2_data.leaves(name, item["data"], datatype)
    if len(values) != count:
        message = f"input {name!r}: the shape {shape} holds {count} values, `data` has {len(values)}"
        raise RequestError("wrong_shape", message, column=name)
    return Input(name, tuple(shape), values)


def _batch(inputs: list[Input], schema: Schema, rules: Rules) -> Batch:
    arrays = {item.name: item.values.reshape(item.shape) for item in inputs if isinstance(item.values, np.ndarray)}
    found = v2_arrays.batch_of(schema, arrays, rules) if len(arrays) == len(inputs) else None
    if found is not None:
        return found
    if schema.tensors:
        given = {item.name: _nest(_listed(item), item.shape) for item in inputs}
        unnamed = schema.tensors[0].name is None and len(given) == 1
        return batch.from_tensors(schema, next(iter(given.values())) if unnamed else given, rules)
    if len(inputs) == 1 and inputs[0].name not in schema.names:
        return batch.from_rows(schema, _as_rows(inputs[0], schema), rules)
    return batch.from_columns(schema, _as_columns(inputs, schema), rules)


def _as_columns(inputs: list[Input], schema: Schema) -> dict[str, Sequence[Any]]:
    for item in inputs:
        if math.prod(item.shape[1:]) != 1:
            message = f"input {item.name!r} is one column: its shape must be [n] or [n, 1]"
            raise RequestError("wrong_shape", message, column=item.name)
    if len({item.shape[0] for item in inputs}) > 1:
        raise RequestError("unequal_lengths", "the inputs have different numbers of rows")
    by_name = {column.name: (column,) for column in schema.columns}
    return {item.name: _listed(item, by_name.get(item.name, ())) for item in inputs}


def _as_rows(item: Input, schema: Schema) -> list[Sequence[Any]]:
    if len(item.shape) != 2:
        message = f"input {item.name!r} is no column of this model; as all columns its shape must be [n, columns]"
        raise RequestError("wrong_shape", message, column=item.name)
    width = item.shape[1]
    values = _listed(item, schema.columns)
    return [values[start * width : (start + 1) * width] for start in range(item.shape[0])]


def _listed(item: Input, columns: Sequence[Column] = ()) -> Sequence[Any]:
    """The values as JSON would have given them; they go to the `columns` in turn."""
    values = item.values
    if isinstance(values, np.ndarray):
        return list(values.tolist())
    if not values or type(values[0]) is not bytes:
        return values
    turns = zip(cycle([column.type for column in columns] or ["string"]), values)
    return [_text(item.name, at, kind, raw) for at, (kind, raw) in enumerate(turns)]


def _text(name: str, at: int, kind: str, raw: bytes) -> str:
    if kind == "binary":
        return base64.b64encode(raw).decode()
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise RequestError("wrong_type", f"input {name!r}: value {at} is not UTF-8", column=name) from None


def _nest(values: Any, shape: Sequence[int]) -> Any:
    """The values as lists nested as the shape says."""
    for length in reversed(shape[1:]):
        values = [values[start : start + length] for start in range(0, len(values), max(1, length))]
    return values


def _wanted(requested: Any) -> dict[str, bool | None]:
    if requested is None:
        return {}
    if not isinstance(requested, list) or not all(
        isinstance(item, dict) and isinstance(item.get("name"), str) for item in requested
    ):
        raise bad_form("`outputs` must be a list of objects with a `name`")
    return {item["name"]: _as_bytes(item) for item in requested}


def _as_bytes(item: Mapping[str, Any]) -> bool | None:
    parameters = _parameters(item)
    if parameters.get("classification"):
        raise bad_form("the classification extension is not served; ask for the output `predict_proba`")
    return _flag(parameters, _AS_BYTES)


def _parameters(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Those of the request, or of an input or output."""
    found = item.get("parameters")
    if found is None:
        return _NONE
    if not isinstance(found, dict):
        raise bad_form("`parameters`" + (f" of {item['name']!r}" if "name" in item else "") + " must be an object")
    return found


def _flag(parameters: Mapping[str, Any], name: str) -> bool | None:
    value = parameters.get(name)
    if value is not None and not isinstance(value, bool):
        raise bad_form(f"the parameter `{name}` must be true or false")
    return value


def _named_outputs(predictions: Any, declared: Sequence[str]) -> dict[str, Array]:
    """An output a column of a frame or an entry of a mapping; else one, named as the signature has it."""
    if hasattr(predictions, "to_dict") and hasattr(predictions, "columns"):
        return {str(name): _plain(predictions[name]) for name in predictions.columns}
    if isinstance(predictions, Mapping):
        return {str(name): _plain(value) for name, value in predictions.items()}
    if hasattr(predictions, "toarray"):
        predictions = predictions.toarray()
    return {declared[0] if len(declared) == 1 else PREDICT: _plain(predictions)}


def _plain(value: Any) -> Array:
    """An array, of a type that the protocol has where the values allow it; ragged lists stay objects."""
    try:
        array = np.asarray(value)
        return np.asarray(array.tolist()) if array.dtype.kind == "O" else array
    except ValueError:
        return objects(value)


def _output(name: str, array: Array, as_bytes: bool, pieces: list[bytes]) -> dict[str, Any]:
    """The output's entry; its bytes, where they are wanted, become one more of the `pieces`."""
    array = np.atleast_1d(array)
    datatype = v2_data.datatype_of(array.dtype)
    entry: dict[str, Any] = {"name": name, "shape": list(array.shape), "datatype": datatype}
    values = _texts(array) if datatype == "BYTES" else None
    if as_bytes:
        pieces.append(v2_data.encode(array, values))
        return entry | {"parameters": {_SIZE: len(pieces[-1])}}
    return entry | {"data": values if values is not None else outputs.jsonable(array.ravel())}


def _texts(array: Array) -> list[str]:
    leaves = outputs.jsonable(array.ravel())
    return [leaf if isinstance(leaf, str) else outputs.dumps(leaf).decode().strip('"') for leaf in leaves]
