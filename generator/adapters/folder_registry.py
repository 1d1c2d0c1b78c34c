"""The registry of a rehearsal: a folder that keeps each pushed archive as it is, under its tag.

What a real registry adds (HTTP, logins, tags that cannot move) is no part of a rehearsal; that the very
image is found again by its digest, with its labels, is.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from generator.errors import GeneratorError
from generator.image.archive import read_archive
from generator.ports import Found


@dataclass(frozen=True)
class FolderRegistry:
    """One repository; see ports.Registry."""

    folder: Path

    def ensure(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    def find(self, reference: str) -> Found | None:
        for path in sorted(self.folder.glob("*.tar")):
            image = read_archive(path)
            if reference in (path.stem, image.digest):
                return Found(image.digest, image.labels)
        return None

    def push(self, archive: Path, tag: str) -> None:
        target = self.folder / f"{tag}.tar"
        temporary = self.folder / f".{tag}.tmp"
        shutil.copyfile(archive, temporary)
        temporary.replace(target)

    def archive(self, digest: str) -> Path:
        """The archive of the image with this digest. Raises GeneratorError where nobody pushed it."""
        for path in sorted(self.folder.glob("*.tar")):
            if read_archive(path).digest == digest:
                return path
        raise GeneratorError(f"nobody pushed {digest} to the rehearsal's registry {self.folder}")
