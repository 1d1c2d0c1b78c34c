"""A server that runs while something is asked of it, and ends with us whatever happens."""

from __future__ import annotations

import contextlib
import os
import subprocess  # noqa: TID251  (a process that goes on while we do; shell.py's are awaited)
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx

from generator.adapters import reaper
from generator.errors import GeneratorError

GRACE = 20.0  # seconds between SIGTERM and SIGKILL; a server finishes its requests meanwhile
LONGEST = 366 * 24 * 3600.0  # seconds; whoever serves a model may do so for long


@contextlib.contextmanager
def background(
    argv: Sequence[str], *, cwd: Path, log: Path, keep: Sequence[int] = ()
) -> Iterator[Callable[[], bool]]:
    """Runs `argv` until the block ends, which gets a function that says whether it still runs.

    Output goes to `log`. A reaper ends the program even where we are killed. `keep` are file descriptors of
    ours that the program gets under the same numbers.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    status = os.open(os.devnull, os.O_WRONLY)
    command = [sys.executable, "-I", "-S", reaper.__file__, str(status), str(LONGEST), str(GRACE), *argv]
    try:
        log.write_bytes(b"")
        with log.open("ab") as output:  # at its end, wherever that is: who keeps the log short may cut it
            process = subprocess.Popen(
                command,
                cwd=cwd,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                pass_fds=(status, *keep),
                start_new_session=True,
            )
    finally:
        os.close(status)
    try:
        yield lambda: process.poll() is None
    finally:
        with contextlib.suppress(OSError):
            assert process.stdin is not None
            process.stdin.close()
        end(process, GRACE + 2 * reaper.LAST_KILL)


def end(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Waits for a reaper that was told to end; one that is stuck after `seconds` is killed and holds up nobody."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()  # Linux then kills the program as well
        process.wait()


def until_ready(url: str, *, seconds: float, alive: Callable[[], bool]) -> None:
    """Waits until `url`/readyz answers 200. Raises GeneratorError with the server's own reason otherwise."""
    deadline = time.monotonic() + seconds
    said = "nothing answers"
    with httpx.Client(trust_env=False, timeout=5) as client:
        while alive() and time.monotonic() < deadline:
            try:
                answer = client.get(f"{url}/readyz")
            except httpx.HTTPError:
                time.sleep(0.05)
                continue
            if answer.status_code == 200:
                return
            said = f"it answers {answer.status_code}: {answer.text[:500]}"
            time.sleep(0.05)
    raise GeneratorError(
        f"the server at {url} " + (f"is not ready after {seconds:.0f} s; {said}" if alive() else "ended")
    )
