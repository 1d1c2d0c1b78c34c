"""Asks the model for several queries: hooks around it, rows put together, and each query its own part back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from inference.prediction.model import Model
from inference.requests import tables
from inference.requests.forms import Query
from inference.requests.tables import Batch
from inference.runtimes.base import Result

Outcome = Result | Exception


def ask(model: Model, queries: Sequence[Query]) -> list[Outcome]:
    """An outcome for each query, in order. With more than one, they are all of one kind and have no params."""
    if len(queries) == 1:
        return [_alone(model, queries[0])]
    try:
        parts = _together(model, queries)
        return [_as_wanted(model, query, part) for query, part in zip(queries, parts, strict=True)]
    except Exception:  # noqa: BLE001 - whose fault it is shows when they are asked one by one
        return [_alone(model, query) for query in queries]


def _alone(model: Model, query: Query) -> Outcome:
    try:
        batch = model.before(query.batch)
        result = model.ask(batch, query.params, probabilities=_wanted(model, query))
        return _as_wanted(model, query, model.after(result, query.batch.rows))
    except Exception as error:  # noqa: BLE001 - it belongs to this request, and is raised there
        return error


def _together(model: Model, queries: Sequence[Query]) -> Sequence[Result]:
    """One call of the model. A hook sees one request's rows at a time, unless it is declared batched."""
    batches: list[Batch] = [query.batch for query in queries]
    rows = [batch.rows for batch in batches]
    wanted = any(_wanted(model, query) for query in queries)
    if model.hooks and not model.hooks.batched:
        prepared = [model.before(batch) for batch in batches]
        if len({batch.kind for batch in prepared}) > 1:
            raise ValueError("preprocess returns other types for other requests")
        whole = model.ask(tables.concat(prepared), probabilities=wanted)
        return [model.after(part, count) for part, count in zip(_split(whole, rows), rows, strict=True)]
    whole = model.ask(model.before(tables.concat(batches)), probabilities=wanted)
    return _split(model.after(whole, sum(rows)), rows)


def _split(whole: Result, rows: Sequence[int]) -> list[Result]:
    found, start = [], 0
    for count in rows:
        found.append(whole.rows(start, start + count))
        start += count
    return found


def _wanted(model: Model, query: Query) -> bool:
    return query.probabilities or (query.single and model.classes is not None)


def _as_wanted(model: Model, query: Query, result: Result) -> Result:
    """Some runtimes give probabilities unasked, and others of the batch may have asked for them."""
    return result if _wanted(model, query) else replace(result, probabilities=None)
