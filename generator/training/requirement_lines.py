"""The lines of a requirements file: which they are, what they ask for, and why some cannot be locked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from generator.errors import Problem

_HARMLESS_OPTIONS = ("--pre", "--prefer-binary", "--no-binary", "--only-binary")


@dataclass(frozen=True)
class Line:
    """One requirement, option or include, and where it stands. `line` is 0 in an inline list."""

    file: str
    line: int
    text: str
    constraint: bool = False

    def problem(self, message: str) -> Problem:
        return Problem(self.file, self.line, 1 if self.line else 0, message)


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines without comments, continued ones joined, with the number of their first."""
    pending, first = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        first = first if pending else number
        if line.rstrip().endswith("\\"):
            pending += line.rstrip()[:-1] + " "
            continue
        whole = re.sub(r"(^|\s)#.*$", "", pending + line).strip()
        pending = ""
        if whole:
            yield first, whole
    if pending.strip():
        yield first, pending.strip()


def _requirement(line: Line) -> Requirement | None:
    """The requirement on a line without its hashes; None for an option and for what is none."""
    try:
        return Requirement(re.split(r"\s--(?:hash|config-settings|global-option)\b", line.text)[0])
    except InvalidRequirement:
        return None


def names(line: Line) -> Iterator[str]:
    requirement = _requirement(line)
    if requirement is not None:
        yield canonicalize_name(requirement.name)


def unlockable(lines: Iterable[Line]) -> list[Problem]:
    return [line.problem(message) for line in lines if (message := _refusal(line))]


def _refusal(line: Line) -> str | None:
    """Why a line cannot be locked with hashes; None where it can."""
    text = line.text
    if text.startswith(("-e", "--editable")) or re.match(r"(\.{0,2}/|file:|\.$)", text):
        return (
            f"{text!r} is a local package, which has no hash to lock. The model's folder is importable as it is: "
            "keep the code in it, and list here what that code needs"
        )
    if re.match(r"(-i|--index-url|--extra-index-url|-f|--find-links|--trusted-host|--no-index)\b", text):
        return (
            f"{text.split()[0].split('=')[0]} is refused: a lock names no index. Remove the line; private indexes "
            "are named in train.indexes of model.yaml"
        )
    if text.startswith("-"):
        return None if text.startswith(_HARMLESS_OPTIONS) else f"option {text.split()[0]!r} is not understood"
    requirement = _requirement(line)
    if requirement is None:
        return f"{text[:80]!r} is no requirement; write it as name, name==1.2.3 or name>=1,<2"
    if requirement.url and re.match(r"[^/]*//[^/]*@", requirement.url):
        return (
            f"{requirement.name} has a user or a password in its address, which the lock would show to everybody: "
            "use a released version from an index (train.indexes of model.yaml)"
        )
    if requirement.url and not re.match(r"https?://", requirement.url):
        return (
            f"{requirement.name} comes from {requirement.url.split('://')[0]}, which has no hash to lock; use a "
            "released version, or the https:// address of an archive"
        )
    return None
