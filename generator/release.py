"""One release on one machine: which model, version and commit, and where its files are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from generator.artifacts import Artifact
from generator.config.model import Model
from generator.store import Store
from generator.version import Version

A = TypeVar("A", bound=Artifact)


@dataclass(frozen=True)
class Release:
    """What every stage is told; nothing in it comes from an earlier stage's artifact."""

    model: Model
    version: Version
    commit: str  # 40 hex digits: what the tag points at
    root: Path  # of the repository's checkout
    store: Store  # .tagship/<name>-<version>
    attempt: str  # differs each time the release is tried
    by: str  # the person or workflow that started it
    rehearsal: bool = False  # on one machine, against a temporary repository

    @property
    def id(self) -> str:
        """Names the release in run tags, folders and messages, such as churn-1.2.3."""
        return f"{self.model.name}-{self.version}"

    @property
    def identity(self) -> dict[str, Any]:
        """What each artifact of this release begins with."""
        return {"name": self.model.name, "version": str(self.version), "commit": self.commit}

    @property
    def work(self) -> Path:
        """A folder for what only this machine needs; beside the store, so that it is never uploaded with it."""
        return self.store.folder.parent / "work" / self.id

    @property
    def environment(self) -> Path:
        """The training environment's folder, in which register asks again what train has asked."""
        return self.work / "environment"

    def read(self, stage: str, kind: type[A]) -> A:
        """The artifact of `stage`. Raises GeneratorError where it is missing or not this release's."""
        return self.store.read(stage, kind, **self.identity)
