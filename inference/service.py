"""Answers queries: reads the body, lets the model be asked, and counts.

The model is asked by one thread, several requests at once where a row's answer depends on that row alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from inference import outputs
from inference.errors import RequestError
from inference.group import Member
from inference.lifecycle import Lifecycle
from inference.observability.metrics import Metrics
from inference.observability.trace import CURRENT, RequestTrace, Tracing
from inference.prediction import asking
from inference.prediction import model as models
from inference.prediction.asking import Outcome
from inference.prediction.batching import Batcher, Limits
from inference.prediction.model import Model
from inference.requests.batch import Rules
from inference.requests.forms import Query
from inference.runtimes.base import Result
from inference.settings import Settings

T = TypeVar("T")
_LARGE_BODY = 1024 * 1024
"""Bytes from which on a body is read in a thread: below, that would cost more than it spares the others."""

_LARGE_ANSWER = 10_000
"""Rows from which on an answer is written in a thread."""


@dataclass(frozen=True)
class Answer:
    """What the model returned for a query, as it came."""

    query: Query
    predictions: Any
    probabilities: Any  # None: not asked for
    classes: list[Any] | None


class Service:
    """One model's settings, life, figures and queue."""

    def __init__(self, settings: Settings, member: Member | None = None) -> None:
        self.settings = settings
        self.tracing: Tracing | None = None
        self.release = settings.release
        self.rules = Rules(settings.release.version, settings.strict, settings.max_rows)
        self.metrics = Metrics(member)
        load = partial(models.load, runtime=settings.runtime, hooks=settings.hooks)
        self.lifecycle = Lifecycle(settings.model, self._ready, load)
        if member:
            self.lifecycle.others_ready = lambda: member.group.complete
        self.in_flight = 0  # requests whose answer is not complete; the event loop's own
        limits = Limits(waiting=settings.max_queue, seconds=settings.request_seconds)
        self.batcher = Batcher(self._ask, self._kind, limits)
        self.metrics.watch(queue=lambda: self.batcher.waiting, in_flight=lambda: self.in_flight)
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="read")
        self._traced: dict[int, tuple[RequestTrace, float]] = {}  # by the query's id: its trace, and since when

    async def answer(self, read: Callable[[Model], Query], size: int) -> Answer:
        """Understand a request of `size` bytes with `read`, then ask the model."""
        model, began = self.lifecycle.require_model(), time.perf_counter()
        query = read(model) if size < _LARGE_BODY else await self._run(lambda: read(model))
        if query.probabilities and model.classes is None:
            raise RequestError("no_probabilities", "this model gives no probabilities")
        trace = CURRENT.get()
        if trace is None:
            result = await self.batcher.ask(query)
        else:
            result = await self._ask_traced(query, trace, began)
        return Answer(query, result.predictions, result.probabilities, model.classes)

    async def _ask_traced(self, query: Query, trace: RequestTrace, began: float) -> Result:
        read = time.perf_counter()
        trace.stage("read", began, read, rows=query.batch.rows)
        self._traced[id(query)] = trace, read
        try:
            return await self.batcher.ask(query)
        finally:
            del self._traced[id(query)]

    async def write(self, rows: int, make: Callable[[], T]) -> T:
        """Make the content of an answer about `rows` rows."""
        return make() if rows < _LARGE_ANSWER else await self._run(make)

    def _kind(self, query: Query) -> object:
        """Of queries that may go together; None for one that goes alone."""
        model = self.lifecycle.require_model()
        if query.params or not self.settings.batching or not model.runtime.independent:
            return None
        return query.batch.kind

    def _ask(self, queries: Sequence[Query]) -> Sequence[Outcome]:
        model = self.lifecycle.require_model()
        began = time.perf_counter()
        outcomes = asking.ask(model, queries)
        rows = sum(query.batch.rows for query in queries)
        ended = time.perf_counter()
        self.metrics.batch(len(queries), rows, ended - began)
        for query in queries if self._traced else ():
            trace, asked = self._traced.get(id(query), (None, 0.0))
            if trace:
                trace.stage("queue", asked, began)
                trace.stage("model", began, ended, batch_requests=len(queries), batch_rows=rows)
        return outcomes

    async def _run(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, call)

    def _ready(self, _model: Model, seconds: float) -> None:
        self.metrics.loaded(self.release, seconds)


def plain_answer(answer: Answer) -> dict[str, Any]:
    """`predictions`, and `probabilities` with `classes` where they were asked for."""
    content: dict[str, Any] = {"predictions": outputs.jsonable(answer.predictions)}
    if answer.query.probabilities:
        content["probabilities"] = outputs.probabilities(answer.probabilities)
        content["classes"] = answer.classes
    return content


def single_answer(answer: Answer) -> dict[str, Any]:
    """`prediction` and `probability` of the one row."""
    prediction = outputs.first(outputs.jsonable(answer.predictions))
    content: dict[str, Any] = {"prediction": prediction, "probability": None}
    if answer.probabilities is not None:
        row = outputs.probabilities(answer.probabilities)[0]
        content["probability"] = outputs.probability_of(prediction, row, answer.classes or [])
        if answer.query.probabilities:
            content |= {"probabilities": row, "classes": answer.classes}
    return content
