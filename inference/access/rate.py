"""A token bucket for each client, kept as one number: the moment at which it is full again.

A bucket that is full says nothing that a new one would not, so it may be forgotten; and the number of
buckets is bounded, whatever addresses turn up.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from inference.settings import Rate

_SECOND = 1_000_000_000  # whole nanoseconds: sums stay exact
MOST_BUCKETS = 10_000
"""Buckets kept, some 2 MB. Beyond it the one that was used least recently is forgotten: who has more
addresses than that is not held back by a limit for each."""


@dataclass(frozen=True)
class Turn:
    """What became of one request."""

    allowed: bool
    remaining: int  # requests that may follow at once
    seconds: int  # refused: until the next may come; else how long `remaining` lasts at the steady rate


class Limiter:
    """Buckets by client. Each holds `rate.burst` requests and gains one every `rate.seconds / rate.requests`."""

    def __init__(self, rate: Rate, most: int = MOST_BUCKETS, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self.rate = rate
        self._step = -(-rate.seconds * _SECOND // rate.requests)  # rounded up: never more than the rate
        self._span = self._step * rate.burst
        self._most = most
        self._clock = clock
        self._full_at: dict[str, int] = {}  # in the order of use

    @property
    def buckets(self) -> int:
        """How many are kept."""
        return len(self._full_at)

    def take(self, client: str) -> Turn:
        """Count a request of `client`; one that is refused takes nothing."""
        now = self._clock()
        known = self._full_at.pop(client, None)
        if known is None:
            self._make_room(now)
        full_at = max(known or now, now)
        room = now + self._span - full_at  # nanoseconds' worth of requests
        if allowed := room >= self._step:
            full_at, room = full_at + self._step, room - self._step
        self._full_at[client] = full_at
        remaining = room // self._step
        wait = remaining * self._step if remaining else self._step - room
        return Turn(allowed, remaining, -(-wait // _SECOND))

    def _make_room(self, now: int) -> None:
        """Before a newcomer: forget up to two that are full again, and one that is not where there is no room."""
        for client in [*islice(self._full_at, 2)]:
            if self._full_at[client] <= now or len(self._full_at) >= self._most:
                del self._full_at[client]
