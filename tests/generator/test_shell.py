"""What a failed program may show of its command line and output."""

from __future__ import annotations

import pytest

from generator.adapters.shell import ProcessFailed, run


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
