"""Release versions: SemVer 2.0.0 (semver.org) without build metadata, which no image tag can hold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering

from generator.errors import GeneratorError

_NUMBER = r"(?:0|[1-9]\d{0,8})"
_PART = r"(?:0|[1-9]\d{0,8}|\d*[A-Za-z-][0-9A-Za-z-]*)"
PATTERN = rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-{_PART}(?:\.{_PART})*)?"


@total_ordering
@dataclass(frozen=True)
class Version:
    """A version such as 1.2.3 or 2.0.0-rc.1, ordered by SemVer's precedence."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Version:
        if "+" in text:
            raise GeneratorError(
                f"version {text!r}: build metadata (+…) is refused, since an image tag cannot hold it; "
                f"tag {text.split('+')[0]!r} instead"
            )
        if len(text) > 64 or not re.fullmatch(PATTERN, text, re.ASCII):
            raise GeneratorError(f"{text!r} is no version: use SemVer, such as 1.2.3 or 2.0.0-rc.1")
        return cls(text)

    @property
    def _key(self) -> tuple[tuple[int, ...], bool, tuple[tuple[bool, int, str], ...]]:
        core, _, pre = self.text.partition("-")
        parts = tuple(
            (not p.isdigit(), int(p) if p.isdigit() else 0, "" if p.isdigit() else p) for p in pre.split(".") if p
        )
        return tuple(int(n) for n in core.split(".")), not pre, parts

    @property
    def prerelease(self) -> bool:
        return "-" in self.text

    def __lt__(self, other: Version) -> bool:
        return self._key < other._key

    def __str__(self) -> str:
        return self.text

    def bumped(self, part: str) -> Version:
        """The next major, minor or patch version; 2.0.0-rc.1 is followed by 2.0.0 at the least."""
        (major, minor, patch), released, _ = self._key
        if part == "major" and (released or minor or patch):
            return Version(f"{major + 1}.0.0")
        if part == "minor" and (released or patch):
            return Version(f"{major}.{minor + 1}.0")
        return Version(f"{major}.{minor}.{patch + 1 if released and part == 'patch' else patch}")
