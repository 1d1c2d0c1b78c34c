"""Inputs that came as bytes, as a batch, without a detour over lists.

Only where every value is one that the model takes as it is; None sends the inputs the way of JSON values,
which converts them, or finds out what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from inference.requests.batch import Rules
from inference.requests.tables import Batch, Matrix, Table, Tensors
from inference.requests.values import Array
from inference.schema import Schema, Tensor

Arrays = Mapping[str, Array]  # in the inputs' own shapes


def batch_of(schema: Schema, arrays: Arrays, rules: Rules) -> Batch | None:
    """The batch that these inputs are, if they need no conversion but to a wider number."""
    if schema.tensors:
        return _tensors(schema, arrays, rules)
    if any(array.dtype.kind not in "iuf" for array in arrays.values()):
        return None
    only = next(iter(arrays.values()))
    if len(arrays) == 1 and only.ndim == 2 and not schema.names & set(arrays):
        return _rows(schema, only, rules)
    return _columns(schema, arrays, rules)


def _columns(schema: Schema, arrays: Arrays, rules: Rules) -> Table | None:
    if not schema.plain or (set(arrays) if rules.strict else set(arrays) & schema.names) != schema.names:
        return None
    columns = [arrays[name] for name in schema.order]
    rows = len(columns[0])
    if any(column.size != rows or len(column) != rows for column in columns):
        return None
    block = np.empty((rows, len(columns)))
    for at, column in enumerate(columns):
        block[:, at] = column.reshape(rows)
    return _table(schema, block, rules)


def _rows(schema: Schema, array: Array, rules: Rules) -> Table | Matrix | None:
    rows, width = array.shape
    if width != (schema.width or width) or not width:
        return None
    if schema.plain:
        return _table(schema, array.astype(np.float64), rules)
    if schema.columns or array.dtype == np.uint64:
        return None
    whole = array.dtype.kind in "iu"
    return Matrix(array.astype(np.int64 if whole else np.float64), rules.check_rows(rows))


def _table(schema: Schema, block: Array, rules: Rules) -> Table | None:
    rules.check_rows(len(block))
    fitting = schema.fit(block)
    return None if fitting is None else Table(schema, len(block), block=fitting)


def _tensors(schema: Schema, arrays: Arrays, rules: Rules) -> Tensors | None:
    specs = schema.tensors
    if specs[0].name is None:
        found = arrays if len(arrays) > 1 else {"": next(iter(arrays.values()))}
    else:
        found = {name: array for name, array in arrays.items() if rules.strict or name in {s.name for s in specs}}
    if set(found) != {spec.name or "" for spec in specs}:
        return None
    if not all(_is(found[spec.name or ""], spec) for spec in specs):
        return None
    rows = {len(found[spec.name or ""]) for spec in specs if spec.shape[:1] == (-1,)}
    if len(rows) > 1:
        return None
    count = rules.check_rows(rows.pop() if rows else 1)
    own = {name: array.copy() for name, array in found.items()}  # a model may write into what it gets
    return Tensors(own.get("", own), count)


def _is(array: Array, spec: Tensor) -> bool:
    return (
        array.dtype == np.dtype(spec.dtype)
        and array.ndim == len(spec.shape)
        and all(want in (-1, have) for want, have in zip(spec.shape, array.shape, strict=True))
    )
