"""JSON values of one column, or of one tensor, as a numpy array of the declared type.

Python's own `bool` is an `int`, and numpy would quietly make 1 of true and "1" of 1, so types are compared
exactly. A whole list is judged by the set of its types; only a list with a wrong one is searched.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.errors import RequestError

Array = NDArray[Any]
Values = Sequence[Any]

_NONE = type(None)
_DEEPEST = 64
_SCALARS = {bool, int, float, str, _NONE}
_DATETIME = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+-]\d\d:?\d\d)?)?", re.ASCII
)
# What 64 bits of nanoseconds hold; numpy wraps around silently beyond it.
_EARLIEST, _LATEST = np.datetime64("1677-09-22", "s"), np.datetime64("2262-04-11", "s")


def column(name: str, kind: str, values: Values, *, nullable: bool) -> Array:
    """The values of a table's column; an error names the column and the row."""
    if not nullable and None in values:
        raise _missing(name, values)
    return _READERS.get(kind, _as_they_come)(name, values)


def numbers(values: Values) -> Array | None:
    """The values as float64, when every one is an integer or a float; the fast way to read a whole table."""
    try:
        sum(values)  # refuses null, strings, lists and objects, and is four times as fast as asking for types
        array = np.fromiter(values, dtype=np.float64, count=len(values))
    except (TypeError, OverflowError):
        return None
    # True and false can be summed, and stand only where the array has a 0 or a 1.
    suspects = np.flatnonzero((array == 0) | (array == 1)).tolist()
    return None if any(type(values[at]) is bool for at in suspects) else array


def tensor(name: str, dtype: str, leaves: Values) -> Array:
    """The flat values of a tensor in its own dtype; the row of an error is the leaf's position."""
    kind = "U" if dtype == "str" else np.dtype(dtype).kind
    if kind != "f" and None in leaves:
        raise _missing(name, leaves)
    if kind == "f":
        return _floats(name, leaves, np.dtype(dtype))
    if kind in "iu":
        return _integers(name, leaves, np.dtype(dtype))
    if kind == "b":
        return _booleans(name, leaves)
    return _strings(name, leaves).astype(dtype) if kind in "US" else _as_they_come(name, leaves)


def plain_scalar(value: Any) -> bool:
    """Whether a JSON value is neither a list nor an object."""
    return type(value) in _SCALARS


