"""Waits until the cluster runs exactly a digest, or says why it does not."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from generator.artifacts import RolloutState
from generator.errors import GeneratorError
from generator.ports import Reporter
from generator.rollouts.answer import difference
from generator.rollouts.judge import Seen, State, judge
from generator.rollouts.reconciling import Ours
from generator.rollouts.snapshot import Snapshot, other_digest

TICK = 2.0  # seconds from look to look
PATIENCE = 60.0  # for a cluster that does not answer, and for an API server that does not reach pods
FRESH = 15.0  # how long it is taken for granted that the release is still wanted


@dataclass(frozen=True)
class Sighting:
    """How it ended; `kind` names the way to fail in the runbook."""

    state: RolloutState
    detail: str
    kind: str | None = None
    seconds: float | None = None
    serving: str | None = None  # the digest that serves in its place, where it failed


@dataclass(frozen=True)
class Clock:
    """Time, in seconds."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class Watcher:
    """Who looks, and for how long. `wanted` says whether the overlay still names the digest."""

    look: Callable[[], Snapshot]
    told: Callable[[], Any] | None  # what /metadata answers; None: it is not asked
    wanted: Callable[[], bool]
    ours: Ours  # whether a revision that the reconciler names contains the commit of the release
    reporter: Reporter
    timeout: float
    clock: Clock = field(default_factory=Clock)


def watch(digest: str, facts: Mapping[str, object], with_: Watcher) -> Sighting:
    """Looks until it is decided. `facts` is what /metadata must say of the release.

    Raises GeneratorError where the cluster does not answer, or does not show what is asked, for a minute.
    """
    began = answered = with_.clock.now()
    looks = _Looks(digest, facts, with_)
    while True:
        now = with_.clock.now()
        seconds, late = now - began, now - began >= with_.timeout
        try:
            ended = looks.look(now, late=late)
            answered = now
        except GeneratorError as error:
            if late or now - answered >= PATIENCE:
                raise
            ended = None
            looks.say(f"{error}; it is asked again")
        if ended:
            with_.reporter.say(ended.detail)
            return replace(ended, seconds=seconds)
        with_.clock.sleep(TICK)


@dataclass
class _Looks:
    """What was seen so far."""

    digest: str
    facts: Mapping[str, object]
    with_: Watcher
    serving: str | None = None  # the digest that others serve meanwhile
    said: str = ""
    asked: float | None = None  # when it was last asked whether the release is wanted still
    unasked: float | None = None  # since when /metadata could not be asked, with all pods ready

    def look(self, now: float, *, late: bool) -> Sighting | None:
        """One more look; None while the rollout goes on."""
        seen = self._judged(now)
        if seen.state is State.SERVING:
            return Sighting("serving", seen.detail)
        failed = seen.state is State.FAILED
        if not failed:
            self.say(seen.detail)
        if not self._wanted(now, at_once=failed or late):
            return Sighting("superseded", "the overlay names another release meanwhile")
        kind = seen.failure.kind.name if seen.failure else None
        if failed:
            return Sighting("failed", seen.detail, kind, serving=self.serving)
        if late:
            return Sighting("late", f"not within {self.with_.timeout:.0f} s: {seen.detail}", kind)
        return None

    def say(self, line: str) -> None:
        """Each line once, until there is another."""
        if line != self.said:
            self.with_.reporter.say(line)
            self.said = line

    def _wanted(self, now: float, *, at_once: bool) -> bool:
        if not at_once and self.asked is not None and now - self.asked < FRESH:
            return True
        self.asked = now
        return self.with_.wanted()

    def _judged(self, now: float) -> Seen:
        """A release whose pods are ready serves once its Service leads to them."""
        snapshot = self.with_.look()
        self.serving = other_digest(snapshot, self.digest)
        seen = judge(snapshot, self.digest, self.with_.ours)
        if seen.state is not State.SERVING or self.with_.told is None:
            self.unasked = None
            return seen
        # The Service itself may be what the reconciler could not apply.
        why = f"; {seen.failure}" if seen.failure else ""
        try:
            told = self.with_.told()
        except GeneratorError as error:
            # Where the API server does not reach pods, their readiness must do.
            self.unasked = now if self.unasked is None else self.unasked
            state = State.ROLLING if now - self.unasked < PATIENCE else State.SERVING
            return replace(seen, state=state, detail=f"{seen.detail}; /metadata could not be asked: {error}{why}")
        self.unasked = None
        if not isinstance(told, dict):
            detail = f"{seen.detail}, and the Service leads to nothing that answers /metadata yet{why}"
            return replace(seen, state=State.ROLLING, detail=detail)
        if odd := difference(told, self.facts):
            return replace(seen, state=State.ROLLING, detail=f"{seen.detail}, and {odd} yet{why}")
        return Seen(State.SERVING, f"{seen.detail}, {told['name']} {told['version']} answers")
