"""Tables as pandas frames and back, for what wants frames: pyfunc, some estimators, the user's hooks."""

from __future__ import annotations

from typing import Any

import numpy as np

from inference.requests.tables import Batch, Matrix, Table
from inference.schema import Schema


def frame(rows: Table | Matrix) -> Any:
    """The rows as a DataFrame with the declared types; numbered columns where the model has no names.

    A copy: hooks and models may work in place.
    """
    import pandas as pd

    return pd.DataFrame(rows.array, copy=True) if isinstance(rows, Matrix) else pd.DataFrame(rows.columns)


def as_input(rows: Batch) -> Any:
    """What pyfunc takes, as a copy: a frame for a table, else an array, or arrays by name."""
    if isinstance(rows, Matrix):
        return rows.array.copy()
    return frame(rows) if isinstance(rows, Table) else rows.arrays


def batch(found: Any, schema: Schema) -> Batch:
    """The schema's columns of a frame, in its order and of its types; more columns are left out.

    Raises KeyError for a column that is missing, ValueError or TypeError for one of another type.
    """
    if not schema.columns:
        return Matrix(found.to_numpy(), len(found))
    missing = [str(key) for key in schema.keys if key not in found.columns]
    if missing:
        raise KeyError(f"the column {missing[0]!r} is missing")
    columns = [_array(found[column.key].to_numpy(), column.dtype) for column in schema.columns]
    return Table(schema, len(found), columns=columns)


def _array(values: Any, dtype: np.dtype[Any] | None) -> Any:
    """The values in the declared type, where that loses nothing; whole numbers with gaps stay floats."""
    if dtype is None:
        return values
    values = np.asarray(values, dtype=np.float64) if values.dtype == object else values
    if values.dtype.kind not in "fiub":
        raise TypeError(f"{values.dtype} where numbers are expected")
    if dtype.kind == "i" and values.dtype.kind == "f":
        gaps = np.isnan(values)
        if np.mod(values[~gaps], 1).any():
            raise ValueError("a fraction where whole numbers are expected")
        if gaps.any():
            return values
    # Compared as whole numbers or as floats: the largest of 64 bits is no float, the next power of two is.
    if dtype.kind == "i" and values.size and not (_least(dtype) <= values.min() and values.max() < -_least(dtype)):
        raise ValueError(f"a number that {dtype} does not hold")
    return values.astype(dtype)


def _least(dtype: np.dtype[Any]) -> int:
    return int(np.iinfo(dtype).min)
