"""Rows that nobody sent: from a schema's types, around values that are known, at a model's own thresholds.

The same rows for the same schema, values and thresholds, on every machine.
"""

from __future__ import annotations

import base64
import datetime
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from inference.description import examples
from inference.errors import RequestError
from inference.requests import batch, forms
from inference.requests.batch import Rules
from inference.requests.tables import Batch, Matrix, Table, Tensors
from inference.requests.values import Array
from inference.schema import FLOAT_TYPES, Column, Schema

_RULES = Rules(version="", max_rows=1_000_000)
_SIZES = (500, 1, 2, 7, 8, 9, 64, 1, 3, 250, 1000)
"""Rows of the batches, over and over: libraries compute a few rows in other ways than many."""

_MOST_EXTREMES = 40
_EXTREMES = (None, 0.0, -1e6, 1e6, 3e38, -3.5e38, 1e300, 5e-324)
_WHOLE_EXTREMES = (None, 0, -1, 2**31 - 1, -(2**31), 2**53 + 1, 2**63 - 1)
_TEXT_EXTREMES = (None, "", "a word that was never seen")


def batches(
    schema: Schema, bodies: Sequence[Any], thresholds: Sequence[Array] | None, rows: int
) -> Iterator[Batch]:
    """About `rows` rows in batches of several sizes, then rows with one extreme value each."""
    make = _Maker(schema, bodies, thresholds)
    made, turn = 0, 0
    while made < rows:
        size = min(_SIZES[turn % len(_SIZES)], rows - made)
        found = make.rows(size)
        if found is None:
            return
        yield found
        made, turn = made + size, turn + 1
    yield from make.extremes()


