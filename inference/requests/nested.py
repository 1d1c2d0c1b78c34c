"""Values of array, object and map columns, checked against the signature's own description of them.

What is nested inside is checked by the same readers as a column's scalars. The depth is that of the
signature, not of the request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inference.errors import RequestError
from inference.requests import values
from inference.requests.values import Array, Values

Spec = Mapping[str, Any]


def column(name: str, spec: Spec, given: Values, *, required: bool) -> Array:
    """The values of a nested column; an error names the column and the row."""
    return values.objects([_read(name, row, spec, value, required=required) for row, value in enumerate(given)])


def _read(name: str, row: int, spec: Spec, value: Any, *, required: bool) -> Any:
    kind = str(spec.get("type"))
    if value is None:
        if required and kind != "any":
            raise RequestError("missing_value", f"column {name!r} takes no null there", column=name, row=row)
        return None
    if kind == "array":
        items = _expect(name, row, value, list)
        return [_read(name, row, spec["items"], item, required=True) for item in items]
    if kind == "map":
        entries = _expect(name, row, value, dict)
        return {key: _read(name, row, spec["values"], item, required=True) for key, item in entries.items()}
    if kind == "object":
        return _object(name, row, spec["properties"], _expect(name, row, value, dict))
    return _scalar(name, row, kind, value)


def _object(name: str, row: int, properties: Mapping[str, Spec], value: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(value) - set(properties))
    if unknown:
        message = f"column {name!r} has no property {unknown[0]!r}"
        raise RequestError("unknown_column", message, column=name, row=row)
    found = {}
    for key, spec in properties.items():
        required = bool(spec.get("required", True))
        if key in value:
            found[key] = _read(name, row, spec, value[key], required=required)
        elif required:
            message = f"column {name!r}: the property {key!r} is missing"
            raise RequestError("missing_value", message, column=name, row=row)
    return found


def _scalar(name: str, row: int, kind: str, value: Any) -> Any:
    try:
        array = values.column(name, kind, [value], nullable=False)
    except RequestError as error:
        raise RequestError(error.code, error.message, column=name, row=row) from None
    return array[0] if array.dtype.kind in "OM" else array[0].item()


def _expect(name: str, row: int, value: Any, kind: type) -> Any:
    if type(value) is kind:
        return value
    wanted = "a list" if kind is list else "an object"
    raise RequestError("wrong_type", f"column {name!r} takes {wanted} there", column=name, row=row)
