"""What a failed program may show of its command line and output."""

from __future__ import annotations

import sys
import time

import pytest

from generator.adapters.shell import MOST_OUTPUT, ProcessFailed, run


def test_a_failure_shows_command_code_and_output_but_no_login() -> None:
    script = "echo out of https://ada:s3cret@example.com/x; echo token@ >&2; exit 7"
    with pytest.raises(ProcessFailed) as caught:
        run("sh", "-c", script, "https://t0ken@example.com/repository")
    message = str(caught.value)
    assert "`sh -c " in message
    assert "ended with 7" in message
    assert "out of https://***@example.com/x" in message
    assert "token@" in message
    assert "s3cret" not in message + caught.value.stdout
    assert "t0ken" not in message


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_output_without_end_is_cut_off(stream: str) -> None:
    endless = f"import sys\nwhile True: sys.{stream}.buffer.write(b'x' * 2**20)"
    with pytest.raises(ProcessFailed, match="ended with more than 64 MiB of output") as caught:
        run(sys.executable, "-c", endless, timeout=60)
    assert len(str(caught.value)) < 1000


def test_large_output_and_input_are_whole() -> None:
    text = "größe\n" * (MOST_OUTPUT // 16)
    assert run("cat", stdin=text) == text
    assert run("true", stdin=text) == "", "a program need not read what it is given"


@pytest.mark.parametrize("script", ["sleep 60", "sleep 60 & echo started", "exec >&- 2>&-; sleep 60"])
def test_a_program_that_does_not_end_is_given_up(script: str) -> None:
    begun = time.monotonic()
    with pytest.raises(ProcessFailed, match="no answer in 1 s"):
        run("sh", "-c", script, timeout=1)
    assert time.monotonic() - begun < 30
