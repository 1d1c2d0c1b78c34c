"""Times commands in turns, so that a busy machine slows all of them alike, and prints tables."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table


def in_turns(commands: Mapping[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """The median seconds of each command; every round runs each once. The first round is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            begin = time.perf_counter()
            command()
            if number:
                seconds[name].append(time.perf_counter() - begin)
    return {name: statistics.median(values) for name, values in seconds.items()}


def process(argv: Sequence[str], cwd: Path | None = None) -> Callable[[], None]:
    """Runs a command as a process, its output unseen, with the bytecode cache that any second start has."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def call() -> None:
        subprocess.run(argv, cwd=cwd, env=environment, check=True, capture_output=True)

    return call


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a table."""
    shown = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(columns):
        shown.add_column(column, justify="left" if number == 0 else "right")
    for row in rows:
        shown.add_row(*row)
    Console(highlight=False).print(shown)
