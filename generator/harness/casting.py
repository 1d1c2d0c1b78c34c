"""A canonical body as what pyfunc takes, read as the server reads it: by the signature's types."""

import base64
from typing import Any

from .bodies import BodyError
from .inputs import Inputs

WHOLE = {"integer": "int32", "long": "int64"}
REAL = {"float": "float32", "double": "float64"}


def as_input(body: dict[str, Any], inputs: Inputs) -> Any:
    """A frame or arrays. Raises BodyError where a value does not fit its column's type."""
    import numpy
    import pandas

    if inputs.tensor:
        return _tensors(body["instances"], inputs.schema)
    if "dataframe_split" in body:
        split = body["dataframe_split"]
        frame = pandas.DataFrame(split["data"], columns=split["columns"])
        return _cast(split["data"], inputs, split["columns"]) if inputs.schema is not None else frame
    if inputs.schema is not None:
        return _cast(body["instances"], inputs, None)
    return numpy.array(body["instances"])


def _tensors(value: Any, schema: Any) -> Any:
    import numpy

    specs = list(schema.inputs)
    try:
        if isinstance(value, dict):
            types = {spec.name: spec.type for spec in specs}
            return {name: numpy.array(item, dtype=types.get(name)) for name, item in value.items()}
        array = numpy.array(value, dtype=specs[0].type)
    except (TypeError, ValueError) as error:
        raise BodyError(str(error)) from error
    return {specs[0].name: array} if specs[0].name else array


def _cast(rows: list[list[Any]], inputs: Inputs, names: list[str] | None) -> Any:
    import pandas

    specs = inputs.columns
    series = [column(spec, place, [row[place] for row in rows]) for place, spec in enumerate(specs)]
    frame = pandas.concat(series, axis=1)
    frame.columns = pandas.Index(names) if names is not None else pandas.RangeIndex(len(specs))
    return frame


def column(spec: Any, place: int, values: list[Any]) -> Any:
    """The values as a series of the column's type."""
    import pandas

    kind = getattr(spec.type, "name", "")
    label = spec.name or f"column {place}"
    try:
        if kind in REAL:
            return pandas.Series([_real(value) for value in values], dtype=REAL[kind])
        if kind in WHOLE:
            return pandas.Series([_whole(value) for value in values], dtype=WHOLE[kind])
        if kind == "boolean":
            return pandas.Series([_boolean(value) for value in values], dtype="bool")
        if kind == "datetime":
            return pandas.to_datetime(pandas.Series(values)).astype("datetime64[ns]")
        if kind == "binary":
            return pandas.Series([base64.b64decode(value) for value in values], dtype="object")
        return pandas.Series([_nested(spec.type, value) for value in values], dtype="object")
    except (TypeError, ValueError) as error:
        raise BodyError(f"{label} ({kind or spec.type}): {error}") from error


def _real(value: Any) -> float:
    if value is None:
        return float("nan")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{value!r} is no number")
    return float(value)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != int(value):
        raise ValueError(f"{value!r} is no whole number")
    return int(value)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither true nor false")
    return value


def _nested(kind: Any, value: Any) -> Any:
    """Lists of numbers as their element type; all else as it stands."""
    if isinstance(value, list):
        inner = getattr(kind, "dtype", None)
        return [_nested(inner, item) for item in value]
    if getattr(kind, "name", "") in REAL:
        return _real(value)
    return value
