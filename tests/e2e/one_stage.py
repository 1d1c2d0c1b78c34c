"""Runs one stage of a release in a folder that `test_killed` laid out, and kills itself where it is told to."""

from __future__ import annotations

import sys
from pathlib import Path

from generator.adapters.folder_registry import FolderRegistry
from generator.adapters.process_engine import ProcessEngine
from generator.config.workspace import load
from generator.plan.pipeline import Stage
from generator.release import Release
from generator.store import Store
from generator.version import Version
from generator.wiring import World, run_stage
from tests.e2e.rehearsals import EnvironmentsByLock, Told
from tests.generator.repositories import git
from tests.kills import die_after_a_start, die_before


def main(folder: Path, stage: str, attempt: str, kill: str) -> None:
    """Run `stage`; `kill` is `effect=<number>`, `start=<seconds>` or `never`."""
    root = folder / "repo"
    environments = EnvironmentsByLock()
    release = Release(
        model=load(root).model(None),
        version=Version("1.0.0"),
        commit=git(root, "rev-parse", "HEAD"),
        root=root,
        store=Store(folder / "artifacts" / "churn-1.0.0"),
        attempt=attempt,
        by="Ada",
        rehearsal=True,
    )
    world = World(
        Told(),
        environments=environments,
        engine=ProcessEngine(folder / "engine", environments, "3.11"),
        registry=FolderRegistry(folder / "registry"),
        tracking_uri=f"sqlite:///{folder / 'mlflow.db'}",
        embedded_registry=True,
        source=str(folder / "origin.git"),
        renderer=None,
        author=("Ada", "ada@example.com"),
    )
    kind, _, number = kill.partition("=")
    if kind != "never":
        sys.addaudithook(die_before(int(number)) if kind == "effect" else die_after_a_start(float(number)))
    run_stage(Stage(stage), release, world)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
