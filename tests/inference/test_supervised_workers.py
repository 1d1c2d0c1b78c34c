"""The supervisor of worker processes by itself: workers that die, that do not end, and that must not be alike."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time

import pytest

from tests.inference.process import environment
from tests.inference.test_workers import log_of


def supervised(work: str, size: int = 2, **patience: float) -> subprocess.Popen[str]:
    """A supervisor whose workers run `work`, as lines of a function that gets `member`."""
    body = "\n    ".join(work.splitlines())
    code = f"""
import os, signal, sys, tempfile, time
from inference.observability import logs
from inference.settings import SettingsError
from inference.workers import Patience, Supervisor
import numpy.random

def work(member):
    {body}

logs.configure("INFO")
try:
    code = Supervisor({size}, work, Patience(**{patience!r})).run()
except SettingsError as error:
    sys.exit(str(error))
sys.exit(code)
"""
    return subprocess.Popen(
        [sys.executable, "-c", code], env=environment(), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize(
    ("work", "how"),
    [
        ("return 7", "code 7"),
        ("return 0", "code 0"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "signal 11"),
        ("raise SystemExit(3)", "code 3"),
        ("raise RuntimeError('no')", "code 1"),
    ],
)
def test_workers_that_keep_dying_end_the_server(work: str, how: str) -> None:
    process = supervised(work, first_wait=0.01, most_quick=3)
    lines = log_of(process)
    assert process.returncode == 1
    messages = [line["message"] for line in lines]
    assert f"a worker ended with {how}, soon after its start as before: giving up" in messages
    again = [
        line["worker"] for line in lines if line["message"] == f"a worker ended with {how} and is started again"
    ]
    assert 2 <= max(again.count(0), again.count(1)) <= 3


def test_a_worker_that_lived_long_is_forgiven() -> None:
    work = "print('begun', flush=True)\ntime.sleep(0.2)\nreturn 1"
    process = supervised(work, size=1, quick=0.1, first_wait=0.01, most_quick=2)
    assert process.stdout
    assert [process.stdout.readline() for _ in range(6)] == ["begun\n"] * 6
    process.send_signal(signal.SIGTERM)
    restarts = [line for line in log_of(process) if "started again" in line["message"]]
    assert len(restarts) >= 5


def test_a_worker_that_does_not_end_is_killed() -> None:
    work = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint(member.index, flush=True)\ntime.sleep(600)"
    process = supervised(work, stop=0.3)
    assert process.stdout
    assert sorted(process.stdout.readline() for _ in "12") == ["0\n", "1\n"]
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    log_of(process)
    assert process.returncode == 1
    assert time.monotonic() - began < 60


def test_workers_draw_their_own_random_numbers() -> None:
    process = supervised("print(numpy.random.random(), flush=True)\ntime.sleep(600)", size=4, stop=0.1)
    assert process.stdout
    assert len({process.stdout.readline() for _ in range(4)}) == 4
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)


def test_nowhere_to_write_is_one_line() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import tempfile; tempfile.tempdir = '/nonexistent'\n"
            "import sys; from inference.__main__ import main; sys.exit(main([]))",
        ],
        env=environment(TAGSHIP_WORKERS="2", TAGSHIP_PORT="0", TAGSHIP_HOST="127.0.0.1"),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert re.fullmatch("TAGSHIP_WORKERS over 1 needs a folder to write in: .* mount one at /tmp.*\n", done.stderr)
