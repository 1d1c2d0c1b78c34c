"""What fails while the machine stands still is tried again, and nothing else is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.stillness import again_after_a_standstill

HELD_UP = """
import os, subprocess, sys
from tests.stillness import again_after_a_standstill
tries = []

@again_after_a_standstill(0.3)
def test():
    tries.append(1)
    if len(tries) == 1:
        script = f"kill -STOP {os.getpid()}; sleep 1; kill -CONT {os.getpid()}"
        subprocess.run(["sh", "-c", script], check=True)
        raise AssertionError("it came too late")

test()
print(len(tries))
"""


def test_what_fails_in_a_standstill_is_run_again() -> None:
    command, root = [sys.executable, "-c", HELD_UP], Path(__file__).parents[1]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "2\n"), done.stderr


def test_what_fails_by_itself_fails() -> None:
    tries = []

    @again_after_a_standstill(60)
    def fails() -> None:
        tries.append(1)
        raise AssertionError("no")

    with pytest.raises(AssertionError, match="no"):
        fails()
    assert tries == [1]


def test_nothing_fails_for_ever() -> None:
    tries = []

    @again_after_a_standstill(-1, attempts=3)
    def fails() -> None:
        tries.append(1)
        raise AssertionError("no")

    with pytest.raises(AssertionError, match="no"):
        fails()
    assert tries == [1, 1, 1]
