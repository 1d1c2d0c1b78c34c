"""The model's input as one object, read from the MLmodel file's signature without MLflow.

It drives the reading of requests, the OpenAPI document and the example. Where a model has no signature,
`without_signature` takes what the loaded model itself knows: names, or only a width.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

SCALAR_TYPES = frozenset(
    {"boolean", "integer", "long", "float", "double", "string", "binary", "datetime", "unknown"}
)
"""Types whose values are JSON scalars; `unknown` is a column of a model without a signature."""

CHECKED_NESTED_TYPES = frozenset({"array", "object", "map"})
"""Types whose values are lists or objects that the signature describes."""

NESTED_TYPES = CHECKED_NESTED_TYPES | {"any"}
"""Types whose values may be lists or objects; `any` is handed to the model as it comes."""

FLOAT_TYPES = frozenset({"float", "double"})

LARGEST_EXACT = 2**53 - 1
"""A float of 64 bits that is no larger was no other whole number before; 2**53 may have been 2**53 + 1."""

_DTYPES: dict[str, np.dtype[Any]] = {
    "integer": np.dtype(np.int32),
    "long": np.dtype(np.int64),
    "float": np.dtype(np.float32),
    "double": np.dtype(np.float64),
}
_LARGEST = {
    "integer": float(np.iinfo(np.int32).max),
    "long": float(LARGEST_EXACT),
    "float": float(np.finfo(np.float32).max),
    "double": float(np.finfo(np.float64).max),
}


class SchemaError(Exception):
    """The MLmodel file's signature cannot be read."""


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    name: str
    key: str | int  # as the model's own frame calls it: pandas' default names are numbers
    type: str
    required: bool = True
    spec: Mapping[str, Any] = field(default_factory=dict)  # the signature's entry, for nested types

    @property
    def nullable(self) -> bool:
        """A gap is a NaN in a float column; elsewhere only an optional column has gaps."""
        return not self.required or self.type in FLOAT_TYPES | {"any", "unknown"}

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """Of its values, where they are declared to be numbers."""
        return _DTYPES.get(self.type)


@dataclass(frozen=True)
class Tensor:
    """An array input; -1 in the shape is any length."""

    name: str | None
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Schema:
    """What a request must hold.

    Either `tensors`, or `columns`, or neither: then only rows of `width` (None: unknown) are taken.
    """

    columns: tuple[Column, ...] = ()
    tensors: tuple[Tensor, ...] = ()
    named: bool = True  # whether columns are found by name; else only by position
    width: int | None = None
    origin: Literal["signature", "model", "none"] = "signature"
    params: tuple[str, ...] = ()

    @cached_property
    def names(self) -> frozenset[str]:
        """The names that a request may use for columns."""
        return frozenset(column.name for column in self.columns) if self.named else frozenset()

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The columns' names, in the schema's order."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def keys(self) -> tuple[str | int, ...]:
        """The columns' keys, in the schema's order."""
        return tuple(column.key for column in self.columns)

    @cached_property
    def plain(self) -> bool:
        """Whether every column has a declared type of numbers, so that rows can be read as one block."""
        return bool(self.columns) and all(column.type in _DTYPES for column in self.columns)

    @cached_property
    def pick(self) -> Callable[[Mapping[str, Any]], Sequence[Any]]:
        """All values of a record, in order; KeyError where one is missing."""
        found = itemgetter(*self.order)
        return found if len(self.order) > 1 else lambda record: (found(record),)

    def fit(self, block: NDArray[np.float64]) -> NDArray[np.floating[Any]] | None:
        """The block, where each number is one that its column takes as it is; None where one may not be.

        float32 where all columns are, as a frame of such columns would be.
        """
        if not (np.abs(block) <= self._largest).all():  # an infinity is none, and too long for 32 bits
            return None
        if self._whole.size and np.mod(block[:, self._whole], 1).any():
            return None
        singles = self._singles
        if len(singles) == len(self.columns):
            return block.astype(np.float32)
        if singles.size:
            block[:, singles] = block[:, singles].astype(np.float32)
        return block

    @cached_property
    def _largest(self) -> NDArray[np.float64]:
        return np.array([_LARGEST[column.type] for column in self.columns])

    @cached_property
    def _whole(self) -> NDArray[np.intp]:
        return self._places("integer", "long")

    @cached_property
    def _singles(self) -> NDArray[np.intp]:
        return self._places("float")

    def _places(self, *types: str) -> NDArray[np.intp]:
        return np.array([at for at, column in enumerate(self.columns) if column.type in types], dtype=np.intp)

    @property
    def unchecked(self) -> tuple[str, ...]:
        """What cannot be checked in a request, for people who read /model/info."""
        if self.origin == "signature":
            return ()
        lost = ["types: the model was logged without a signature"]
        if not self.columns:
            lost.append("names: the model does not know its columns")
        if self.width is None:
            lost.append("width: the model does not say how many columns it takes")
        return tuple(lost)


def from_mlmodel(mlmodel: Mapping[str, Any]) -> Schema | None:
    """The schema in an MLmodel file, or None where it has no input signature."""
    signature = mlmodel.get("signature") or {}
    try:
        inputs = json.loads(signature.get("inputs") or "null")
        params = json.loads(signature.get("params") or "null")
        names = tuple(str(param["name"]) for param in params or ())
        return _from_inputs(inputs, names) if inputs else None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SchemaError(f"signature of the MLmodel file: {error!r}") from error


def without_signature(names: Sequence[str | int] | None, width: int | None) -> Schema:
    """The schema of a model that has no signature, from what the loaded model knows."""
    if names is None:
        return Schema(named=False, width=width, origin="none")
    columns = tuple(Column(str(name), name, "unknown") for name in names)
    return Schema(columns=columns, width=len(columns), origin="model")


def _from_inputs(inputs: list[dict[str, Any]], params: tuple[str, ...]) -> Schema:
    if inputs[0]["type"] == "tensor":
        return Schema(tensors=tuple(_tensor(item) for item in inputs), params=params)
    named = inputs[0].get("name") is not None
    columns = tuple(_column(position, item) for position, item in enumerate(inputs))
    return Schema(columns=columns, named=named, width=len(columns), params=params)


def _tensor(item: Mapping[str, Any]) -> Tensor:
    spec = item["tensor-spec"]
    name = item.get("name")
    shape = tuple(int(length) for length in spec["shape"])
    return Tensor(None if name is None else str(name), str(spec["dtype"]), shape)


def _column(position: int, item: Mapping[str, Any]) -> Column:
    kind = str(item["type"])
    # A type that a later MLflow invents is left to the model.
    known = kind if kind in SCALAR_TYPES | NESTED_TYPES else "any"
    key = item.get("name")
    required = bool(item.get("required", not item.get("optional", False)))
    key = position if key is None else key
    return Column(str(key), key, known, required, item)
