"""Rows of a request as arrays: by column, by position, or as tensors, checked against the schema."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from inference.errors import RequestError, bad_form, counted
from inference.requests import nested, values
from inference.requests.tables import Matrix, Table, Tensors
from inference.requests.values import Array
from inference.schema import CHECKED_NESTED_TYPES, Column, Schema, Tensor

_ABSENT = object()


@dataclass(frozen=True)
class Rules:
    """What the server's settings say about requests."""

    version: str
    strict: bool = False
    max_rows: int = 100_000

    def check_rows(self, rows: int) -> int:
        """The number of rows again, when it is one that is served."""
        if not rows:
            raise RequestError("no_rows", "the request has no rows")
        if rows > self.max_rows:
            message = f"the request has {rows} rows; at most {self.max_rows} are taken at once"
            raise RequestError("too_many_rows", message, status=413)
        return rows


def from_columns(schema: Schema, columns: Mapping[str, Sequence[Any]], rules: Rules) -> Table:
    """Equally long columns by name, in any order."""
    rows = rules.check_rows(max((len(column) for column in columns.values()), default=0))
    _refuse_unknown(schema, columns, rules)
    for column in schema.columns:
        if column.required and column.name not in columns:
            raise _missing(column.name, None)
    block = _block_of_columns(schema, columns, rows)
    if block is not None:
        return Table(schema, rows, block=block)
    gaps = [None] * rows
    return _table(schema, [columns.get(column.name, gaps) for column in schema.columns], rows)


def from_records(schema: Schema, records: Sequence[Mapping[str, Any]], rules: Rules) -> Table:
    """Objects, each a row."""
    require_names(schema)
    rows = rules.check_rows(len(records))
    block = _block_of_records(schema, records, rules)
    if block is not None:
        return Table(schema, rows, block=block)
    if rules.strict:
        for row, record in enumerate(records):
            _refuse_unknown(schema, record, rules, row)
    return _table(schema, [_cells(column, records) for column in schema.columns], rows)


def from_rows(schema: Schema, rows: Sequence[Sequence[Any]], rules: Rules) -> Table | Matrix:
    """Lists, each a row in the signature's order."""
    count = rules.check_rows(len(rows))
    width = len(rows[0]) if schema.width is None else schema.width
    block = _block(schema, rows, width)
    if block is not None:
        return Table(schema, count, block=block)
    for number, row in enumerate(rows):
        if len(row) != width or not width:
            taken, had = counted(width, "column"), counted(width, "value")
            expected = f"this model takes {taken}" if schema.width else f"the first row has {had}"
            message = f"row {number} has {counted(len(row), 'value')}, {expected}"
            raise RequestError("wrong_width", message, row=number)
    if schema.columns:
        return _table(schema, list(zip(*rows, strict=True)), count)
    return Matrix(_matrix(rows, width), count)


def from_tensors(schema: Schema, given: Mapping[str, Any] | Sequence[Any], rules: Rules) -> Tensors:
    """Nested lists: a mapping has all named tensors, a list is the only one."""
    by_name = {tensor.name or "": tensor for tensor in schema.tensors}
    if not isinstance(given, Mapping):
        if len(by_name) != 1:
            raise bad_form(f"this model takes the tensors {_names(by_name)}; send an object with them")
        given = dict.fromkeys(by_name, given)
    elif "" in by_name:
        raise bad_form("this model takes one tensor without a name; send it as a list")
    for name in by_name:
        if name not in given:
            raise RequestError("missing_column", f"the tensor {name!r} is missing", column=name)
    if rules.strict:
        _refuse_names(set(given) - set(by_name), set(by_name))
    arrays = {name: _tensor(tensor, given[name]) for name, tensor in by_name.items()}
    rows = rules.check_rows(_common_rows(schema.tensors, arrays))
    return Tensors(arrays.get("", arrays), rows)


def require_names(schema: Schema) -> None:
    """Refuse a form that finds columns by name where the model has no names."""
    if not schema.named:
        raise RequestError("no_column_names", "this model has no column names; send rows")


def _cells(column: Column, records: Sequence[Mapping[str, Any]]) -> list[Any]:
    if not column.required:
        return [record.get(column.name) for record in records]
    cells = [record.get(column.name, _ABSENT) for record in records]
    if any(cell is _ABSENT for cell in cells):
        raise _missing(column.name, next(row for row, cell in enumerate(cells) if cell is _ABSENT))
    return cells


def _table(schema: Schema, cells: Sequence[Sequence[Any]], rows: int) -> Table:
    arrays = [_array(column, given) for column, given in zip(schema.columns, cells, strict=True)]
    return Table(schema, rows, columns=arrays)


