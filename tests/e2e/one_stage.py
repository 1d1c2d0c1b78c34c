"""Runs one stage of a release in a folder that `test_killed` laid out, and kills itself where it is told to.

Kills are counted in effects (a file written, renamed or removed, a program started, a database opened), not in
seconds: they come at the same places on every machine.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
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

EFFECTS = {"os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "sqlite3.connect"}
STARTED = "subprocess.Popen"


def _is_effect(event: str, arguments: tuple[object, ...]) -> bool:
    if event == "open":
        path, _, flags = arguments
        return (
            isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR)) and "__pycache__" not in str(path)
        )
    return event in EFFECTS or event == STARTED


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_before(effect: int) -> Callable[[str, tuple[object, ...]], None]:
    """A hook that kills this process before it has the `effect`-th effect."""
    seen = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        if _is_effect(event, arguments):
            seen += 1
            if seen == effect:
                _die()

    return hook


def die_after_a_start(seconds: float) -> Callable[[str, tuple[object, ...]], None]:
    """A hook that kills this process while the first program that it starts is at work."""
    begun = False

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal begun
        if event == STARTED and not begun:
            begun = True
            threading.Timer(seconds, _die).start()

    return hook


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
