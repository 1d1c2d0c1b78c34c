"""Brings rendered files to disk: what would change, why, and the writing itself.

`.tagship.lock` holds the hash of every owned file as it was last written, in the format of sha256sum, so
that a hand edit, a file that was never ours, and one that is no longer wanted are told apart.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath

from generator.disk import LINKED, linked, write_atomically
from generator.errors import GeneratorError
from generator.plan.files import Owner

LOCK = ".tagship.lock"
OURS = (".github/", "k8s/", ".tagship.")  # nothing else is ever written or removed
_LOCK_HEADER = "# Files that `generator generate` owns, with their hashes. `sha256sum -c` reads it.\n"


@dataclass(frozen=True)
class RenderedFile:
    """A file as `generate` wants it. `origin` is the shipped file that it copies, if it copies one."""

    path: str
    text: str
    owner: Owner
    origin: Path | None = None


class Kind(StrEnum):
    """What has to happen to a file."""

    CREATE = "create"
    UPDATE = "update"
    EDITED = "hand-edited"  # an owned file that is neither what we wrote nor what is wanted
    REMOVE = "remove"
    KEEP_ORPHAN = "orphan edited by hand"  # no longer wanted, but not as we wrote it: left alone
    FOREIGN = "not ours"  # stands where an owned file belongs, and was never written by us


@dataclass(frozen=True)
class Change:
    """One file that is not as it should be. `before` or `after` is None where there is no file."""

    path: str
    kind: Kind
    before: str | None
    after: str | None

    def diff(self) -> str:
        """The change as a unified diff."""
        lines = difflib.unified_diff(
            (self.before or "").splitlines(keepends=True),
            (self.after or "").splitlines(keepends=True),
            f"a/{self.path}" if self.before is not None else "/dev/null",
            f"b/{self.path}" if self.after is not None else "/dev/null",
        )
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


@dataclass(frozen=True)
class Comparison:
    """Everything that differs, and the lock as it is to be."""

    changes: tuple[Change, ...]
    lock: str
    lock_stale: bool

    @property
    def clean(self) -> bool:
        return not self.changes and not self.lock_stale

    @property
    def wanted(self) -> dict[str, str | None]:
        """The texts that `apply` writes, by path; None where it removes a file."""
        left = (Kind.KEEP_ORPHAN, Kind.FOREIGN)
        return {change.path: change.after for change in self.changes if change.kind not in left}


def compare(root: Path, wanted: Iterable[RenderedFile]) -> Comparison:
    """What differs between `root` and `wanted`. Reads only."""
    written = read_lock(root)
    changes, hashes = [], {}
    for file in wanted:
        _inside(root, file.path)
        current = _text(root / file.path)
        if file.owner is Owner.TAGSHIP:
            hashes[file.path] = _hash(file.text)
        change = _change(root, file, current, written.get(file.path))
        if change is not None:
            changes.append(change)
    orphans = _orphans(root, written, set(hashes))
    hashes.update({path: written[path] for path, change in orphans if change.kind is Kind.KEEP_ORPHAN})
    changes += [change for _, change in orphans]
    lock = _lock_text(hashes)
    return Comparison(tuple(sorted(changes, key=lambda c: c.path)), lock, lock != _text(root / LOCK))


def compare_shared(root: Path, wanted: Iterable[RenderedFile]) -> Comparison:
    """What is missing of `wanted`, all of them shared: none has a line in the lock, none is ever orphaned."""
    changes = []
    for file in wanted:
        _inside(root, file.path)
        change = _change(root, file, _text(root / file.path), None)
        if change is not None:
            changes.append(change)
    return Comparison(tuple(changes), _text(root / LOCK) or "", lock_stale=False)


def _change(root: Path, file: RenderedFile, current: str | None, written: str | None) -> Change | None:
    target = root / file.path
    if current == file.text or (file.origin and target.exists() and target.samefile(file.origin)):
        return None
    if current is None:
        return Change(file.path, Kind.CREATE, None, file.text)
    if file.owner is Owner.SHARED:
        return None
    ours = Kind.UPDATE if _hash(current) == written else Kind.EDITED
    return Change(file.path, Kind.FOREIGN if written is None else ours, current, file.text)


def _orphans(root: Path, written: Mapping[str, str], wanted: set[str]) -> list[tuple[str, Change]]:
    found = []
    for path in sorted(set(written) - wanted):
        current = _text(root / path)
        if current is not None:
            kind = Kind.REMOVE if _hash(current) == written[path] else Kind.KEEP_ORPHAN
            found.append((path, Change(path, kind, current, None)))
    return found


def refuse_foreign(comparison: Comparison, *, place: str = "") -> None:
    """Raises GeneratorError where a file stands in the way that is not ours. `place` is put before its path."""
    foreign = [change.path for change in comparison.changes if change.kind is Kind.FOREIGN]
    if foreign:
        raise GeneratorError(
            "\n".join(
                f"{place}{path}: exists already and was not written by `generator generate`" for path in foreign
            )
            + "\nnothing was written: move the file away, or compare with `generator generate --diff`"
        )


def apply(root: Path, comparison: Comparison) -> None:
    """Writes the changes. Raises GeneratorError, before anything is written, where a file is not ours."""
    refuse_foreign(comparison)
    for change in comparison.changes:
        target = root / change.path
        if change.kind is Kind.REMOVE:
            target.unlink()
            _remove_empty(root, target.parent)
        elif change.after is not None:
            write_atomically(target, change.after, durable=False)
    if comparison.lock_stale:
        write_atomically(root / LOCK, comparison.lock, durable=False)


def rewrite(root: Path, files: Iterable[RenderedFile]) -> list[str]:
    """Writes these owned files and their lines of the lock, nothing else; returns the paths that changed."""
    hashes = read_lock(root)
    changed = []
    for file in files:
        _inside(root, file.path)
        if _text(root / file.path) != file.text:
            write_atomically(root / file.path, file.text)
            changed.append(file.path)
        hashes[file.path] = _hash(file.text)
    if (lock := _lock_text(hashes)) != _text(root / LOCK):
        write_atomically(root / LOCK, lock)
        changed.append(LOCK)
    return changed


def read_lock(root: Path) -> dict[str, str]:
    """Path to hash, of every file that we wrote. A damaged lock is an error, not an empty one."""
    hashes = {}
    for number, line in enumerate((_text(root / LOCK) or "").splitlines(), 1):
        if line.startswith("#") or not line.strip():
            continue
        match = re.fullmatch(r"([0-9a-f]{64})  (\S.*)", line)
        if match is None:
            raise GeneratorError(f"{LOCK}:{number}:1: not a line of this file; restore it with git")
        _inside(root, match[2])
        if not match[2].startswith(OURS):
            raise GeneratorError(f"{LOCK}:{number}:1: no file of ours is called {match[2]}; restore it with git")
        hashes[match[2]] = match[1]
    return hashes


def _inside(root: Path, path: str) -> None:
    """Refuses a path that is absolute, climbs, or runs through a link out of the repository."""
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts:
        raise GeneratorError(f"{path}: leads out of the repository")
    if linked(root, path):
        raise GeneratorError(f"{path}: {LINKED}")


def _text(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return None
    except (IsADirectoryError, NotADirectoryError) as error:
        raise GeneratorError(f"{path}: a folder stands where a file belongs, or the other way round") from error


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", errors="surrogateescape")).hexdigest()


def _lock_text(hashes: Mapping[str, str]) -> str:
    return _LOCK_HEADER + "".join(f"{hashes[path]}  {path}\n" for path in sorted(hashes))


def _remove_empty(root: Path, folder: Path) -> None:
    while folder != root and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
