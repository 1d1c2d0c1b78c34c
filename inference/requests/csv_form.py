"""A text/csv body for /invocations: the first line names the columns, an empty cell is a gap.

CSV has no types; the schema's columns say what a cell's text means. Cells then go through the same checks
as JSON values. In a column of strings every cell is text, but an empty one is a gap where the column may have
gaps.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from inference.errors import RequestError, bad_form, counted
from inference.requests import batch
from inference.requests.batch import Rules
from inference.requests.forms import Query
from inference.requests.tables import Batch
from inference.schema import Column, Schema

_GAPS = frozenset({"", "NaN", "nan", "NA", "N/A", "null", "None"})  # what pandas writes and reads as missing
_NO_HEADER = re.compile(r";\s*header\s*=\s*\"?absent", re.IGNORECASE)
_DIGITS = 20  # a whole number of 64 bits has fewer
_ANYTHING = Column("", "", "unknown")
_BOOLEANS = {"true": True, "false": False}


def check_parameters(content_type: str) -> None:
    """Refuse a table that is said to have no header line: nothing else tells its columns."""
    if _NO_HEADER.search(content_type):
        message = "the first line of text/csv must name the columns; header=absent is not taken"
        raise RequestError("unsupported_media_type", message, status=415)


def read(body: bytes, schema: Schema, rules: Rules) -> Query:
    """The query in a CSV body."""
    if schema.tensors:
        raise bad_form("this model takes tensors; CSV holds only a table")
    header, rows = _lines(body, rules)
    rules.check_rows(len(rows))
    for number, row in enumerate(rows):
        if len(row) != len(header):
            message = f"row {number} has {counted(len(row), 'value')} for {counted(len(header), 'column')}"
            raise RequestError("wrong_width", message, row=number)
    return Query(_batch(header, rows, schema, rules))


def _batch(header: list[str], rows: list[list[str]], schema: Schema, rules: Rules) -> Batch:
    if not schema.named:
        if header != [str(position) for position in range(len(header))]:
            message = "this model has no column names; the first line must be 0,1,2 and so on"
            raise RequestError("no_column_names", message)
        known = schema.columns or [_ANYTHING] * len(header)
        by_position = [
            _cells(column, cells) for column, cells in zip(known, zip(*rows, strict=True), strict=False)
        ]
        if len(by_position) < len(header):
            taken = counted(len(known), "column")
            raise RequestError("wrong_width", f"this model takes {taken}, not {len(header)}")
        return batch.from_rows(schema, list(zip(*by_position, strict=True)), rules)
    if len(set(header)) < len(header):
        twice = Counter(header).most_common(1)[0][0]
        raise RequestError("duplicate_column", f"column {twice!r} is given twice", column=twice)
    by_name = {column.name: column for column in schema.columns}
    columns = {
        name: _cells(by_name[name], cells) if name in by_name else cells
        for name, cells in zip(header, zip(*rows, strict=True), strict=True)
    }
    return batch.from_columns(schema, columns, rules)


def _lines(body: bytes, rules: Rules) -> tuple[list[str], list[list[str]]]:
    try:
        text = body.decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        header = next(reader, [])
        # In a table of one column an empty line is a gap; elsewhere it is nothing, as for pandas.
        filled = (line or [""] for line in reader if line or len(header) == 1)
        # One too many tells that there are too many.
        rows = list(itertools.islice(filled, rules.max_rows + 1))
    except UnicodeDecodeError:
        raise RequestError("invalid_csv", "the body is not UTF-8") from None
    except csv.Error as error:
        raise RequestError("invalid_csv", f"the body is not valid CSV: {error}") from None
    if not header:
        raise RequestError("invalid_csv", "the first line must name the columns")
    return header, rows


def _cells(column: Column, texts: Sequence[str]) -> list[Any]:
    """The JSON values that the texts stand for; text that fits no type stays text and is refused later."""
    if column.type in ("string", "binary"):
        return [text or None for text in texts] if column.nullable else list(texts)
    if column.type in ("datetime", "boolean"):
        return [None if text in _GAPS else _BOOLEANS.get(text.lower(), text) for text in texts]
    numbers = _numbers(column.type, texts)
    if numbers is not None:
        return numbers
    cells = [_cell(column.type, text) for text in texts]
    # A column of unknown type is one of numbers only when every cell is a number.
    if column.type == "unknown" and any(isinstance(cell, str) for cell in cells):
        return [None if text in _GAPS else text for text in texts]
    return cells


def _numbers(kind: str, texts: Sequence[str]) -> list[Any] | None:
    """All cells at once; None where one is no number of the column's kind, or one that only Python reads so."""
    if not _is_plain("".join(texts)):
        return None
    whole = kind in ("integer", "long") or (kind == "unknown" and max(map(len, texts), default=0) < _DIGITS)
    try:
        return [None if text in _GAPS else (int if whole else float)(text) for text in texts]
    except ValueError:
        return None


def _cell(kind: str, text: str) -> Any:
    if text in _GAPS:
        return None
    if kind == "unknown" and text.lower() in _BOOLEANS:
        return _BOOLEANS[text.lower()]
    for convert in (int, float):
        try:
            if _is_plain(text) and (convert is float or len(text) < _DIGITS):
                return convert(text)
        except ValueError:
            continue
    return text


def _is_plain(text: str) -> bool:
    """Python also takes 1_000 and digits of other scripts for numbers."""
    return text.isascii() and "_" not in text
