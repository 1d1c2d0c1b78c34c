"""Request bodies: the forms that users write, brought to the two that golden rows are kept in.

Columns become `dataframe_split`; rows by position, arrays and tensors become `instances`.
"""

import json
from typing import Any

from .inputs import Inputs
from .plain import plain, rows_of

ENVELOPES = ("inputs", "instances", "data", "features", "dataframe_split", "dataframe_records")
SIBLINGS = {"return_probabilities", "model_version"}
MOST_ROWS = 20
MOST_CHARACTERS = 1_000_000


class BodyError(Exception):
    """A body that the server would refuse, with the reason."""


def parse(document: Any, inputs: Inputs) -> dict[str, Any]:
    """Any body of the request forms as a canonical one."""
    if inputs.tensor and not (isinstance(document, dict) and set(document) & {"inputs", "instances"}):
        raise BodyError("a model with a tensor signature takes inputs or instances")
    if isinstance(document, list):
        return _records(document, inputs)
    if not isinstance(document, dict):
        raise BodyError("a body is an object, or a list of objects")
    used = [name for name in ENVELOPES if name in document]
    if len(used) > 1:
        raise BodyError(f"{' and '.join(used)} in one body")
    if not used:
        return _from_object(document, inputs)
    envelope = used[0]
    value = document[envelope]
    siblings = {key: item for key, item in document.items() if key != envelope and key not in SIBLINGS}
    if envelope == "data" and "columns" in siblings:
        return _split({"columns": siblings.pop("columns"), "data": value}, inputs, siblings)
    if siblings:
        raise BodyError(f"unknown keys beside {envelope}: {', '.join(sorted(siblings))}")
    return _enveloped(envelope, value, inputs)


def _enveloped(envelope: str, value: Any, inputs: Inputs) -> dict[str, Any]:
    if inputs.tensor:
        return {"instances": value}
    if envelope == "dataframe_split":
        return _split(value, inputs, {})
    if envelope == "dataframe_records":
        return _records(value, inputs)
    if envelope == "features":
        return _records([value], inputs) if isinstance(value, dict) else _rows([value], inputs)
    if isinstance(value, dict):
        return _from_object(value, inputs)
    return _from_list(value, inputs)


def _split(value: Any, inputs: Inputs, siblings: dict[str, Any]) -> dict[str, Any]:
    if set(siblings) - {"index"}:
        raise BodyError(f"unknown keys beside data: {', '.join(sorted(siblings))}")
    if not isinstance(value, dict) or not isinstance(value.get("data"), list):
        raise BodyError("dataframe_split is an object with columns and data")
    columns = value.get("columns")
    if columns is None:
        return _rows(value["data"], inputs)
    if len(set(columns)) != len(columns):
        raise BodyError("a column stands twice")
    if any(not isinstance(row, list) or len(row) != len(columns) for row in value["data"]):
        raise BodyError(f"a row has not {len(columns)} values")
    return _records([dict(zip(columns, row, strict=True)) for row in value["data"]], inputs)


def _from_object(value: dict[str, Any], inputs: Inputs) -> dict[str, Any]:
    lists = [isinstance(item, list) for item in value.values()]
    if value and all(lists):
        if len({len(item) for item in value.values()}) != 1:
            raise BodyError("columns of different lengths")
        rows = zip(*value.values(), strict=True)
        return _records([dict(zip(value, row, strict=True)) for row in rows], inputs)
    if any(lists) or not value:
        raise BodyError("an object of columns, or one of scalars, is needed")
    return _records([value], inputs)


def _from_list(value: Any, inputs: Inputs) -> dict[str, Any]:
    if not isinstance(value, list) or not value:
        raise BodyError("a list of rows is needed")
    if all(isinstance(item, dict) for item in value):
        return _records(value, inputs)
    if all(isinstance(item, list) for item in value):
        return _rows(value, inputs)
    if inputs.width != 1 or any(isinstance(item, (dict, list)) for item in value):
        raise BodyError("a flat list is for models with one column; send a list of rows")
    return _rows([[item] for item in value], inputs)


def _rows(rows: Any, inputs: Inputs) -> dict[str, Any]:
    if not isinstance(rows, list) or not rows or not all(isinstance(row, list) for row in rows):
        raise BodyError("a list of rows is needed")
    width = inputs.width if inputs.width is not None else len(rows[0])
    for number, row in enumerate(rows):
        if len(row) != width:
            raise BodyError(f"row {number} has {len(row)} values, the model takes {width}")
    if inputs.names is None:
        return {"instances": rows}
    return {"dataframe_split": {"columns": list(inputs.names), "data": rows}}


def _records(records: Any, inputs: Inputs) -> dict[str, Any]:
    if not isinstance(records, list) or not records or not all(isinstance(row, dict) for row in records):
        raise BodyError("a list of objects is needed")
    if inputs.names is None and inputs.width is not None:
        raise BodyError("this model has no column names; send rows")
    names = inputs.names if inputs.names is not None else tuple(records[0])
    required = inputs.required if inputs.names is not None else frozenset(names)
    for number, row in enumerate(records):
        missing = sorted(required - set(row))
        if missing:
            raise BodyError(f"row {number} has no {', '.join(missing)}")
    data = [[row.get(name) for name in names] for row in records]
    return {"dataframe_split": {"columns": list(names), "data": data}}


def of_frame(frame: Any, inputs: Inputs) -> dict[str, Any]:
    """A pandas frame as a body."""
    rows = rows_of(frame)
    if inputs.tensor:
        return {"instances": rows}
    if all(isinstance(name, str) for name in frame.columns):
        return _split({"columns": list(frame.columns), "data": rows}, inputs, {})
    return _rows(rows, inputs)


def of_example(example: Any, inputs: Inputs) -> dict[str, Any]:
    """The input example that a model was logged with as a body."""
    import pandas

    if isinstance(example, pandas.DataFrame):
        return of_frame(example, inputs)
    if hasattr(example, "toarray"):
        raise BodyError("it is a sparse matrix, which a request cannot carry")
    return parse({"inputs": plain(example)}, inputs)


def count(body: dict[str, Any]) -> int:
    if "dataframe_split" in body:
        return len(body["dataframe_split"]["data"])
    value = body["instances"]
    return len(next(iter(value.values()), [])) if isinstance(value, dict) else len(value)


def cut(body: dict[str, Any], rows: int) -> dict[str, Any]:
    """The first rows of a body."""
    if "dataframe_split" in body:
        split = body["dataframe_split"]
        return {"dataframe_split": {**split, "data": split["data"][:rows]}}
    value = body["instances"]
    if isinstance(value, dict):
        return {"instances": {name: items[:rows] for name, items in value.items()}}
    return {"instances": value[:rows]}


def bounded(body: dict[str, Any]) -> dict[str, Any]:
    """At most MOST_ROWS rows of it, and fewer where they are very wide."""
    body = cut(body, MOST_ROWS)
    while count(body) > 1 and len(json.dumps(body)) > MOST_CHARACTERS:
        body = cut(body, count(body) // 2)
    return body
