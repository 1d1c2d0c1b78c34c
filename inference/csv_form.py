"""A text/csv body for /invocations: the first line names the columns, an empty cell is a gap.

CSV has no types; the schema's columns say what a cell's text means. Cells then go through the same checks
as JSON values.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from typing import Any

from inference import batch
from inference.batch import Rules
from inference.errors import RequestError, bad_form
from inference.forms import Query
from inference.schema import Schema
from inference.tables import Batch

_GAPS = frozenset({"", "NaN", "nan", "NA", "N/A", "null", "None"})  # what pandas writes and reads as missing
_BOOLEANS = {"true": True, "false": False}


def read(body: bytes, schema: Schema, rules: Rules) -> Query:
    """The query in a CSV body."""
    if schema.tensors:
        raise bad_form("this model takes tensors; CSV holds only a table")
    header, rows = _lines(body)
    rules.check_rows(len(rows))
    for number, row in enumerate(rows):
        if len(row) != len(header):
            message = f"row {number} has {len(row)} values for {len(header)} columns"
            raise RequestError("wrong_width", message, row=number)
    return Query(_batch(header, rows, schema, rules))


def _batch(header: list[str], rows: list[list[str]], schema: Schema, rules: Rules) -> Batch:
    if not schema.named:
        if header != [str(position) for position in range(len(header))]:
            message = "this model has no column names; the first line must be 0,1,2 and so on"
            raise RequestError("no_column_names", message)
        types = [column.type for column in schema.columns] or ["unknown"] * len(header)
        by_position = [_cells(kind, cells) for kind, cells in zip(types, zip(*rows, strict=True), strict=False)]
        if len(by_position) < len(header):
            raise RequestError("wrong_width", f"this model takes {len(types)} columns, not {len(header)}")
        return batch.from_rows(schema, list(zip(*by_position, strict=True)), rules)
    if len(set(header)) < len(header):
        twice = Counter(header).most_common(1)[0][0]
        raise RequestError("duplicate_column", f"column {twice!r} is given twice", column=twice)
    types_by_name = {column.name: column.type for column in schema.columns}
    columns = {
        name: _cells(types_by_name.get(name, "string"), cells)
        for name, cells in zip(header, zip(*rows, strict=True), strict=True)
    }
    return batch.from_columns(schema, columns, rules)


def _lines(body: bytes) -> tuple[list[str], list[list[str]]]:
    try:
        text = body.decode("utf-8-sig")
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except UnicodeDecodeError:
        raise RequestError("invalid_csv", "the body is not UTF-8") from None
    except csv.Error as error:
        raise RequestError("invalid_csv", f"the body is not valid CSV: {error}") from None
    if not lines or not lines[0]:
        raise RequestError("invalid_csv", "the first line must name the columns")
    # In a table of one column an empty line is a gap; elsewhere it is nothing, as for pandas.
    alone = len(lines[0]) == 1
    return lines[0], [line or [""] for line in lines[1:] if line or alone]


def _cells(kind: str, texts: Sequence[str]) -> list[Any]:
    if kind in ("string", "binary"):
        return list(texts)
    cells = [_cell(kind, text) for text in texts]
    # A column of unknown type is one of numbers only when every cell is a number.
    if kind == "unknown" and any(isinstance(cell, str) for cell in cells):
        return [None if text in _GAPS else text for text in texts]
    return cells


def _cell(kind: str, text: str) -> Any:
    """The JSON value that a cell's text stands for; text that fits no type stays text and is refused later."""
    if text in _GAPS:
        return None
    if kind == "boolean" or (kind == "unknown" and text.lower() in _BOOLEANS):
        return _BOOLEANS.get(text.lower(), text)
    if kind == "datetime":
        return text
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text
