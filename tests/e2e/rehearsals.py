"""Rehearsals in tests: real stages, with environments that are made once for each lock and then shared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from generator.adapters.uv import Uv
from generator.disk import file_sha256
from generator.ports import PackageIndex, Reporter
from generator.rehearsal import Outcome, rehearse
from tests.environments import cache, locked
from tests.generator.repositories import commit_all, git
from tests.generator.workspaces import model_yaml


@dataclass(frozen=True)
class EnvironmentsByLock:
    """uv's environments, each made by the first test that needs it; see ports.Environments.

    Linked to uv's cache, or two dozen of them would fill a disk: no script of these tests writes into them.
    """

    uv: Uv = field(default_factory=lambda: Uv(linked=True))

    def create(self, folder: Path, *, python: str, lock: Path, reporter: Reporter, **settings: Any) -> Path:
        shared = cache() / f"locked-{python}-{file_sha256(lock)[:16]}"
        complete = shared / "complete"
        with locked(shared.with_suffix(".lock")):
            if not complete.is_file():
                self.uv.create(shared, python=python, lock=lock, reporter=reporter, **settings)
                complete.touch()
        return shared / "bin" / "python"

    def compile(
        self,
        requirements: str,
        *,
        python: str,
        platform: str | None = None,
        constraints: str | None = None,
        folder: Path,
        indexes: Sequence[PackageIndex] = (),
    ) -> str:
        return self.uv.compile(
            requirements, python=python, platform=platform, constraints=constraints, folder=folder, indexes=indexes
        )


@dataclass
class Told:
    """Progress that remembers what was said."""

    lines: list[str] = field(default_factory=list)

    def say(self, line: str) -> None:
        self.lines.append(line)

    def output(self, line: str) -> None:
        self.lines.append(line)

    @contextmanager
    def working_on(self, label: str) -> Iterator[None]:
        self.lines.append(f"[{label}]")
        yield


def repository(root: Path, script: str, *, requirements: str, train: str = "", more: str = "") -> Path:
    """A committed repository with one model; `requirements` are a list in YAML, or the text of the file."""
    root.mkdir(parents=True)
    if not requirements.startswith("["):
        (root / "requirements.txt").write_text(requirements)
        requirements = "requirements.txt"
    keys = f"script: train.py, requirements: {requirements}{', ' if train else ''}{train}"
    (root / "model.yaml").write_text(model_yaml(more).replace("script: train.py", keys))
    (root / "train.py").write_text(script)
    git(root, "init", "--quiet")
    commit_all(root, "Begin")
    return root


def rehearsed(
    root: Path, *, model: str | None = None, engine: str = "process", keep: Path | None = None
) -> Outcome:
    """Rehearses `root` with shared environments."""
    return rehearse(root, model, Told(), engine=engine, keep=keep, environments=EnvironmentsByLock())
