"""Python environments that are made once from a lock, and found again by it."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path

from generator.disk import file_sha256, write_atomically
from generator.ports import Environments, Reporter


def environment_folder(folder: Path, python: str, lock: Path) -> Path:
    """Where below `folder` the environment of this lock and Python (such as 3.11) is kept."""
    return folder / f"{python}-{file_sha256(lock)[:16]}"


def kept_environment(
    folder: Path,
    environments: Environments,
    python: str,
    lock: Path,
    reporter: Reporter,
    files: Path | None = None,
) -> Path:
    """Its Python. The environment is made where it is missing; another command that wants it waits."""
    place = environment_folder(folder, python, lock)
    complete = place / "complete"
    with _alone(place, reporter):
        if complete.is_file() and (found := Path(complete.read_text(encoding="utf-8"))).exists():
            return found
        if place.exists():
            shutil.rmtree(place)
        made = environments.create(place / "venv", python=python, lock=lock, reporter=reporter, files=files)
        write_atomically(complete, str(made))
        return made


@contextlib.contextmanager
def _alone(place: Path, reporter: Reporter) -> Iterator[None]:
    """The lock is free again when its process ends, however it ends."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_name(f"{place.name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            reporter.say("waiting for another command that makes this environment")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
