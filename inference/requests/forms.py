"""What the JSON body of a prediction request means.

The form is picked by the body's top-level keys, never by guessing from values: exactly one of ENVELOPES
selects it, none makes the body a bare record. The table of all forms is in the documentation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inference.errors import RequestError, bad_form, counted
from inference.requests import batch
from inference.requests.batch import Rules
from inference.requests.tables import Batch
from inference.requests.values import is_too_deep, plain_scalar
from inference.schema import NESTED_TYPES, Schema

ENVELOPES = ("inputs", "instances", "data", "features", "dataframe_split", "dataframe_records")
OPTIONS = ("return_probabilities", "params", "model_version")
TENSOR_ENVELOPES = ("inputs", "instances")
_V2_KEYS = frozenset({"name", "shape", "datatype", "data"})


@dataclass(frozen=True)
class Query:
    """A request that has been understood."""

    batch: Batch
    single: bool = False  # `features`: one row, a singular answer
    probabilities: bool = False
    params: Mapping[str, Any] | None = None


def read(body: Any, schema: Schema, rules: Rules, name: str = "model") -> Query:
    """The query in a parsed body; `name` is the served model's, for messages."""
    if isinstance(body, list):
        return Query(_top_level_list(body, schema, rules))
    if not isinstance(body, dict):
        raise bad_form("the body must be a JSON object or a list of objects")
    chosen = [key for key in ENVELOPES if key in body]
    if not chosen:
        return _bare_record(body, schema, rules)
    envelope = chosen[0]
    if envelope == "inputs":
        _refuse_v2(body["inputs"], schema, name)
    if len(chosen) > 1:
        raise RequestError("ambiguous_form", f"only one of {_list(chosen)} can be given" + _envelope_hint(schema))
    _refuse_siblings(body, envelope, schema)
    probabilities, params = _options(body, rules)
    found = _content(envelope, body, schema, rules)
    return Query(found, envelope == "features", probabilities, params)


def _content(envelope: str, body: Mapping[str, Any], schema: Schema, rules: Rules) -> Batch:
    value = body[envelope]
    if schema.tensors:
        if envelope not in TENSOR_ENVELOPES or not isinstance(value, dict | list):
            raise _tensors_only()
        return batch.from_tensors(schema, value, rules)
    if envelope == "features":
        return _one_row(value, schema, rules)
    if envelope == "dataframe_records":
        return _records(envelope, value, schema, rules)
    if envelope == "dataframe_split":
        return _split(value, schema, rules)
    if "columns" in body:
        return _split({"columns": body["columns"], "data": value}, schema, rules)
    if isinstance(value, dict):
        return _object(envelope, value, schema, rules)
    if isinstance(value, list):
        return _list_of(envelope, value, schema, rules)
    raise bad_form(f"`{envelope}` must be an object or a list")


def _refuse_siblings(body: Mapping[str, Any], envelope: str, schema: Schema) -> None:
    allowed = {envelope, *OPTIONS} | ({"columns", "index"} if envelope == "data" else set())
    unknown = sorted(set(body) - allowed)
    if unknown:
        message = f"beside `{envelope}` there can be {_list(sorted(allowed - {envelope}))}, not `{unknown[0]}`"
        raise RequestError("unknown_key", message + _envelope_hint(schema))


def _options(body: Mapping[str, Any], rules: Rules) -> tuple[bool, Mapping[str, Any] | None]:
    version = body.get("model_version")
    if version is not None and not isinstance(version, str):
        raise RequestError("invalid_option", "`model_version` must be a string")
    if version not in (None, "latest", rules.version):
        message = f"model_version {version[:60]!r} is not served here; this is {rules.version}"
        raise RequestError("version_mismatch", message, status=409)
    probabilities = body.get("return_probabilities", False)
    if not isinstance(probabilities, bool):
        raise RequestError("invalid_option", "`return_probabilities` must be true or false")
    params = body.get("params")
    if params is not None and not isinstance(params, dict):
        raise RequestError("invalid_option", "`params` must be an object")
    if is_too_deep(params):
        raise RequestError("too_deep", "`params` is nested too deep")
    return probabilities, params


def _top_level_list(body: list[Any], schema: Schema, rules: Rules) -> Batch:
    if schema.tensors:
        raise _tensors_only()
    if not _all_are(dict, body):
        raise bad_form("a list at the top must hold objects; send rows as `instances`")
    return batch.from_records(schema, body, rules)


def _bare_record(body: dict[str, Any], schema: Schema, rules: Rules) -> Query:
    if schema.tensors:
        raise _tensors_only()
    batch.require_names(schema)
    if schema.names & set(ENVELOPES):
        raise bad_form("a bare record cannot be told apart here" + _envelope_hint(schema))
    # An option is one here too, unless the model has a column of that name.
    options = {key: body[key] for key in OPTIONS if key in body and key not in schema.names}
    probabilities, params = _options(options, rules)
    record = {key: value for key, value in body.items() if key not in options}
    _refuse_nested(record, schema, f"a bare record holds scalars; send several rows as {_list(ENVELOPES[:2])}")
    return Query(batch.from_records(schema, [record], rules), probabilities=probabilities, params=params)


