"""A test that fails does not hang."""

from __future__ import annotations

import subprocess
import time

import pytest

from tests.processes import running


def test_a_block_that_fails_ends_its_process() -> None:
    began = time.monotonic()
    with pytest.raises(AssertionError, match="it fails"), running(["sleep", "60"], seconds=60) as process:
        raise AssertionError("it fails")
    assert process.returncode == -9
    assert time.monotonic() - began < 30


def test_what_never_comes_is_not_waited_for() -> None:
    with running(["sleep", "60"], seconds=0.3, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == ""
