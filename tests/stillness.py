"""Tests of how long something takes, on machines that now and then stand still."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import ParamSpec

P = ParamSpec("P")
_TICK = 0.01


class Standstills(AbstractContextManager["Standstills"]):
    """Notes for how long this process was kept from running."""

    def __init__(self) -> None:
        self.longest = 0.0  # seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Standstills:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _tick(self) -> None:
        last, over = time.monotonic(), False
        while not over:  # the last stretch counts, too: what failed may have been the first to go on
            over = self._over.wait(_TICK)
            now = time.monotonic()
            self.longest, last = max(self.longest, now - last - _TICK), now


def again_after_a_standstill(
    seconds: float, attempts: int = 5
) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """For a test that must see something while it lasts: what fails while nothing ran for `seconds` shows nothing.

    It is then run again; a failure without such a standstill, and the last attempt's, counts.
    """

    def decorate(test: Callable[P, None]) -> Callable[P, None]:
        @functools.wraps(test)
        def run(*args: P.args, **kwargs: P.kwargs) -> None:
            for _ in range(attempts - 1):
                seen = Standstills()
                try:
                    with seen:
                        return test(*args, **kwargs)
                except Exception:
                    if seen.longest < seconds:
                        raise
            return test(*args, **kwargs)

        return run

    return decorate
