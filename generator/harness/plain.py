"""Values as JSON holds them: what numpy and pandas give, turned into numbers, texts, lists and null."""

import base64
import datetime
import decimal
import math
from typing import Any

NULLS = {"NaTType", "NAType"}


def plain(value: Any) -> Any:
    """`value` as JSON, numbers exact (a float32 becomes the double of the same value).

    NaN, infinities and pandas' own gaps become null. Raises TypeError for what JSON cannot hold.
    """
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):  # numpy's float64 as well
        return float(value) if math.isfinite(value) else None
    if type(value).__name__ in NULLS:
        return None
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(item) for item in value]
    return _other(value)


def _other(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return plain(float(value))
    if type(value).__name__ == "datetime64":
        return None if str(value) == "NaT" else str(value)
    if hasattr(value, "toarray"):  # scipy's sparse matrices
        return plain(value.toarray())
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    raise TypeError(f"{type(value).__name__} has no place in JSON")


def predictions(answer: Any) -> Any:
    """A model's answer as the server gives it: a list of scalars, of lists, or of records."""
    import pandas

    if isinstance(answer, pandas.DataFrame):
        if answer.shape[1] == 1:
            return [plain(item) for item in answer.iloc[:, 0]]
        names = [str(name) for name in answer.columns]
        return [dict(zip(names, row, strict=True)) for row in rows_of(answer)]
    if isinstance(answer, pandas.Series):
        return [plain(item) for item in answer]
    return plain(answer)


def rows_of(frame: Any) -> list[list[Any]]:
    """The frame's rows; column by column, so that each keeps its own type."""
    columns = [[plain(item) for item in frame.iloc[:, place]] for place in range(frame.shape[1])]
    return [list(row) for row in zip(*columns, strict=True)]


def same(one: Any, other: Any, tolerance: float) -> bool:
    """Whether two answers agree: labels equal, floats within the relative tolerance."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b, tolerance) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key], tolerance) for key in one)
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return one == other or math.isclose(one, other, rel_tol=tolerance)
    return bool(one == other)
