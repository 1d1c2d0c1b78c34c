"""Folders of API keys as Kubernetes mounts and swaps them."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

KEY = "tagship_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
OTHER = "tagship_another-key-that-is-as-long-as-the-first-one"


def hashed(key: str) -> str:
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"


class MountedSecret:
    """A Secret volume: files are links through `..data`, which is swapped by one rename."""

    def __init__(self, folder: Path, data: dict[str, str]) -> None:
        self.folder = folder
        self._count = 0
        folder.mkdir()
        self.write(data)

    def write(self, data: dict[str, str]) -> None:
        """As the kubelet does it: new folder, new link beside the old, rename, then the names, then the old folder."""
        self._count += 1
        old = (self.folder / "..data").readlink() if self._count > 1 else None
        new = self.folder / f"..2026_11_21_{self._count}"
        new.mkdir()
        for name, content in data.items():
            (new / name).write_text(content)
        (self.folder / "..data_tmp").symlink_to(new.name)
        (self.folder / "..data_tmp").rename(self.folder / "..data")
        for name in data:
            if not (self.folder / name).is_symlink():
                (self.folder / name).symlink_to(f"..data/{name}")
        for link in [*self.folder.iterdir()]:
            if not link.name.startswith("..") and link.name not in data:
                link.unlink()
        if old:
            for path in (self.folder / old).iterdir():
                path.unlink()
            (self.folder / old).rmdir()


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, now: float | None = None) -> None:
        self.now = time.monotonic() if now is None else now

    def __call__(self) -> float:
        return self.now
