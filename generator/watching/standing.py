"""Where one environment stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """Of an environment, in the order in which a release goes through them."""

    TRAINING = "training"
    BUILDING = "building"
    PUSHING = "pushing"
    DEPLOYING = "deploying"
    DEPLOYED = "deployed"
    FAILED = "failed"
    EMPTY = "never released"
    UNSEEN = "unseen"  # the ledger has a release; no cluster was there to be asked


@dataclass(frozen=True)
class Standing:
    """One row. Times are UTC as `2026-01-31T12:00:00Z`, empty where they are not known."""

    model: str
    environment: str
    cluster: str  # empty where the environment has one alone
    state: State
    version: str = ""  # that the state is about
    since: str = ""
    took: int | None = None  # seconds from the overlay's commit until it was deployed
    address: str = ""
    detail: str = ""  # why it failed, or what else there is to know
    context: str | None = None  # kubectl's, whose cluster is asked

    @property
    def place(self) -> tuple[str, str, str]:
        return self.model, self.environment, self.cluster

    @property
    def where(self) -> str:
        return f"{self.environment} {self.cluster}".strip()

    @property
    def told(self) -> str:
        """As `1.1.0 is training` or `1.1.0 failed`."""
        return f"{self.version} {'' if self.state is State.FAILED else 'is '}{self.state}"

    def seconds(self, now: datetime) -> int | None:
        """How long it has been so."""
        begun = moment(self.since)
        return max(0, int((now - begun).total_seconds())) if begun else None

    def record(self, now: datetime) -> dict[str, Any]:
        """As JSON."""
        return {**vars(self), "seconds": self.seconds(now)}


def moment(text: str) -> datetime | None:
    """A time as GitHub, Kubernetes and ledgers write it."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def spoken(seconds: int | None) -> str:
    """A duration in its two largest units."""
    if seconds is None:
        return ""
    parts: list[str] = []
    for name, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count or (name == "s" and not parts):
            parts.append(f"{count} {name}")
    return " ".join(parts[:2])
