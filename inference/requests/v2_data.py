"""Tensor data of the Open Inference Protocol: its datatypes, as JSON and as bytes.

Bytes are those of the protocol's binary tensor data extension: little-endian, row-major, nothing between the
elements; an element of BYTES is its length in four bytes and then itself.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from inference.errors import RequestError, bad_form
from inference.requests.values import Array

_DTYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype(np.bool_),
    **{f"INT{bits}": np.dtype(f"<i{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": np.dtype(f"<u{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": np.dtype(f"<f{bits // 8}") for bits in (16, 32, 64)},
}
DATATYPES = (*_DTYPES, "BYTES")
"""Every datatype that an input or output may have."""

_FLOATS: set[type] = {int, float}
_KINDS: dict[str, set[type]] = {"BOOL": {bool}, "BYTES": {str}, **dict.fromkeys(("FP16", "FP32", "FP64"), _FLOATS)}
_NOTHING: set[type] = set()
_LENGTH = struct.Struct("<I")


def datatype_of(dtype: np.dtype[Any]) -> str:
    """The datatype that holds values of `dtype`; BYTES for all that are neither numbers nor booleans."""
    if dtype.kind == "f" and dtype.itemsize > 8:
        return "FP64"
    return next((name for name, known in _DTYPES.items() if known == dtype.newbyteorder("<")), "BYTES")


def leaves(name: str, data: Any, datatype: str) -> list[Any]:
    """The values of a JSON `data`, flat or nested, in row-major order; each null or of the datatype."""
    if not isinstance(data, list):
        raise bad_form(f"input {name!r}: `data` must be a list")
    level = data
    # A loop, since it may be nested deeper than Python recurses.
    while list in (kinds := set(map(type, level))):
        if kinds != {list}:
            raise bad_form(f"input {name!r}: `data` is nested unevenly")
        level = [leaf for item in level for leaf in item]
    _check(name, level, kinds, datatype)
    return level


def decode(name: str, raw: memoryview, datatype: str, count: int) -> Array | list[bytes]:
    """`count` elements from their bytes, not copied where they are numbers."""
    if datatype == "BYTES":
        return _elements(name, raw, count)
    dtype = _DTYPES[datatype]
    if len(raw) != count * dtype.itemsize:
        message = (
            f"input {name!r}: {count} values of {datatype} are {count * dtype.itemsize} bytes, not {len(raw)}"
        )
        raise RequestError("wrong_shape", message, column=name)
    if datatype == "BOOL" and len(raw) and np.frombuffer(raw, np.uint8).max() > 1:
        raise RequestError("wrong_type", f"input {name!r}: a byte of BOOL is 0 or 1", column=name)
    array = np.frombuffer(raw, dtype)
    if dtype.kind == "f" and np.isinf(array).any():
        message = f"input {name!r}: value {int(np.isinf(array).argmax())} is infinite"
        raise RequestError("out_of_range", message, column=name)
    return array


def encode(array: Array, texts: Iterable[str] | None) -> bytes:
    """The bytes of an output: of its numbers, or of `texts` where it is BYTES."""
    if texts is not None:
        return b"".join(_LENGTH.pack(len(raw)) + raw for raw in (text.encode() for text in texts))
    return np.ascontiguousarray(array, _DTYPES[datatype_of(array.dtype)]).tobytes()


def _check(name: str, values: Sequence[Any], kinds: set[type], datatype: str) -> None:
    if kinds <= _KINDS.get(datatype, _NOTHING):
        return
    given = values if type(None) not in kinds else [value for value in values if value is not None]
    if _fit(given, kinds - {type(None)}, datatype):
        return
    wrong = next(
        at for at, value in enumerate(values) if value is not None and not _fit([value], {type(value)}, datatype)
    )
    raise RequestError("wrong_type", f"input {name!r}: value {wrong} is no {datatype}", column=name)


def _fit(values: Sequence[Any], kinds: set[type], datatype: str) -> bool:
    """Types are compared exactly: Python's own bool is an int."""
    if datatype in _KINDS:
        return kinds <= _KINDS[datatype]
    limits = np.iinfo(_DTYPES[datatype])
    return kinds <= {int} and (not values or (limits.min <= min(values) and max(values) <= limits.max))


def _elements(name: str, raw: memoryview, count: int) -> list[bytes]:
    found: list[bytes] = []
    start = 0
    while start + _LENGTH.size <= len(raw) and len(found) < count:
        (length,) = _LENGTH.unpack_from(raw, start)
        start += _LENGTH.size + length
        found.append(bytes(raw[start - length : start]))
    if start != len(raw) or len(found) != count:
        message = f"input {name!r}: its bytes are not {count} elements of BYTES, each after its length"
        raise RequestError("wrong_shape", message, column=name)
    return found
