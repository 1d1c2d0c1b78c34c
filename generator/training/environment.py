"""The training environment of a release: made by train, found again, or made again, by register."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from generator.disk import file_sha256, write_atomically
from generator.errors import GeneratorError
from generator.ports import Environments, Reporter
from generator.release import Release
from generator.training.indexes import indexes_of


def make_environment(
    release: Release, environments: Environments, lock: Path, given: Mapping[str, str], reporter: Reporter
) -> Path:
    """A fresh environment from `lock`; returns its Python. Killed half-way, it counts as not made.

    `given` is the caller's environment, which has the logins of package indexes.
    """
    _made(release).unlink(missing_ok=True)
    python = environments.create(
        release.environment,
        python=release.model.config.train.python,
        lock=lock,
        reporter=reporter,
        indexes=indexes_of(release.model, given),
    )
    write_atomically(_made(release), f"{file_sha256(lock)} {python}\n")
    return python


def find_environment(
    release: Release,
    environments: Environments,
    lock_sha256: str,
    given: Mapping[str, str],
    reporter: Reporter,
) -> Path:
    """The environment that was made from the lock with this hash; it is made again where it is gone.

    Raises GeneratorError where the repository's lock is another one by now.
    """
    if _made(release).is_file():
        made_from, _, python = _made(release).read_text(encoding="utf-8").strip().partition(" ")
        if made_from == lock_sha256 and Path(python).exists():
            return Path(python)
    lock = release.root / release.model.lock_file
    if not lock.is_file() or file_sha256(lock) != lock_sha256:
        raise GeneratorError(
            f"{release.model.lock_file} is not the lock that {release.id} was trained with: check out "
            f"{release.commit[:12]}, or run `generator stage train` again"
        )
    return make_environment(release, environments, lock, given, reporter)


def _made(release: Release) -> Path:
    return release.work / "environment.made"
