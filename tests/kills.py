"""Processes that kill themselves, at places that are the same on every machine.

A kill is counted in effects (a file written, renamed or removed, a program started, a database opened), not in seconds.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

EFFECTS = {"os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "sqlite3.connect"}
STARTED = "subprocess.Popen"


def _is_effect(event: str, arguments: tuple[object, ...]) -> bool:
    if event == "open":
        path, _, flags = arguments
        return (
            isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR)) and "__pycache__" not in str(path)
        )
    return event in EFFECTS or event == STARTED


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_before(effect: int) -> Callable[[str, tuple[object, ...]], None]:
    """A hook that kills this process before it has the `effect`-th effect."""
    seen = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        if _is_effect(event, arguments):
            seen += 1
            if seen == effect:
                _die()

    return hook


def die_after_a_start(seconds: float) -> Callable[[str, tuple[object, ...]], None]:
    """A hook that kills this process while the first program that it starts is at work."""
    begun = False

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal begun
        if event == STARTED and not begun:
            begun = True
            timer = threading.Timer(seconds, _die)
            timer.daemon = True  # who has ended by then is not killed
            timer.start()

    return hook
