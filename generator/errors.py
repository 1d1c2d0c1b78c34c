"""The one root of all expected errors. Whoever raises says what is wrong, where, and what to do."""

from __future__ import annotations

from dataclasses import dataclass


class GeneratorError(Exception):
    """An expected failure: the command prints its message and exits 1, without a traceback."""


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong in a file. `line` and `column` count from 1; 0 means the file as a whole."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{where}: {self.message}"


class Unreachable(GeneratorError):
    """A package index, or a download, did not answer."""


class Unresolvable(GeneratorError):
    """Requirements that no set of packages meets. The message is the resolver's reason alone."""


class InvalidInput(GeneratorError):
    """Everything wrong in what the user wrote, shown at once."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))
