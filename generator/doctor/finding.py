"""What a check says: one finding, how bad it is, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from generator.config.model import Model
from generator.config.workspace import Workspace
from generator.errors import GeneratorError, Problem


class Severity(StrEnum):
    """Errors stop a release, or let somebody in. Warnings are worth a look. Notes say what was not checked."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Fix(StrEnum):
    """What `--fix` can do: each changes files of this working tree alone."""

    LOCK = "lock"
    GENERATE = "generate"
    IGNORE = "ignore"


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be. `fixable` says how `--fix` would mend it."""

    area: str
    severity: Severity
    what: str
    where: str
    fix: str
    fixable: Fix | None = None


@dataclass(frozen=True)
class Subject:
    """What is looked at. `workspace` is None where model.yaml cannot be read; `models` are those asked about."""

    root: Path
    workspace: Workspace | None
    unreadable: GeneratorError | None = None
    only: str | None = None
    offline: bool = False

    @property
    def models(self) -> tuple[Model, ...]:
        if self.workspace is None:
            raise GeneratorError("model.yaml cannot be read: correct it first, then run `generator doctor` again")
        return (self.workspace.model(self.only),) if self.only else self.workspace.models


_IMPERATIVE = re.compile(
    r"(?::|;|,) (?=(?:run|set|write|add|install|start|commit|remove|restore|give|name|use|list|save|choose|put|"
    r"check|correct|delete|log in|login|make|change|move|switch|allow|get|point|authorize|an administrator|only|"
    r"keep|say|in a workflow|call|rename|raise|pin|export|wait)\b)",
)


def in_two(message: str) -> tuple[str, str]:
    """Messages here say what is wrong, then what to do: those two parts."""
    found = _IMPERATIVE.search(message)
    if found is None:
        return message, "correct it there; `generator validate` shows what is left"
    return message[: found.start()], message[found.end() :]


def not_checked(area: str, reason: str, where: str = "") -> Finding:
    """A check that could not be made: said, never an error."""
    what, fix = in_two(reason)
    return Finding(area, Severity.NOTE, f"not checked: {what}", where, fix)


def of_problem(area: str, problem: Problem, fixable: Fix | None = None) -> Finding:
    what, fix = in_two(problem.message)
    where = f"{problem.file}:{problem.line}:{problem.column}" if problem.line else problem.file
    return Finding(area, Severity.ERROR, what, where, fix, fixable)


def of_error(area: str, error: GeneratorError, where: str = "") -> Finding:
    what, fix = in_two(str(error))
    return Finding(area, Severity.ERROR, what, where, fix)


Findings = Iterator[Finding]
