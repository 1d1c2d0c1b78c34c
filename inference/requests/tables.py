"""The rows of a request, or of several put together, as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from inference.requests.values import Array
from inference.schema import LARGEST_EXACT, Schema

_BLOCK = ("block",)  # the kind of tables that are nothing but numbers of the declared types


class Table:
    """Columns in the schema's order, by the names that the model's own frame has.

    Held as one block of numbers or column by column, whichever the request gave; each is made from the
    other when it is asked for.
    """

    def __init__(self, schema: Schema, rows: int, *, columns: Sequence[Array] = (), block: Array | None = None):
        self.schema = schema
        self.rows = rows
        self._columns = columns
        self._block = block

    @property
    def columns(self) -> dict[str | int, Array]:
        """Arrays of the declared types, by key."""
        arrays = self._columns
        if not arrays and self._block is not None:
            arrays = [self._block[:, at].astype(column.dtype) for at, column in enumerate(self.schema.columns)]
        return dict(zip(self.schema.keys, arrays, strict=True))

    @property
    def block(self) -> Array | None:
        """All values as numbers, shape (rows, columns), float32 where every column is, else float64.

        None where a column holds something else, or a whole number that a float cannot hold.
        """
        if self._block is None and all(map(_is_exact, self._columns)):
            single = all(array.dtype == np.float32 for array in self._columns)
            self._block = np.column_stack(self._columns).astype(np.float32 if single else np.float64)
        return self._block

    @property
    def kind(self) -> tuple[object, ...]:
        """Tables of the same kind can be put together."""
        if self._is_plain and self.block is not None:
            return _BLOCK
        return (Table, *(array.dtype for array in self._columns))

    @property
    def _is_plain(self) -> bool:
        """Whether every array has its column's declared type of numbers, so that a block says it all."""
        pairs = zip(self._columns, self.schema.columns, strict=False)
        return self.schema.plain and all(array.dtype == column.dtype for array, column in pairs)

    @property
    def size(self) -> int:
        """Bytes of the values, those of strings not counted."""
        return self.rows * len(self.schema.columns) * 8

    @staticmethod
    def concat(tables: Sequence[Table]) -> Table:
        """The rows of tables of one kind, in order."""
        schema, rows = tables[0].schema, sum(table.rows for table in tables)
        if tables[0].kind == _BLOCK:
            blocks = [table.block for table in tables if table.block is not None]
            return Table(schema, rows, block=np.concatenate(blocks))
        columns = [np.concatenate(parts) for parts in zip(*(table._columns for table in tables), strict=True)]
        return Table(schema, rows, columns=columns)


@dataclass(frozen=True)
class Matrix:
    """Rows for a model that knows no columns: two-dimensional."""

    array: Array
    rows: int

    @property
    def kind(self) -> tuple[object, ...]:
        """Matrices of the same kind can be put together."""
        return (Matrix, self.array.dtype, self.array.shape[1:])

    @property
    def size(self) -> int:
        """Bytes of the values."""
        return self.array.nbytes

    @staticmethod
    def concat(matrices: Sequence[Matrix]) -> Matrix:
        """The rows of matrices of one kind, in order."""
        return Matrix(np.concatenate([one.array for one in matrices]), sum(one.rows for one in matrices))


@dataclass(frozen=True)
class Tensors:
    """One array for an unnamed tensor, else one by name."""

    arrays: Mapping[str, Array] | Array
    rows: int

    @property
    def kind(self) -> tuple[object, ...]:
        """Tensors of the same kind can be put together: all have a row an entry of their first dimension."""
        if any(len(array) != self.rows for array in self._all()):
            return (Tensors, id(self))
        return (Tensors, *((array.dtype, array.shape[1:]) for array in self._all()))

    @property
    def size(self) -> int:
        """Bytes of the values."""
        return sum(array.nbytes for array in self._all())

    def _all(self) -> Sequence[Array]:
        return [*self.arrays.values()] if isinstance(self.arrays, Mapping) else [self.arrays]

    @staticmethod
    def concat(tensors: Sequence[Tensors]) -> Tensors:
        """The rows of tensors of one kind, in order."""
        rows, first = sum(one.rows for one in tensors), tensors[0].arrays
        if not isinstance(first, Mapping):
            return Tensors(np.concatenate([one.arrays for one in tensors]), rows)
        named = {name: np.concatenate([one.arrays[name] for one in tensors]) for name in first}
        return Tensors(named, rows)


Batch = Table | Matrix | Tensors


def concat(batches: Sequence[Batch]) -> Batch:
    """All rows of batches of one kind, in order."""
    return batches[0] if len(batches) == 1 else type(batches[0]).concat(batches)  # type: ignore[arg-type]


def _is_exact(array: Array) -> bool:
    if array.dtype.kind == "i":
        return array.itemsize < 8 or bool((np.abs(array) <= LARGEST_EXACT).all())
    return array.dtype.kind in "fb"
