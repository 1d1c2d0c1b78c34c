"""Watches a rollout until it serves, fails, or the time is over."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from generator.ports import Reporter
from generator.rollouts.judge import Seen, State
from generator.rollouts.snapshot import Snapshot

LASTING = 60.0  # seconds, after which what may pass by itself counts as failed
_PAUSE = 2.0


@dataclass(frozen=True)
class Clock:
    """Time as a watch sees it, in seconds."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def watch(
    look: Callable[[], Snapshot],
    judge: Callable[[Snapshot], Seen],
    reporter: Reporter,
    *,
    seconds: float,
    clock: Clock | None = None,
) -> Seen:
    """The last judgement: SERVING, FAILED, or what it was when `seconds` were over. Changes are said."""
    clock = clock or Clock()
    end, since = clock.now() + seconds, clock.now()
    last: Seen | None = None
    while True:
        seen = judge(look())
        if last is None or (seen.state, seen.detail) != (last.state, last.detail):
            reporter.say(f"{seen.state}: {seen.detail}")
        if last is None or seen.failure is None or last.failure is None or seen.failure.kind != last.failure.kind:
            since = clock.now()
        if seen.failure and clock.now() - since >= LASTING:
            return Seen(State.FAILED, str(seen.failure), seen.failure)
        if seen.state in (State.SERVING, State.FAILED) or clock.now() >= end:
            return seen
        last = seen
        clock.sleep(_PAUSE)
