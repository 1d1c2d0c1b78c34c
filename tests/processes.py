"""Processes that a test talks to while they run."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer
from typing import Any


@contextmanager
def running(command: list[str], *, seconds: float, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process that is killed when the block ends, and after `seconds` in any case.

    So a test that fails does not wait for it, and one that reads what never comes reads its end instead.
    """
    with subprocess.Popen(command, text=True, **options) as process:
        late = Timer(seconds, process.kill)
        late.start()
        try:
            yield process
        finally:
            late.cancel()
            process.kill()