def _block_of_columns(schema: Schema, columns: Mapping[str, Sequence[Any]], rows: int) -> Array | None:
    if not schema.plain or any(name not in columns for name in schema.order):
        return None
    return _block(schema, [columns[name] for name in schema.order], rows, turn=True)


def _block_of_records(schema: Schema, records: Sequence[Mapping[str, Any]], rules: Rules) -> Array | None:
    if not schema.plain or (rules.strict and any(len(record) != schema.width for record in records)):
        return None
    try:
        rows = [*map(schema.pick, records)]
    except KeyError:
        return None
    return _block(schema, rows, len(schema.order))


def _block(schema: Schema, lines: Sequence[Sequence[Any]], width: int, *, turn: bool = False) -> Array | None:
    """All values at once where every one is a number that its column takes as it is.

    None sends the request the long way, which finds out what is wrong, if anything is. `turn`: the lines are
    columns.
    """
    if not schema.plain or not width or {*map(len, lines)} != {width}:
        return None
    flat = lines[0] if len(lines) == 1 else [*itertools.chain.from_iterable(lines)]
    found = values.numbers(flat)
    if found is None:
        return None
    block = found.reshape(len(lines), width)
    return schema.fit(np.ascontiguousarray(block.T) if turn else block)


def _array(column: Column, cells: Sequence[Any]) -> Array:
    if column.type in CHECKED_NESTED_TYPES:
        return nested.column(column.name, column.spec, cells, required=column.required)
    return values.column(column.name, column.type, cells, nullable=column.nullable)


def _missing(name: str, row: int | None) -> RequestError:
    where = "" if row is None else f" in row {row}"
    return RequestError("missing_column", f"column {name!r} is missing{where}", column=name, row=row)


def _refuse_unknown(schema: Schema, given: Mapping[str, Any], rules: Rules, row: int | None = None) -> None:
    require_names(schema)
    if rules.strict:
        _refuse_names(set(given) - schema.names, schema.names, row)


def _refuse_names(unknown: set[str], known: set[str] | frozenset[str], row: int | None = None) -> None:
    if unknown:
        name = min(unknown)
        message = f"unknown column {name!r}; this model takes {_names(known)}"
        raise RequestError("unknown_column", message, column=name, row=row)


def _names(names: Any) -> str:
    shown = sorted(names)[:20]
    return ", ".join(map(repr, shown)) + (", ..." if len(names) > len(shown) else "")


def _matrix(rows: Sequence[Sequence[Any]], width: int) -> Array:
    flat = list(itertools.chain.from_iterable(rows))
    for position, cell in enumerate(flat):
        if not values.plain_scalar(cell):
            message = f"row {position // width} holds a list or an object where a value is expected"
            raise RequestError("wrong_type", message, row=position // width)
    return values.column("", "unknown", flat, nullable=True).reshape(len(rows), width)


def _tensor(tensor: Tensor, given: Any) -> Array:
    """The nested lists as an array, when their shape and values are the tensor's."""
    name = tensor.name or "input"
    shape, leaves = _flatten(name, given, len(tensor.shape))
    if any(want not in (-1, have) for want, have in zip(tensor.shape, shape, strict=True)):
        message = f"tensor {name!r} takes the shape {list(tensor.shape)}, not {list(shape)}"
        raise RequestError("wrong_shape", message, column=name)
    try:
        return values.tensor(name, tensor.dtype, leaves).reshape(shape)
    except RequestError as error:
        size = max(1, len(leaves) // max(1, shape[0] if shape else 1))
        row = None if error.row is None else error.row // size
        message = error.message.replace("column", "tensor", 1)
        raise RequestError(error.code, message, column=name, row=row) from None


def _flatten(name: str, given: Any, depth: int) -> tuple[tuple[int, ...], list[Any]]:
    """Shape and leaves of lists nested exactly `depth` deep."""
    shape: list[int] = []
    level = [given]
    for _ in range(depth):
        lengths = {len(item) if type(item) is list else -1 for item in level}
        if len(lengths) != 1 or lengths == {-1}:
            message = f"tensor {name!r} takes lists nested {depth} deep, equally long at each depth"
            raise RequestError("wrong_shape", message, column=name)
        shape.append(lengths.pop())
        level = list(itertools.chain.from_iterable(level))
    return tuple(shape), level


def _common_rows(tensors: Sequence[Tensor], arrays: Mapping[str, Array]) -> int:
    """The first dimension, where it is free; a tensor of a fixed first length is one row of its own."""
    free = {len(arrays[tensor.name or ""]) for tensor in tensors if tensor.shape[:1] == (-1,)}
    if len(free) > 1:
        lengths = ", ".join(map(str, sorted(free)))
        raise RequestError("unequal_lengths", f"the tensors have different numbers of rows: {lengths}")
    return free.pop() if free else 1
