"""How commands talk: colour and a spinner on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.status import Status


class Terminal:
    """Reports progress; see ports.Reporter. `label` stands before each line, such as a stage's name."""

    def __init__(self, *, quiet_output: bool = False) -> None:
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._quiet_output = quiet_output
        self._label = ""
        self._status: Status | None = None

    def say(self, line: str) -> None:
        """One line about what is being done."""
        if self._status is not None:
            self._status.update(escape(f"{self._label}: {line}"))
        self.console.print(f"{self._prefix()}{escape(line)}")

    def output(self, line: str) -> None:
        """One line that a program printed."""
        if self._quiet_output:
            return
        if not self.console.is_terminal:  # no colours, and a talkative script need not wait for rich
            self.console.file.write(f"{self._label:<9} | {line}\n" if self._label else f"| {line}\n")
        else:
            self.console.print(f"{self._prefix()}[dim]| {escape(line)}[/dim]")

    def _prefix(self) -> str:
        return f"[cyan]{escape(self._label):<9}[/cyan] " if self._label else ""

    @contextmanager
    def working_on(self, label: str) -> Iterator[None]:
        """Lines said inside are about `label`; a terminal shows that it goes on."""
        before, self._label = self._label, label
        try:
            if self.console.is_terminal:
                with self.console.status(escape(label)) as self._status:
                    yield
            else:
                yield
        finally:
            self._label, self._status = before, None


def to_stdout() -> Console:
    """For what the user asked to see, as opposed to progress. A pipe or a log gets tables as wide as they are."""
    wide = None if sys.stdout.isatty() else 200
    return Console(file=sys.stdout, highlight=False, soft_wrap=True, width=wide)


@contextmanager
def failure_summarised(what: str, advice: Sequence[str]) -> Iterator[None]:
    """Where the block fails, the job's summary says why, and how to go on."""
    try:
        yield
    except Exception as error:
        from generator.preview.markdown import fence

        listed = "\n".join(f"- {line}" for line in advice)
        summarise(f"**{what}** failed:\n\n{fence([str(error)], 'text')}\n\nHow to go on:\n\n{listed}")
        raise


def hand_on(name: str, value: str) -> None:
    """One line as an output of this step, on a runner."""
    if "\n" in value:
        raise ValueError("an output is one line")
    if path := os.environ.get("GITHUB_OUTPUT"):
        with Path(path).open("a", encoding="utf-8") as stream:
            stream.write(f"{name}={value}\n")


def summarise(text: str) -> None:
    """Adds Markdown to the job's summary, on a runner."""
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(path).open("a", encoding="utf-8") as stream:
            stream.write(f"{text.rstrip()}\n\n")
