"""API keys: the hashes in a mounted Secret, read again when it changes.

Each file of the folder is one key: the file's name is the key's, its content `sha256:<64 hex>`. That is how
a Secret appears in a pod, so one key is added or removed without touching another. The names are told in
the log, keys never; the server has only hashes. SHA-256 without salt or rounds is right for what
`generator key` makes: 256 random bits cannot be guessed from a hash, and a slow hash would only give
strangers a way to keep the server busy.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_log = logging.getLogger("inference.access")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_HASH = re.compile(rb"sha256:([0-9a-f]{64})\s{0,2}")  # a line may end in it
_HASH_BYTES = 100  # a longer file holds something else
MOST_KEYS = 100
"""Keys in one folder: each request is compared with all of them."""
LOOK_SECONDS = 1.0
"""How often the folder is looked at; only requests make it look."""

Compare = Callable[[bytes, bytes], bool]


class KeysError(Exception):
    """The folder holds something that is no key; the message names the file and never its content."""


class Keys:
    """The keys in `folder`. Belongs to the event loop: it is neither thread-safe nor slow."""

    def __init__(
        self,
        folder: Path,
        clock: Callable[[], float] = time.monotonic,
        compare: Compare = hmac.compare_digest,
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._compare = compare
        self._known: tuple[tuple[str, bytes], ...] = ()
        self._seen: object = None  # what the folder looked like when it was read
        self._look_at = 0.0
        self._complaint: str | None = None
        self.missing = True
        """No key was ever read, so that nobody can be told from a stranger. Later an empty folder is an
        answer: every key was taken away."""

    def refresh(self) -> None:
        """Read the folder again if it changed; what cannot be read leaves the keys as they were."""
        now = self._clock()
        if now < self._look_at:
            return
        self._look_at = now + LOOK_SECONDS
        try:
            # Before the files: what changes in between is then noticed the next time.
            seen = tuple(_fingerprint(self._folder))
            if seen == self._seen:
                return
            known = tuple(_read(self._folder))
            if self.missing and not known:
                raise KeysError("it holds no key")
        except (OSError, KeysError) as error:
            self._complain(str(error))
            return
        self._seen, self._known, self._complaint, self.missing = seen, known, None, False
        _log.info("API keys: %s", ", ".join(name for name, _ in known) or "none, every request is refused")

    def name_of(self, key: bytes) -> str | None:
        """The name of a key; None for one that is unknown. Takes the same time whichever it is."""
        digest = hashlib.sha256(key).digest()
        found = None
        for name, known in self._known:
            if self._compare(digest, known):
                found = name
        return found

    def _complain(self, reason: str) -> None:
        """Once for each reason, not once a second."""
        if reason != self._complaint:
            so = "nothing is answered until they can" if self.missing else "those read before stay in force"
            _log.error("the API keys in %s cannot be read: %s; %s", self._folder, reason, so)
        self._complaint = reason


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        # ..data and the folder that it points to are how Kubernetes swaps all files at once.
        yield from (entry for entry in entries if not entry.name.startswith(".."))


def _fingerprint(folder: Path) -> Iterator[tuple[str, int, int, int]]:
    for entry in _entries(folder):
        stat = entry.stat()  # follows the link
        yield entry.name, stat.st_ino, stat.st_mtime_ns, stat.st_size


def _read(folder: Path) -> Iterator[tuple[str, bytes]]:
    names = sorted(entry.name for entry in _entries(folder))
    if len(names) > MOST_KEYS:
        raise KeysError(f"there are {len(names)} keys, and the most is {MOST_KEYS}")
    for name in names:
        if not _NAME.fullmatch(name):
            raise KeysError(
                f"{name[:80]!r} is no name of a key: up to 63 of A-Z a-z 0-9 . _ -, the first a letter or digit"
            )
        with (folder / name).open("rb") as file:
            found = _HASH.fullmatch(file.read(_HASH_BYTES))
        if not found:
            raise KeysError(
                f"{name} must hold `sha256:` and 64 hexadecimal digits, as `generator key` prints them"
            )
        yield name, bytes.fromhex(found[1].decode())
