"""Answers queries: reads the body and asks the model, each off the event loop, and counts.

The model is asked by one thread, one request at a time and in order: few models promise more, and this is
where a queue of requests can become a batch.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from inference import outputs
from inference.batch import Rules
from inference.errors import RequestError
from inference.forms import Query
from inference.lifecycle import Lifecycle
from inference.metrics import Metrics
from inference.model import Model
from inference.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """What the model returned for a query, as it came."""

    query: Query
    predictions: Any
    probabilities: Any  # None: not asked for
    classes: list[Any] | None


class Service:
    """One model's settings, life, figures and thread."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.release = settings.release
        self.rules = Rules(settings.release.version, settings.strict, settings.max_rows)
        self.metrics = Metrics()
        self.lifecycle = Lifecycle(settings.model, self._ready)
        self.in_flight = 0  # requests whose answer is not complete; the event loop's own
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="read")
        self._model_thread = ThreadPoolExecutor(1, thread_name_prefix="model")

    async def answer(self, read: Callable[[Model], Query]) -> Answer:
        """Understand a request with `read`, then ask the model."""
        model = self.lifecycle.require_model()
        query = await _run(self._readers, lambda: read(model))
        if query.probabilities and model.classes is None:
            raise RequestError("no_probabilities", "this model gives no probabilities")
        return await _run(self._model_thread, lambda: self._ask(model, query))

    async def write(self, make: Callable[[], T]) -> T:
        """Make an answer's content off the event loop."""
        return await _run(self._readers, make)

    def _ask(self, model: Model, query: Query) -> Answer:
        began = time.perf_counter()
        predictions = model.predict(query.batch, query.params)
        wanted = query.probabilities or (query.single and model.classes is not None)
        probabilities = model.probabilities(query.batch) if wanted else None
        self.metrics.duration.observe(time.perf_counter() - began)
        self.metrics.predictions.inc(query.batch.rows)
        return Answer(query, predictions, probabilities, model.classes)

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


async def _run(executor: ThreadPoolExecutor, call: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(executor, call)