def _object(envelope: str, value: dict[str, Any], schema: Schema, rules: Rules) -> Batch:
    """Columns when all values are lists, one row when none is."""
    batch.require_names(schema)
    lists = [key for key, item in value.items() if isinstance(item, list)]
    if not value:
        raise bad_form(f"`{envelope}` is an empty object")
    if not lists:
        _refuse_nested(value, schema, f"`{envelope}` as one row holds scalars")
        return batch.from_records(schema, [value], rules)
    if len(lists) < len(value):
        scalar = next(key for key in value if key not in lists)
        message = f"`{envelope}` mixes lists ({lists[0]!r}) and scalars ({scalar!r}); send one or the other"
        raise bad_form(message)
    lengths = {key: len(item) for key, item in value.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{key!r} {length}" for key, length in list(lengths.items())[:20])
        raise RequestError("unequal_lengths", f"the columns of `{envelope}` differ in length: {listed}")
    return batch.from_columns(schema, value, rules)


def _list_of(envelope: str, value: list[Any], schema: Schema, rules: Rules) -> Batch:
    rules.check_rows(len(value))
    kinds = {*map(type, value)}
    if kinds == {dict}:
        return batch.from_records(schema, value, rules)
    if kinds == {list}:
        return batch.from_rows(schema, value, rules)
    if kinds & {dict, list}:
        raise bad_form(f"`{envelope}` mixes objects, lists and scalars; send one kind")
    if schema.width != 1:
        width = "several" if schema.width is None else schema.width
        message = f"`{envelope}` is a flat list, but this model takes {width} columns; send a list of rows"
        raise RequestError("wrong_width", message)
    return batch.from_rows(schema, [[item] for item in value], rules)


def _records(envelope: str, value: Any, schema: Schema, rules: Rules) -> Batch:
    if not isinstance(value, list) or not _all_are(dict, value):
        raise bad_form(f"`{envelope}` must be a list of objects")
    return batch.from_records(schema, value, rules)


def _one_row(value: Any, schema: Schema, rules: Rules) -> Batch:
    if isinstance(value, dict):
        batch.require_names(schema)
        _refuse_nested(value, schema, "`features` is exactly one row and holds scalars")
        return batch.from_records(schema, [value], rules)
    if not isinstance(value, list):
        raise bad_form("`features` must be a flat list or an object")
    if not all(plain_scalar(item) for item in value):
        raise bad_form("`features` is exactly one row: a flat list; send several rows as `instances`")
    return batch.from_rows(schema, [value], rules)


def _split(value: Any, schema: Schema, rules: Rules) -> Batch:
    if not isinstance(value, dict) or not {"data"} <= set(value) <= {"data", "columns", "index"}:
        raise bad_form("`dataframe_split` must be an object with `columns` and `data` (and `index`, unused)")
    rows, columns = value["data"], value.get("columns")
    if not isinstance(rows, list) or not _all_are(list, rows):
        raise bad_form("`data` beside `columns` must be a list of lists")
    if columns is None:
        return batch.from_rows(schema, rows, rules)
    names = _column_names(columns)
    # pandas writes 0, 1, 2 … for a frame without names: that is by position
    numbered = not schema.named and names == [str(position) for position in range(len(names))]
    if numbered or names == [*schema.order]:
        return batch.from_rows(schema, rows, rules)
    rules.check_rows(len(rows))
    for number, row in enumerate(rows):
        if len(row) != len(names):
            message = f"row {number} has {counted(len(row), 'value')} for {counted(len(names), 'column')}"
            raise RequestError("wrong_width", message, row=number)
    return batch.from_columns(schema, dict(zip(names, zip(*rows, strict=True), strict=True)), rules)


def _all_are(kind: type, items: list[Any]) -> bool:
    return {*map(type, items)} <= {kind}


def _column_names(columns: Any) -> list[str]:
    if not isinstance(columns, list) or not all(type(name) in (str, int) for name in columns):
        raise bad_form("`columns` must be a list of names")
    names = [str(name) for name in columns]
    if len(set(names)) < len(names):
        twice = Counter(names).most_common(1)[0][0]
        raise RequestError("duplicate_column", f"column {twice!r} is given twice", column=twice)
    return names


def _refuse_nested(record: Mapping[str, Any], schema: Schema, message: str) -> None:
    """A value is a scalar, unless its column is declared as a list or an object."""
    nested = {column.name for column in schema.columns if column.type in NESTED_TYPES}
    for key, value in record.items():
        if not plain_scalar(value) and key not in nested:
            kind = "a list" if isinstance(value, list) else "an object"
            raise RequestError("invalid_form", f"{message}, but {key!r} holds {kind}", column=key)


def _refuse_v2(value: Any, schema: Schema, name: str) -> None:
    """Recognise a body of the Open Inference Protocol, sent to the wrong address."""
    if not isinstance(value, list) or not value or not isinstance(value[0], dict):
        return
    if set(value[0]) >= _V2_KEYS and not schema.names >= _V2_KEYS:
        raise bad_form(f"this is the Open Inference Protocol: send it to /v2/models/{name}/infer")


def _tensors_only() -> RequestError:
    return bad_form("this model takes tensors: send `inputs` or `instances`, a list or an object of named lists")


def _envelope_hint(schema: Schema) -> str:
    clash = sorted(schema.names & set(ENVELOPES))
    return f"; this model has a column {clash[0]!r}: send records as `instances`" if clash else ""


def _list(names: Any) -> str:
    return ", ".join(f"`{name}`" for name in names)
