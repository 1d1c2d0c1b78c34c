"""Files written all or not at all, and the hashes of files and folders."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from generator.errors import GeneratorError

LINKED = "is or runs through a symbolic link; replace it by a real file or folder"


def write_atomically(path: Path, text: str, *, durable: bool = True) -> None:
    """`text` at `path`, through a temporary file beside it; `durable` survives a power cut, and costs a wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        os.chmod(temporary, path.stat().st_mode & 0o777 if path.exists() else 0o644)  # noqa: PTH101
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def linked(root: Path, path: str) -> bool:
    """Whether `path` in `root` is a symbolic link, or runs through one that leads out of `root`."""
    return not (root / path).parent.resolve().is_relative_to(root.resolve()) or (root / path).is_symlink()


def remove_folder(folder: Path) -> None:
    """Removes `folder`, also where a program took the right to write, or even to read, from folders in it."""
    try:
        shutil.rmtree(folder)
    except PermissionError:
        folder.chmod(0o700)
        for parent, names, _ in os.walk(folder):  # goes down into what is readable by then
            for path in (Path(parent, name) for name in names):
                if not path.is_symlink():
                    path.chmod(0o700)
        shutil.rmtree(folder)


def file_sha256(path: Path) -> str:
    """The hash of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def folder_sha256(folder: Path) -> str:
    """The hash of a folder: each regular file's path and content, in order. Links are refused."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise GeneratorError(f"{path.relative_to(folder)} is a symbolic link; a model folder may hold none")
        if path.is_file():
            total.update(f"{path.relative_to(folder).as_posix()}\0{file_sha256(path)}\n".encode())
    return total.hexdigest()
