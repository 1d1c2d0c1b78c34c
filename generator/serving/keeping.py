"""Keeps a server up, and puts another in its place when the model changes, without losing a request.

Both listen to one socket, which belongs to the command. The new server takes connections only when its model
is loaded; then the old one takes no more, answers what it has, and ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from generator.errors import GeneratorError
from generator.ports import Reporter
from generator.serving.origin import Origin
from generator.serving.starting import Started, Starter, described

TICK = 0.5  # seconds between two looks at the server itself


class Keeper:
    """One server at a time, from one origin."""

    def __init__(self, origin: Origin, starter: Starter, reporter: Reporter) -> None:
        self.origin, self.starter, self.reporter = origin, starter, reporter
        self._now: Started | None = None
        self._tried: object = None  # what was there when a model was last started, whether that worked or not
        self._complaint = ""

    def keep(self, *, reload: bool, ready: Callable[[Started], None]) -> None:
        """Serves until it is interrupted. Raises GeneratorError where the server does not start, or ends."""
        every = self.origin.every if reload else None
        if reload and every is None:
            raise GeneratorError(
                f"{self.origin.shown} is always the same model: --reload is for a folder, an alias, or a name "
                "without a version"
            )
        try:
            self._now = self.starter.start(self.origin)
            self._tried = self._now.seen
            ready(self._now)
            looked = time.monotonic()
            while True:
                time.sleep(TICK)
                self._check()
                if every is not None and time.monotonic() - looked >= every:
                    self._look()
                    looked = time.monotonic()
        finally:
            if self._now is not None:
                self.reporter.say("ending the server; it finishes its requests")
                self._now.close()

    def _check(self) -> None:
        assert self._now is not None
        if not self._now.server.alive():
            raise GeneratorError(f"the server ended by itself; it said:\n{self._now.server.last_words()}")
        self._now.server.trim_log()

    def _look(self) -> None:
        """Swaps the server where the model is another than the one tried last, and is no longer being written."""
        try:
            found = self.origin.look()
            if found == self._tried:
                return
            time.sleep(min(TICK, self.origin.every or TICK))
            if self.origin.look() != found:
                return
        except Exception as error:  # noqa: BLE001  (whatever is wrong with the source, a server serves)
            self._complain(f"{self.origin.shown} cannot be looked at, the model stays: {_said(error)}")
            return
        self._tried = found
        self._swap()

    def _swap(self) -> None:
        self.reporter.say(f"{self.origin.shown} changed")
        try:
            new = self.starter.start(self.origin)
        except Exception as error:  # noqa: BLE001  (a model is a stranger's, and the old one is promised to stay)
            assert self._now is not None
            self._complain(f"the new model cannot be served, {described(self._now.facts)} stays: {_said(error)}")
            return
        old, self._now = self._now, new
        self._tried, self._complaint = new.seen, ""
        self.reporter.say("it is ready; the server before it finishes its requests")
        assert old is not None
        old.close()
        self.reporter.say(f"serving {described(new.facts)}")

    def _complain(self, reason: str) -> None:
        """Once for each reason, not at every look."""
        if reason != self._complaint:
            self.reporter.say(reason)
        self._complaint = reason


def _said(error: Exception) -> str:
    """Its message; of what nobody foresaw also its kind, without which many a message means nothing."""
    return str(error) if isinstance(error, GeneratorError | OSError) else f"{type(error).__name__}: {error}"