def is_too_deep(value: Any) -> bool:
    """Whether a value that no schema describes is nested deeper than a model's own code can walk."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return True


def _missing(name: str, values: Values) -> RequestError:
    return RequestError("missing_value", f"column {name!r} takes no null", column=name, row=values.index(None))


def _refuse(name: str, values: Values, right: Callable[[Any], bool], wanted: str) -> RequestError:
    """The error for the first value that is not right."""
    row = next((row for row, value in enumerate(values) if value is not None and not right(value)), None)
    got = "" if row is None else f", not {_show(values[row])}"
    return RequestError("wrong_type", f"column {name!r} takes {wanted}{got}", column=name, row=row)


def _show(value: Any) -> str:
    """A value as JSON has it, shortened: an error message is no echo of the body."""
    if value is True or value is False:
        return str(value).lower()
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _out_of_range(name: str, row: int, value: Any, kind: str) -> RequestError:
    message = f"column {name!r}: {_show(value)} is out of range for {kind}"
    return RequestError("out_of_range", message, column=name, row=row)


def _is_number(value: Any) -> bool:
    return type(value) is int or type(value) is float


def _is_whole(value: Any) -> bool:
    return type(value) is int or (type(value) is float and value.is_integer())


def _floats(name: str, values: Values, dtype: np.dtype[Any]) -> Array:
    if not set(map(type, values)) <= {int, float, _NONE}:
        raise _refuse(name, values, _is_number, "numbers")
    with np.errstate(over="ignore"):
        array = np.asarray(values, dtype=np.float64).astype(dtype)
    if np.isinf(array).any():
        row = int(np.isinf(array).argmax())
        raise _out_of_range(name, row, values[row], str(dtype))
    return array


def _integers(name: str, values: Values, dtype: np.dtype[Any]) -> Array:
    kinds = set(map(type, values))
    if not kinds <= {int, _NONE} and not all(value is None or _is_whole(value) for value in values):
        raise _refuse(name, values, _is_whole, "whole numbers")
    limits = np.iinfo(dtype)
    for row, value in enumerate(values):
        if value is None:
            continue
        # int(): a float is compared exactly, 2**63 as a float is no int64. Nor is -2**63 as a float: JSON's whole
        # numbers beyond 64 bits are read as floats, so it may have been less.
        if not limits.min <= int(value) <= limits.max or (type(value) is float and value <= -(2**63)):
            raise _out_of_range(name, row, value, str(dtype))
    if _NONE in kinds:
        return np.asarray(values, dtype=np.float64)  # as pandas itself holds integers with gaps
    return np.asarray([int(value) for value in values], dtype=dtype)


def _booleans(name: str, values: Values) -> Array:
    kinds = set(map(type, values))
    if not kinds <= {bool, _NONE}:
        raise _refuse(name, values, lambda value: type(value) is bool, "true or false")
    return objects(values) if _NONE in kinds else np.asarray(values, dtype=np.bool_)


def _strings(name: str, values: Values) -> Array:
    if not set(map(type, values)) <= {str, _NONE}:
        raise _refuse(name, values, lambda value: type(value) is str, "strings")
    return objects(values)


def _binary(name: str, values: Values) -> Array:
    def decode(row: int, value: str | None) -> bytes | None:
        try:
            return None if value is None else base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            message = f"column {name!r} takes bytes as base64"
            raise RequestError("wrong_type", message, column=name, row=row) from None

    return objects([decode(row, value) for row, value in enumerate(_strings(name, values))])


def _datetimes(name: str, values: Values) -> Array:
    if not set(map(type, values)) <= {str, _NONE}:
        raise _refuse(name, values, lambda value: type(value) is str, "ISO 8601 date-times")
    return np.asarray([_datetime(name, row, value) for row, value in enumerate(values)], dtype="datetime64[ns]")


def _datetime(name: str, row: int, value: str | None) -> np.datetime64:
    """A naive UTC time, as MLflow's datetime columns are; an offset is subtracted."""
    if value is None:
        return np.datetime64("NaT", "ns")
    match = _DATETIME.fullmatch(value)
    try:
        if not match:
            raise ValueError(value)
        date, time, zone = match.groups()
        text = f"{date}T{time or '00:00'}"
        offset = _offset(zone)
        if not _EARLIEST <= np.datetime64(text, "s") - offset <= _LATEST:
            raise _out_of_range(name, row, value, "a date-time in nanoseconds")
        return np.datetime64(text, "ns") - offset
    except ValueError:
        message = f"column {name!r} takes ISO 8601 date-times such as 2024-01-31T12:00:00, not {_show(value)}"
        raise RequestError("wrong_type", message, column=name, row=row) from None


def _offset(zone: str | None) -> np.timedelta64:
    if zone is None or zone == "Z":
        return np.timedelta64(0, "m")
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    if hours > 23 or minutes > 59:
        raise ValueError(zone)
    return np.timedelta64((-1 if zone[0] == "-" else 1) * (hours * 60 + minutes), "m")


def _unknown(name: str, values: Values) -> Array:
    """A column whose type nobody declared: what pandas would infer, but scalars only."""
    kinds = set(map(type, values))
    if not kinds <= _SCALARS:
        raise _refuse(name, values, plain_scalar, "scalars")
    if kinds == {bool}:
        return np.asarray(values, dtype=np.bool_)
    if kinds <= {int, float, _NONE}:
        whole = kinds == {int} and all(-(2**63) <= value < 2**63 for value in values)
        return np.asarray(values, dtype=np.int64 if whole else np.float64)
    return objects(values)


def _as_they_come(name: str, values: Values) -> Array:
    for row, value in enumerate(values):
        if is_too_deep(value):
            message = f"column {name!r} is nested more than {_DEEPEST} deep"
            raise RequestError("too_deep", message, column=name, row=row)
    return objects(values)


def objects(values: Values) -> Array:
    """An array of the values themselves; np.asarray would make a matrix of equally long lists."""
    return np.fromiter(values, dtype=object, count=len(values))


_READERS: dict[str, Callable[[str, Values], Array]] = {
    "boolean": _booleans,
    "integer": lambda name, values: _integers(name, values, np.dtype(np.int32)),
    "long": lambda name, values: _integers(name, values, np.dtype(np.int64)),
    "float": lambda name, values: _floats(name, values, np.dtype(np.float32)),
    "double": lambda name, values: _floats(name, values, np.dtype(np.float64)),
    "string": _strings,
    "binary": _binary,
    "datetime": _datetimes,
    "unknown": _unknown,
}
