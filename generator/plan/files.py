"""A planned file: what `generate` wants on disk, from which source, and who owns it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Owner(StrEnum):
    """Who may change a generated file."""

    TAGSHIP = "owned"  # rewritten by every generate; a hand edit is noticed
    SHARED = "shared"  # made once; then only `deploy` edits our lines


@dataclass(frozen=True)
class PlannedFile:
    """A file by its path from the repository's root (POSIX).

    `source` is a path under the shipped data: `templates/…`, rendered with `values`, or, where `values`
    is None, any file (`k8s/base/…`), copied as it is.
    """

    path: str
    source: str
    values: Mapping[str, object] | None = None
    owner: Owner = Owner.TAGSHIP
