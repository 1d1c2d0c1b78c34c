"""The queue in front of the model: who goes together, who goes alone, and what happens when it is too much."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from inference.errors import RequestError
from inference.prediction.batching import Batcher, Limits, Outcome
from inference.requests.forms import Query
from inference.requests.tables import Matrix
from inference.runtimes.base import Result

DEFAULT = Limits()


def query(*values: float, **options: Any) -> Query:
    array = np.array(values, dtype=np.float64).reshape(-1, 1)
    return Query(Matrix(array, len(array)), **options)


@dataclass
class Worker:
    """Adds one to every row. The first batch waits until `go`, so that the others queue up behind it."""

    go: threading.Event = field(default_factory=threading.Event)
    seen: list[list[int]] = field(default_factory=list)

    def __call__(self, queries: Sequence[Query]) -> Sequence[Outcome]:
        first = not self.seen
        self.seen.append([one.batch.rows for one in queries])
        if first:
            assert self.go.wait(30), "the test let nobody go"
        return [Result(one.batch.array[:, 0] + 1) for one in queries]  # type: ignore[union-attr]


def kind(one: Query) -> object:
    return None if one.params else "rows"


def together(
    queries: Sequence[Query], *, limits: Limits = DEFAULT, kind: Callable[[Query], object] = kind
) -> tuple[list[Any], list[list[int]]]:
    """What each query was answered while the first one ran, and the rows of the queries of each batch."""
    worker = Worker()

    async def run() -> list[Any]:
        batcher = Batcher(worker, kind, limits)
        asked = [asyncio.create_task(batcher.ask(query(0.0)))]
        while not worker.seen:
            await asyncio.sleep(0.001)
        asked += [asyncio.create_task(batcher.ask(one)) for one in queries]
        await asyncio.sleep(0.01)
        worker.go.set()
        return await asyncio.gather(*asked, return_exceptions=True)

    answered = asyncio.run(run())[1:]
    return [one if isinstance(one, Exception) else one.predictions.tolist() for one in answered], worker.seen[1:]


def test_what_came_in_meanwhile_goes_together_and_each_gets_its_own_rows() -> None:
    answers, batches = together([query(1, 2, 3), query(10), query(20, 21)])
    assert answers == [[2, 3, 4], [11], [21, 22]]
    assert batches == [[3, 1, 2]]


def test_a_lone_request_waits_for_nobody() -> None:
    worker = Worker()
    worker.go.set()

    async def run() -> Result:
        return await asyncio.wait_for(Batcher(worker, kind, Limits()).ask(query(1)), 10)

    assert asyncio.run(run()).predictions.tolist() == [2]
    assert worker.seen == [[1]]


def test_kinds_stay_apart_and_those_of_none_go_alone() -> None:
    queries = [query(1), query(2, params={"x": 1}), query(3), query(4, params={"x": 1}), query(5)]
    answers, batches = together(queries)
    assert answers == [[2], [3], [4], [5], [6]]
    assert batches == [[1, 1, 1], [1], [1]]


@pytest.mark.parametrize("limits", [Limits(rows=4), Limits(size=4 * 8)])
def test_a_batch_stays_within_its_limits(limits: Limits) -> None:
    answers, batches = together(
        [query(1, 2, 3), query(4, 5), query(6), query(*range(9)), query(7, 8)], limits=limits
    )
    assert [len(answer) for answer in answers] == [3, 2, 1, 9, 2]
    assert batches == [[3, 1], [2, 2], [9]]


def test_one_too_many_is_refused_at_once_and_the_others_are_answered() -> None:
    answers, _ = together([query(number) for number in range(5)], limits=Limits(waiting=3))
    assert answers[:3] == [[1], [2], [3]]
    for refused in answers[3:]:
        assert isinstance(refused, RequestError)
        assert (refused.status, refused.code, refused.headers) == (503, "overloaded", {"Retry-After": "1"})


def test_who_waits_too_long_is_told_and_never_asked() -> None:
    worker = Worker()

    async def run() -> list[Any]:
        batcher = Batcher(worker, kind, Limits(seconds=0.05))
        asked = [asyncio.create_task(batcher.ask(query(number))) for number in range(3)]
        answered = await asyncio.gather(*asked, return_exceptions=True)
        while not worker.seen:  # the thread may get to it late
            await asyncio.sleep(0.001)
        assert worker.seen == [[1, 1, 1]], "they came in one round of the loop"
        late = await asyncio.gather(batcher.ask(query(9)), return_exceptions=True)
        batcher.limits = Limits()
        worker.go.set()
        # The thread is free again, and the queue knows it.
        assert (await asyncio.wait_for(batcher.ask(query(5)), 10)).predictions.tolist() == [6]
        return [*answered, *late]

    for refused in asyncio.run(run()):
        assert isinstance(refused, RequestError)
        assert (refused.status, refused.code) == (503, "timeout")
    assert worker.seen == [[1, 1, 1], [1]], "an expired request was asked all the same"


def test_a_failure_is_that_requests_alone() -> None:
    def work(queries: Sequence[Query]) -> Sequence[Outcome]:
        return [ValueError("no") if one.batch.rows == 2 else Result(one.batch.rows) for one in queries]

    async def run() -> list[Any]:
        batcher = Batcher(work, kind, Limits())
        return await asyncio.gather(*map(batcher.ask, [query(1), query(1, 2), query(1)]), return_exceptions=True)

    first, failed, last = asyncio.run(run())
    assert (first.predictions, last.predictions) == (1, 1)
    assert isinstance(failed, ValueError)


def test_a_worker_that_breaks_answers_all_and_goes_on() -> None:
    calls = []

    def work(queries: Sequence[Query]) -> Sequence[Outcome]:
        calls.append(len(queries))
        if len(calls) == 1:
            raise SystemExit
        return [Result(0) for _ in queries]

    async def run() -> tuple[Sequence[Any], Any]:
        batcher = Batcher(work, kind, Limits())
        broken = await asyncio.gather(batcher.ask(query(1)), batcher.ask(query(2)), return_exceptions=True)
        return broken, await asyncio.wait_for(batcher.ask(query(3)), 10)

    broken, after = asyncio.run(run())
    assert [type(error) for error in broken] == [RuntimeError, RuntimeError]
    assert after.predictions == 0


def test_an_end_of_an_iteration_is_no_end_of_the_queue() -> None:
    """No future takes a StopIteration, which `next` raises in many a model."""

    def work(queries: Sequence[Query]) -> Sequence[Outcome]:
        return [StopIteration() if one.batch.rows == 2 else Result(0) for one in queries]

    async def run() -> tuple[Sequence[Any], Any]:
        batcher = Batcher(work, kind, Limits())
        both = await asyncio.gather(batcher.ask(query(1, 2)), batcher.ask(query(1)), return_exceptions=True)
        return both, await asyncio.wait_for(batcher.ask(query(3)), 10)

    (broken, beside), after = asyncio.run(run())
    assert isinstance(broken, RuntimeError)
    assert (beside.predictions, after.predictions) == (0, 0)


def test_who_is_told_that_it_took_too_long_leaves_the_queue() -> None:
    worker = Worker()

    async def run() -> int:
        batcher = Batcher(worker, kind, Limits(seconds=0.05))
        first = asyncio.create_task(batcher.ask(query(1)))
        while not worker.seen:
            await asyncio.sleep(0.001)
        late = [asyncio.create_task(batcher.ask(query(2, params={"k": 1}))) for _ in range(5)]
        await asyncio.gather(first, *late, return_exceptions=True)
        waiting = batcher.waiting
        worker.go.set()
        return waiting

    assert asyncio.run(run()) == 0


def test_a_client_that_went_away_is_not_asked_for() -> None:
    worker = Worker()

    async def run() -> None:
        batcher = Batcher(worker, kind, Limits())
        first = asyncio.create_task(batcher.ask(query(1)))
        while not worker.seen:
            await asyncio.sleep(0.001)
        gone, stays = (asyncio.create_task(batcher.ask(query(*rows))) for rows in ([1, 2], [1, 2, 3]))
        await asyncio.sleep(0.01)
        gone.cancel()
        worker.go.set()
        await asyncio.gather(first, stays)
        assert batcher.waiting == 0

    asyncio.run(run())
    assert worker.seen == [[1], [3]]
