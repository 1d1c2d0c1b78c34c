"""Micro-batching without a timer: a batch is whatever came in while the last one ran.

One thread asks the model. A lone request is asked at once; requests that arrive meanwhile wait, and then go
together, as far as the limits allow. Nothing is ever held back to make a batch larger.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from inference.errors import RequestError
from inference.prediction.asking import Outcome
from inference.requests.forms import Query
from inference.runtimes.base import Result

Work = Callable[[Sequence[Query]], Sequence[Outcome]]
"""Asks the model for several queries of one kind; an outcome each. Called in the batcher's thread."""


@dataclass(frozen=True)
class Limits:
    """How much may wait, and how much goes together."""

    rows: int = 4096
    """Rows in one batch; a larger request goes alone."""

    size: int = 32 * 1024 * 1024
    """Bytes of values in one batch; a larger request goes alone."""

    waiting: int = 1024
    """Requests that may wait; one more is answered 503 at once."""

    seconds: float = 30.0
    """How long a request may take from its turn in the queue to its answer; then it is answered 503."""


@dataclass(slots=True, eq=False)
class _Job:
    query: Query
    kind: object
    future: asyncio.Future[Result]
    begun: float = field(default_factory=time.monotonic)


class Batcher:
    """A queue in front of one thread. All methods belong to one event loop."""

    def __init__(self, work: Work, kind: Callable[[Query], object], limits: Limits) -> None:
        """Queries of the same `kind` may go together; those of kind None go alone."""
        self.limits = limits
        self._kind = kind
        self._work = work
        self._waiting: deque[_Job] = deque()
        self._running: list[_Job] = []
        self._handed: queue.SimpleQueue[tuple[asyncio.AbstractEventLoop, list[_Job]]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._sweep: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """Requests that wait for their turn."""
        return len(self._waiting)

    async def ask(self, query: Query) -> Result:
        """The model's result for this query alone; RequestError 503 when there is too much to do."""
        if len(self._waiting) >= self.limits.waiting:
            raise _overloaded("overloaded", "too many requests are waiting for the model")
        loop = asyncio.get_running_loop()
        job = _Job(query, self._kind(query), loop.create_future())
        self._waiting.append(job)
        if not self._running:
            # Not now: what this round of the event loop still reads may come along.
            self._running.append(job)
            loop.call_soon(self._start, loop)
        if self._sweep is None:
            self._sweep = loop.call_later(self.limits.seconds, self._expire, loop)
        return await job.future

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._running = self._take()
        if self._running:
            self._ensure_thread()
            self._handed.put((loop, self._running))

    def _take(self) -> list[_Job]:
        """The first that waits, and all others that can go with it, in order."""
        limits, taken, left = self.limits, list[_Job](), deque[_Job]()
        rows = size = 0
        kind: object = None
        while self._waiting:
            job = self._waiting.popleft()
            if job.future.done():  # expired, or cancelled
                continue
            batch = job.query.batch
            fits = rows + batch.rows <= limits.rows and size + batch.size <= limits.size
            if taken and not (job.kind == kind and fits):
                left.append(job)
                continue
            taken.append(job)
            kind, rows, size = job.kind, rows + batch.rows, size + batch.size
            if kind is None:
                break
        left.extend(self._waiting)
        self._waiting = left
        return taken

    def _ensure_thread(self) -> None:
        if self._thread is None:
            # A daemon: a model that never answers must not keep a stopping process alive.
            self._thread = threading.Thread(target=self._serve, name="model", daemon=True)
            self._thread.start()

    def _serve(self) -> None:
        """The thread: asks the model for what it is handed, one batch after another."""
        while True:
            loop, jobs = self._handed.get()
            try:
                outcomes = self._work([job.query for job in jobs])
            except BaseException as error:  # noqa: BLE001 - no request may wait for ever
                outcomes = [_raisable(error)] * len(jobs)
            try:
                loop.call_soon_threadsafe(self._finish, loop, jobs, outcomes)
            except RuntimeError:  # the loop is closed: nobody waits any more
                return

    def _finish(self, loop: asyncio.AbstractEventLoop, jobs: list[_Job], outcomes: Sequence[Outcome]) -> None:
        for job, outcome in zip(jobs, outcomes, strict=True):
            if job.future.done():
                continue
            if isinstance(outcome, Exception):
                job.future.set_exception(_raisable(outcome))
            else:
                job.future.set_result(outcome)
        self._running = []
        if self._waiting:
            self._start(loop)

    def _expire(self, loop: asyncio.AbstractEventLoop) -> None:
        """Answer those whose time is up, and come again when the next one's is."""
        over, self._sweep = time.monotonic() - self.limits.seconds, None
        for job in (*self._running, *self._waiting):
            if not job.future.done() and job.begun <= over:
                message = f"the model did not answer within {self.limits.seconds:g} seconds"
                job.future.set_exception(_overloaded("timeout", message))
        self._waiting = deque(job for job in self._waiting if not job.future.done())
        left = [job.begun - over for job in (*self._running, *self._waiting) if not job.future.done()]
        if left:
            self._sweep = loop.call_later(min(left), self._expire, loop)


def _raisable(error: BaseException) -> Exception:
    """What a future takes: no StopIteration, and nothing that would end the process."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    raisable = RuntimeError(repr(error))
    raisable.__cause__ = error
    return raisable


def _overloaded(code: str, message: str) -> RequestError:
    return RequestError(code, f"{message}; try again later", status=503, headers={"Retry-After": "1"})
