"""A planned file: what `generate` wants on disk, and who owns it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Owner(StrEnum):
    """Who may change a generated file."""

    TAGSHIP = "owned"  # rewritten by every generate; a hand edit is noticed
    SHARED = "shared"  # made once; then only `deploy` edits our lines


@dataclass(frozen=True)
class PlannedFile:
    """A file by its path from the repository's root (POSIX), with its whole text."""

    path: str
    text: str
    owner: Owner = Owner.TAGSHIP
