"""A request in the forms that the server takes, made from the example that the server itself tells. Pure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from generator.errors import GeneratorError

Row = Mapping[str, Any] | Sequence[Any]
JSON, CSV = "application/json", "text/csv"


@dataclass(frozen=True)
class Told:
    """What a server tells of the model that it serves."""

    name: str
    example: Mapping[str, Any]  # a body for /predict: `instances` with rows or records, or `inputs` with tensors
    inputs: Sequence[Mapping[str, Any]]  # of the Open Inference Protocol's model metadata

    @property
    def rows(self) -> Sequence[Row]:
        """The example's rows. Raises GeneratorError where it has tensors."""
        rows: Sequence[Row] | None = self.example.get("instances")
        if rows is None:
            raise GeneratorError("this model takes tensors: use --form inputs, instances or v2")
        return rows

    @property
    def records(self) -> Sequence[Mapping[str, Any]]:
        """The example's rows with names. Raises GeneratorError where the columns have none."""
        if not all(isinstance(row, Mapping) for row in self.rows):
            raise GeneratorError("this model has no column names: use --form instances, inputs, features or v2")
        return [row for row in self.rows if isinstance(row, Mapping)]


@dataclass(frozen=True)
class Body:
    """A request: where it is posted, and what."""

    path: str
    text: str
    media: str = JSON


def body_of(form: str | None, told: Told) -> Body:
    """The example in one of FORMS, or as it is. Raises GeneratorError where the model's rows have no such form."""
    return FORMS[form](told) if form else _predict(told.example)


def _predict(content: Any) -> Body:
    return Body("/predict", _json(content))


def _json(content: Any) -> str:
    """As a person reads it, but for what a terminal would not show."""
    text = json.dumps(content, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(content)


def _envelope(name: str) -> Callable[[Told], Body]:
    return lambda told: _predict({name: next(iter(told.example.values()))})


def _split(told: Told) -> Body:
    rows = told.rows
    if not all(isinstance(row, Mapping) for row in rows):
        return _predict({"dataframe_split": {"data": rows}})
    columns = list(told.records[0])
    data = [[record[column] for column in columns] for record in told.records]
    return _predict({"dataframe_split": {"columns": columns, "data": data}})


def _csv(told: Told) -> Body:
    records, out = told.records, io.StringIO()
    cells = [cell for record in records for cell in record.values()]
    if any(isinstance(cell, list | dict) for cell in cells):
        raise GeneratorError("this model has columns with lists or objects, which CSV cannot hold")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(records[0])
    writer.writerows(["" if cell is None else _cell(cell) for cell in record.values()] for record in records)
    return Body("/invocations", out.getvalue(), CSV)


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _v2(told: Told) -> Body:
    given = next(iter(told.example.values()))
    inputs = [item for spec in told.inputs if (item := _v2_input(spec, given)) is not None]
    return Body(f"/v2/models/{quote(told.name, safe='')}/infer", _json({"inputs": inputs}))


def _v2_input(spec: Mapping[str, Any], given: Any) -> Mapping[str, Any] | None:
    """One input: a named tensor, a column of the records, or all of the rows; None for a column left out."""
    name, value = str(spec["name"]), given
    if isinstance(given, Mapping):
        value = given[name]
    elif all(isinstance(row, Mapping) for row in given):
        if name not in given[0]:
            return None
        value = [[record[name]] for record in given]
    shape = _shape(value, len(spec["shape"]))
    return {"name": name, "datatype": spec["datatype"], "shape": shape, "data": _flat(value, len(shape))}


def _shape(value: Any, depth: int) -> list[int]:
    shape = []
    for _ in range(depth):
        shape.append(len(value))
        value = value[0] if value else []
    return shape


def _flat(value: Any, depth: int) -> list[Any]:
    for _ in range(depth - 1):
        value = [cell for part in value for cell in part]
    return list(value)


FORMS: Mapping[str, Callable[[Told], Body]] = {
    "instances": _envelope("instances"),
    "inputs": _envelope("inputs"),
    "dataframe_split": _split,
    "dataframe_records": lambda told: _predict({"dataframe_records": told.records}),
    "features": lambda told: _predict({"features": told.rows[0]}),
    "csv": _csv,
    "v2": _v2,
}