class _Maker:
    def __init__(self, schema: Schema, bodies: Sequence[Any], thresholds: Sequence[Array] | None) -> None:
        self._schema = schema
        self._random = np.random.default_rng(20240131)
        self._columns = schema.columns or tuple(Column(str(at), at, "double") for at in range(schema.width or 0))
        fit = thresholds is not None and len(thresholds) == len(self._columns)
        self._thresholds = thresholds if fit else None
        self._seen = (
            _seen(schema, bodies) or _seen(schema, [examples.from_types(schema)]) or [[] for _ in self._columns]
        )

    def rows(self, count: int) -> Batch | None:
        """This many rows; None where nothing says what they could be."""
        if self._schema.tensors:
            return self._tensors(count)
        if not self._columns:
            return None
        return self._batch([self._values(at, count) for at in range(len(self._columns))])

    def extremes(self) -> Iterator[Batch]:
        """Rows with one extreme value each, all different columns in turn, as far as the schema takes them."""
        left = _MOST_EXTREMES
        for turn in range(len(_EXTREMES)):
            for at, column in enumerate(self._columns):
                values = _extremes(column)
                # Another column for each value, so that few rows meet many columns.
                if turn >= len(values) or (at - turn) % max(1, len(self._columns) // 6):
                    continue
                row = [self._values(other, 1) for other in range(len(self._columns))]
                row[at] = [values[turn]]
                found = self._batch(row)
                if found is not None and left:
                    left -= 1
                    yield found

    def _batch(self, columns: Sequence[Sequence[Any]]) -> Batch | None:
        """As a request with these columns is read; None where the schema does not take them."""
        if not self._schema.columns:
            array = np.array(columns, dtype=np.float64).T
            return Matrix(np.ascontiguousarray(array), len(array))
        try:
            return batch.from_rows(self._schema, [*zip(*columns, strict=True)], _RULES)
        except RequestError:
            return None

    def _values(self, at: int, count: int) -> list[Any]:
        column, random = self._columns[at], self._random
        seen = [value for value in self._seen[at] if value is not None or column.nullable] or ["text"]
        if column.type in FLOAT_TYPES | {"unknown"}:
            if column.type == "unknown" and any(isinstance(value, (str, bool)) for value in self._seen[at]):
                return [seen[pick] for pick in random.integers(len(seen), size=count)]
            found = self._numbers(at, count)
            return list((found.astype(np.float32) if column.type == "float" else found).tolist())
        if column.type in ("integer", "long"):
            return [int(value) for value in np.clip(np.rint(self._numbers(at, count)), -(2**31), 2**31 - 1)]
        if column.type == "boolean":
            return [bool(value) for value in random.integers(2, size=count)]
        if column.type == "datetime":
            days = random.integers(20_000, size=count).tolist()
            return [(datetime.date(1980, 1, 1) + datetime.timedelta(days=day)).isoformat() for day in days]
        return [seen[pick] for pick in random.integers(len(seen), size=count)]

    def _numbers(self, at: int, count: int) -> Array:
        """A third around zero, a third around values that are known, a third at thresholds and beside them."""
        random = self._random
        seen = [float(value) for value in self._seen[at] if isinstance(value, int | float)] or [0.0]
        base = np.array(seen)[random.integers(len(seen), size=count)]
        spread = np.maximum(np.abs(base), 1.0) * random.choice([0.01, 0.3, 3.0], size=count)
        found = np.where(random.random(count) < 0.5, base, 0.0) + random.standard_normal(count) * spread
        points = self._thresholds[at] if self._thresholds is not None else np.empty(0)
        if points.size:
            there = points[random.integers(points.size, size=count)].astype(np.float64)
            side = random.choice([-np.inf, np.inf], size=count)
            exact = random.integers(3, size=count)
            near = np.where(exact == 1, np.nextafter(there, side), there)
            single = np.nextafter(there.astype(np.float32), side.astype(np.float32)).astype(np.float64)
            near = np.where(exact == 2, single, near)
            found = np.where(random.random(count) < 1 / 3, near, found)
        return np.asarray(found, dtype=np.float64)

    def _tensors(self, count: int) -> Tensors:
        arrays = {}
        for tensor in self._schema.tensors:
            shape = [
                count if place == 0 and length < 0 else max(1, length) for place, length in enumerate(tensor.shape)
            ]
            arrays[tensor.name or ""] = self._leaves(tensor.dtype, shape)
        only = arrays.get("")
        free = [tensor for tensor in self._schema.tensors if tensor.shape[:1] == (-1,)]
        return Tensors(arrays if only is None else only, count if free else 1)

    def _leaves(self, dtype: str, shape: Sequence[int]) -> Array:
        if dtype == "str" or np.dtype(dtype).kind not in "fiub":
            return np.full(shape, "text", dtype=object if dtype in ("object", "str") else dtype)
        numbers = self._random.standard_normal(shape) * 3
        kind = np.dtype(dtype).kind
        found: Array = (np.abs(np.rint(numbers)) if kind in "iub" else numbers).astype(dtype)
        return found


def _extremes(column: Column) -> Sequence[Any]:
    if column.type in FLOAT_TYPES | {"unknown"}:
        return _EXTREMES
    return {"integer": _WHOLE_EXTREMES, "long": _WHOLE_EXTREMES, "string": _TEXT_EXTREMES}.get(
        column.type, (None,)
    )


def _seen(schema: Schema, bodies: Sequence[Any]) -> list[list[Any]]:
    """The values that bodies hold for each column, as JSON has them; empty where no body has any."""
    found: list[list[Any]] = []
    for body in bodies:
        try:
            known = forms.read(body, schema, _RULES).batch
        except RequestError:
            continue
        arrays = list(known.columns.values()) if isinstance(known, Table) else []
        if isinstance(known, Matrix):
            arrays = [known.array[:, at] for at in range(known.array.shape[1])]
        found = found or [[] for _ in arrays]
        for values, array in zip(found, arrays, strict=True):
            values.extend(map(_json, array.tolist()))
    return found


def _json(value: Any) -> Any:
    """A value that was read, as it was sent: bytes as base64, a gap as null."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return None if isinstance(value, float) and math.isnan(value) else value
