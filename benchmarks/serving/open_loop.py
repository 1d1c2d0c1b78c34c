"""Sends requests at a fixed rate whatever the server does: an answer that is late delays no other request.

The number of connections is bounded; a request that finds none free is not sent, and counted.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

_STATUS = re.compile(rb"HTTP/1\.1 (\d\d\d)")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_RETRY = re.compile(rb"\r\nretry-after: *\d+", re.IGNORECASE)
_PAUSE = 0.002  # seconds between looks at what is due
_FINE = 100  # buckets of a natural logarithm: times are kept to 1 %


@dataclass(frozen=True)
class Exchange:
    """A whole request as bytes, and the body of its right answer."""

    request: bytes
    answer: bytes


class Times:
    """Counts of durations in seconds, from which percentiles are read to 1 %."""

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self.count = 0

    def add(self, seconds: float) -> None:
        """Counts one."""
        self._buckets[math.ceil(math.log(max(seconds, 1e-6)) * _FINE)] += 1
        self.count += 1

    def join(self, other: Times) -> None:
        """Counts all of the other's."""
        self._buckets.update(other._buckets)
        self.count += other.count

    def percentile(self, percent: float) -> float | None:
        """Seconds that so many percent stayed within; None without any."""
        left = self.count * percent / 100
        for bucket in sorted(self._buckets):
            left -= self._buckets[bucket]
            if left <= 0:
                return math.exp(bucket / _FINE)
        return None


@dataclass
class Tally:
    """What came of the requests of some time."""

    statuses: Counter[int] = field(default_factory=Counter)
    accepted: Times = field(default_factory=Times)
    wrong: int = 0  # answers with 200 and another body than the right one
    hasty: int = 0  # refusals without Retry-After
    broken: int = 0  # requests without an answer when their connection ended, or all did
    unsent: int = 0  # no connection was free

    def add(self, other: Tally) -> None:
        """Counts all that the other has, too."""
        self.statuses.update(other.statuses)
        self.accepted.join(other.accepted)
        self.wrong += other.wrong
        self.hasty += other.hasty
        self.broken += other.broken
        self.unsent += other.unsent


class Load:
    """A rate of requests on a bounded number of connections."""

    def __init__(self, port: int, exchanges: Sequence[Exchange], rate: float, connections: int) -> None:
        self._port = port
        self._exchanges = exchanges
        self._rate = rate
        self._limit = connections
        self._opening = 0
        self._open: set[_Connection] = set()
        self.idle: deque[_Connection] = deque()  # the one that is idle for longest first: none grows old
        self.whole, self._window = Tally(), Tally()

    async def run(self, seconds: float, patience: float = 2.0) -> None:
        """Send for so long, then wait `patience` seconds for the last answers."""
        began, sent, total = time.perf_counter(), 0, round(seconds * self._rate)
        while sent < total:
            due = min(total, int((time.perf_counter() - began) * self._rate))
            for number in range(sent, due):
                self._send(began + number / self._rate, number)
            sent = due
            self._grow()
            await asyncio.sleep(_PAUSE)
        await asyncio.sleep(patience)
        for connection in tuple(self._open):
            connection.close()
        await asyncio.sleep(0.1)
        self.take_window()

    def take_window(self) -> Tally:
        """The tally since the last call, which is then part of the whole."""
        taken, self._window = self._window, Tally()
        self.whole.add(taken)
        return taken

    def finished(self, exchange: Exchange, due: float, head: bytes, body: bytes) -> None:
        """An answer is complete."""
        found = _STATUS.match(head)
        status = int(found[1]) if found else 0
        tally = self._window
        tally.statuses[status] += 1
        if status == 200:
            tally.accepted.add(time.perf_counter() - due)
            tally.wrong += body != exchange.answer
        elif not _RETRY.search(head):
            tally.hasty += 1

    def opened(self, connection: _Connection) -> None:
        """A connection is there."""
        self._open.add(connection)
        self.idle.append(connection)

    def lost(self, connection: _Connection, *, busy: bool) -> None:
        """A connection ended."""
        self._open.discard(connection)
        self._window.broken += busy

    def _send(self, due: float, number: int) -> None:
        while self.idle:
            connection = self.idle.popleft()
            if connection.send(self._exchanges[number % len(self._exchanges)], due):
                return
        self._window.unsent += 1

    def _grow(self) -> None:
        """Connections are opened a few at a time until there are as many as allowed."""
        for _ in range(min(16 - self._opening, self._limit - len(self._open) - self._opening)):
            self._opening += 1
            task = asyncio.get_running_loop().create_task(self._connect())
            task.add_done_callback(lambda done: done.exception())

    async def _connect(self) -> None:
        try:
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self._port)
        finally:
            self._opening -= 1


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._transport: asyncio.Transport | None = None
        self._asked: tuple[Exchange, float] | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class
        self._load.opened(self)

    def send(self, exchange: Exchange, due: float) -> bool:
        """Whether it could be sent; `due` is when it should have been."""
        if self._transport is None or self._transport.is_closing():
            return False
        self._asked, self._received = (exchange, due), b""
        self._transport.write(exchange.request)
        return True

    def close(self) -> None:
        """Ends it, whatever it waits for."""
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head) if found else None
        if length is None or len(body) < int(length[1]) or self._asked is None:
            return
        exchange, due = self._asked
        self._asked = None
        self._load.finished(exchange, due, head, body)
        if self._transport is not None and not self._transport.is_closing():
            self._load.idle.append(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        self._transport = None
        self._load.lost(self, busy=self._asked is not None)
