"""The ledger of an environment, `release.yaml` in its overlay: what runs, what ran, what is rejected.

`current` and `rejected` are one line each and adjacent, so that two branches that change either conflict.
"""

from __future__ import annotations

from typing import Annotated, Literal, Protocol

from pydantic import BeforeValidator, Field, ValidationError

from generator.artifacts import (
    Commit,
    Digest,
    Hash,
    Line,
    Metrics,
    NameText,
    Part,
    RunId,
    RuntimeName,
    Time,
    VersionText,
    as_tuple,
)
from generator.errors import GeneratorError, InvalidInput
from generator.version import Version
from generator.yamlio import parse, quote

_LATER = ("load_seconds",)  # keys that came after the first ledgers
HISTORY = 50  # entries kept; Git has the rest


class Entry(Part):
    """One release in one environment."""

    version: VersionText
    digest: Digest
    run: RunId
    registered: Annotated[int, Field(ge=1)] | None = None
    commit: Commit
    data: Hash | None = None
    golden: Annotated[int, Field(ge=0, le=20)] | None = None  # rows; 0: only that the model loads was tested
    runtime: RuntimeName | None = None  # what asks the model
    size: Annotated[int, Field(ge=0)] | None = None  # bytes of the image's archive
    load_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None  # when the image was tried
    metrics: Metrics = {}
    at: Time
    by: Line


class Rejected(Part):
    """A release that must not come back."""

    version: VersionText
    digest: Digest
    reason: Line
    at: Time


class Ledger(Part):
    """The whole of release.yaml."""

    schema_version: Literal[1] = 1
    model: NameText
    environment: NameText
    current: Entry | None = None
    rejected: Annotated[tuple[Rejected, ...], BeforeValidator(as_tuple)] = ()
    history: Annotated[tuple[Entry, ...], BeforeValidator(as_tuple)] = ()

    @property
    def released(self) -> bool:
        """Whether this environment ever got a release: before, its overlay runs nothing."""
        return self.current is not None

    @property
    def by_rollback(self) -> bool:
        """Whether what runs here had run before, and came back."""
        return self.current is not None and self.current.version in {entry.version for entry in self.history}

    def names(self, digest: str) -> bool:
        """Whether it is what runs here."""
        return self.current is not None and self.current.digest == digest

    @property
    def highest(self) -> Version | None:
        """The highest version ever deployed here."""
        entries = (*self.history, *((self.current,) if self.current else ()))
        return max((Version(entry.version) for entry in entries), default=None)

    def with_release(self, entry: Entry, *, older_because: str | None = None) -> Ledger:
        """The ledger after `entry` was deployed. Raises GeneratorError where it must not be."""
        for rejected in self.rejected:
            if entry.version == rejected.version or entry.digest == rejected.digest:
                same = entry.version == rejected.version
                what = "was" if same else f"is the image that, as {rejected.version}, was"
                raise GeneratorError(
                    f"{entry.version} {what} rejected in {self.environment}: {rejected.reason}; "
                    "release a new version"
                )
        highest = self.highest
        if highest is not None and Version(entry.version) <= highest and older_because is None:
            raise GeneratorError(
                f"{entry.version} is not newer than {highest}, the highest version deployed to "
                f"{self.environment}; release a higher version, or pass --allow-older REASON"
            )
        history = (self.current, *self.history) if self.current else self.history
        return self.model_copy(update={"current": entry, "history": history[:HISTORY]})

    def rolled_back(self, to: str | None, *, reason: str, at: str, by: str, serving: str | None = None) -> Ledger:
        """The ledger after a return to version `to`; `current` is rejected.

        Where `to` is None it is the one with the digest `serving`, if that ran here and is not rejected, else the
        last one that is not. Raises GeneratorError where there is nothing to return to.
        """
        if self.current is None:
            raise GeneratorError(f"{self.environment} was never released: there is nothing to roll back")
        entry = self._earlier(to, self.current, serving).model_copy(update={"at": at, "by": by})
        bad = Rejected(version=self.current.version, digest=self.current.digest, reason=reason, at=at)
        history = (self.current, *self.history)[:HISTORY]
        return self.model_copy(update={"current": entry, "rejected": (bad, *self.rejected), "history": history})

    def _earlier(self, to: str | None, current: Entry, serving: str | None) -> Entry:
        bad = {current.digest, *(item.digest for item in self.rejected)}
        good = {entry.version: entry for entry in reversed(self.history) if entry.digest not in bad}
        if to is None and good:
            latest = [entry for entry in self.history if entry.digest not in bad]
            return next((entry for entry in latest if entry.digest == serving), latest[0])
        if to in good:
            return good[to]
        choice = f"it had {', '.join(good)}" if good else "nothing ran there before that is not rejected"
        if to is None:
            raise GeneratorError(f"{self.environment} cannot go back from {current.version}: {choice}")
        for rejected in self.rejected:
            if rejected.version == to:
                raise GeneratorError(f"{to} was rejected in {self.environment}: {rejected.reason}; {choice}")
        what = "is what runs there" if to == current.version else "never ran there"
        raise GeneratorError(f"{self.environment} cannot go back to {to}, which {what}; {choice}")

    def text(self) -> str:
        """release.yaml."""
        entries = "".join(f"  - {_line(entry)}\n" for entry in self.history)
        return (
            "# What runs here, what ran, and what must not come back. Written by `generator stage deploy`.\n"
            f"schema_version: 1\n"
            f"model: {quote(self.model)}\n"
            f"environment: {quote(self.environment)}\n"
            f"current: {_line(self.current) if self.current else 'null'}\n"
            f"rejected: [{', '.join(_line(item) for item in self.rejected)}]\n"
            f"history:{chr(10) + entries if entries else f' []{chr(10)}'}"
        )


def _line(part: Part) -> str:
    """One line. What older ledgers do not know is left out where it is absent: no line changes by itself."""
    told = part.model_dump(mode="json")
    return quote({key: value for key, value in told.items() if not (key in _LATER and value is None)})


class Clone(Protocol):
    """What has files as commits have them."""

    def text_at(self, commit: str, path: str) -> str | None: ...


def ledger_at(clone: Clone, commit: str, overlay: str) -> Ledger | None:
    """That of an overlay, whose folder is from the repository's root, as a commit has it."""
    path = f"{overlay}/release.yaml"
    text = clone.text_at(commit, path)
    return read_ledger(text, path) if text is not None else None


def read_ledger(text: str, shown: str) -> Ledger:
    """The ledger in `text`. Raises GeneratorError, with line and column, where it is none."""
    document = parse(text, shown)
    try:
        return Ledger.model_validate(document.data)
    except ValidationError as error:
        raise InvalidInput(
            [document.problem(item["loc"], str(item["msg"])) for item in error.errors(include_url=False)]
        ) from error
