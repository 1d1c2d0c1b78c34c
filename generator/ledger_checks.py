"""What contradicts itself in a model's ledgers, or in what a change does to them.

Two branches that are fine alone may merge cleanly into a ledger that is not: a promotion of a version that was
rejected meanwhile, or one that brings an old version back. The required check of a pull request sees the merge
result, and this is what it refuses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from generator.errors import InvalidInput, Problem
from generator.ledger import HISTORY, Entry, Ledger, Rejected, read_ledger
from generator.version import Version
from generator.yamlio import Path_, parse


@dataclass(frozen=True)
class Placed:
    """A ledger and the text it was read from, for the places of problems."""

    ledger: Ledger
    shown: str
    text: str

    def problem(self, path: Path_, message: str) -> Problem:
        return parse(self.text, self.shown).problem(path, message)

    @property
    def entries(self) -> Iterator[tuple[Path_, Entry]]:
        """What runs and what ran, newest first, each with its place."""
        if self.ledger.current is not None:
            yield ("current",), self.ledger.current
        for number, entry in enumerate(self.ledger.history):
            yield ("history", number), entry

    @property
    def rejections(self) -> Iterator[tuple[Path_, Rejected]]:
        """What must not come back, each with its place."""
        for number, item in enumerate(self.ledger.rejected):
            yield ("rejected", number), item

    def has(self, version: str, digest: str) -> bool:
        return any((entry.version, entry.digest) == (version, digest) for _, entry in self.entries)


def placed(text: str | None, shown: str) -> Placed | None:
    """The ledger in `text`; None where there is none, or none that can be read."""
    if text is None:
        return None
    try:
        return Placed(read_ledger(text, shown), shown, text)
    except InvalidInput:
        return None


def contradictions(ledgers: Mapping[str, Placed]) -> list[Problem]:
    """What is wrong in a model's ledgers as they are. `ledgers` are by environment, in the order of promotion."""
    problems: list[Problem] = []
    digests: dict[str, tuple[str, str]] = {}
    before: Placed | None = None
    for environment, found in ledgers.items():
        problems += [*_inside(found), *_other_digests(environment, found, digests)]
        if before is not None:
            problems += _never_promoted(found, before)
        before = found
    return problems


def _inside(found: Placed) -> Iterator[Problem]:
    """One version, one digest; nothing that is rejected runs."""
    current = found.ledger.current
    if current is None:
        if found.ledger.history:
            yield found.problem(("current",), "has a history but no current release; restore it with git")
        return
    digests: dict[str, str] = {}
    named: list[tuple[Path_, Entry | Rejected]] = [*found.entries, *found.rejections]
    for path, entry in named:
        if digests.setdefault(entry.version, entry.digest) != entry.digest:
            message = f"version {entry.version} stands there with two digests; a version is released once"
            yield found.problem((*path, "digest"), message)
    if item := _rejection(current, found.ledger):
        message = f"its current version {current.version} is rejected ({item.reason}); roll back"
        yield found.problem(("current", "version"), message)


def _rejection(entry: Entry, ledger: Ledger) -> Rejected | None:
    same = (item for item in ledger.rejected if entry.version == item.version or entry.digest == item.digest)
    return next(same, None)


def _other_digests(environment: str, found: Placed, digests: dict[str, tuple[str, str]]) -> Iterator[Problem]:
    """Where an earlier environment has another digest for a version; `digests` are those found so far."""
    for path, entry in found.entries:
        digest, where = digests.setdefault(entry.version, (entry.digest, environment))
        if digest != entry.digest and where != environment:
            message = f"version {entry.version} has another digest in {where}; a digest is promoted, never rebuilt"
            yield found.problem((*path, "digest"), message)


def _never_promoted(found: Placed, before: Placed) -> Iterator[Problem]:
    """A version that runs here must have run in the environment before, which may be younger than this one."""
    current, earlier = found.ledger.current, [entry for _, entry in before.entries]
    if current is None or not earlier or len(before.ledger.history) >= HISTORY:
        return
    since = min(entry.at for _, entry in found.entries if entry.version == current.version)
    if not before.has(current.version, current.digest) and min(entry.at for entry in earlier) <= since:
        yield found.problem(("current", "version"), _skipped(current, before))


def _skipped(current: Entry, before: Placed) -> str:
    return (
        f"{current.version} with this digest never ran in {before.ledger.environment}, the environment before: "
        "release it there first, then promote it"
    )


def refused_changes(base: Mapping[str, Placed], head: Mapping[str, Placed]) -> list[Problem]:
    """What a change from `base` to `head` must not do to a model's ledgers. Both as in `contradictions`."""
    problems: list[Problem] = []
    before: Placed | None = None
    for environment, found in head.items():
        if (old := base.get(environment)) is not None:
            problems += [*_lost(old.ledger, found), *_back(old.ledger, found)]
        if before is not None:
            problems += _promoted_wrongly(old.ledger.current if old else None, found, before)
        before = found
    return problems


def _lost(old: Ledger, found: Placed) -> Iterator[Problem]:
    """Only the oldest of a full history may go; what is rejected stays so."""
    new = found.ledger
    for item in old.rejected:
        if item not in new.rejected:
            message = (
                f"no longer says that {item.version} is rejected ({item.reason}); a rejection stays: restore it"
            )
            yield found.problem(("rejected",), message)
    kept = [entry for _, entry in found.entries]
    entries = [*([old.current] if old.current else []), *old.history]
    lost = [entry for entry in entries if entry not in kept]
    if len(new.history) >= HISTORY and entries[len(entries) - len(lost) :] == lost:
        return
    for entry in lost:
        message = (
            f"no longer has the entry of {entry.version} as the base branch has it; history only grows: "
            "restore it, or make this change anew on the base branch's head"
        )
        yield found.problem(("history",), message)


def _back(old: Ledger, found: Placed) -> Iterator[Problem]:
    """A lower version comes back only by a rollback, which rejects the higher one."""
    was, now = old.current, found.ledger.current
    if was is None or now is None or not Version(now.version) < Version(was.version):
        return
    if not any(item.version == was.version for item in found.ledger.rejected):
        message = (
            f"goes back from {was.version} to {now.version} without rejecting {was.version}: "
            f"use `generator rollback {found.ledger.environment}`"
        )
        yield found.problem(("current", "version"), message)


def _promoted_wrongly(was: Entry | None, found: Placed, before: Placed) -> Iterator[Problem]:
    """What this very change lets run here must run, or have run, unrejected in the environment before."""
    now = found.ledger.current
    rolled_back = was is not None and any(item.digest == was.digest for item in found.ledger.rejected)
    if now is None or rolled_back or (was is not None and was.digest == now.digest):
        return
    where = before.ledger.environment
    if item := _rejection(now, before.ledger):
        message = f"promotes {now.version}, which was rejected in {where}: {item.reason}"
        yield found.problem(("current", "version"), message)
    elif len(before.ledger.history) < HISTORY and not before.has(now.version, now.digest):
        yield found.problem(("current", "version"), _skipped(now, before))
