"""Runs a program that we do not trust to end, and shows what it prints while it does; see ports.Supervisor."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess  # noqa: TID251  (the other door: a process that is watched, where shell.py's are awaited)
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generator.adapters import reaper
from generator.adapters.output import BoundedLog, Lines, Masking
from generator.errors import GeneratorError
from generator.ports import Ended, Reporter

IDLE = 2.0  # seconds after which a line without an end is shown as it is
DRAIN = 1.0  # seconds in which output may still come when everything has ended


@dataclass(frozen=True)
class ProcessSupervisor:
    """Each program under a reaper of its own, which ends the whole tree whatever becomes of us."""

    grace: float = 5.0  # seconds between SIGTERM and SIGKILL

    def run(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        timeout: float,
        log: Path,
        secrets: Sequence[str],
        reporter: Reporter,
    ) -> Ended:
        masking = Masking(secrets)
        begun = time.monotonic()
        status, status_end = os.pipe()
        command = [sys.executable, "-I", "-S", reaper.__file__, str(status_end), str(timeout), str(self.grace)]
        with os.fdopen(status, "rb") as result, BoundedLog(log) as kept:
            try:
                process = _start([*command, *argv], cwd, env, status_end)
            finally:
                os.close(status_end)
            try:
                _relay(process, Lines(masking), kept, reporter)
            except BaseException:
                # Closing its standard input tells the reaper to end the tree; wait, so that it is gone.
                _close(process)
                process.wait(self.grace + 2 * reaper.LAST_KILL)
                raise
            _close(process)
            process.wait()
            return _ended(_json(result.read()), masking, tuple(kept.tail), time.monotonic() - begun)


def _start(command: list[str], cwd: Path, env: Mapping[str, str], status: int) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            pass_fds=(status,),
            start_new_session=True,  # ^C reaches us alone, and we end the tree in order
        )
    except OSError as error:
        raise GeneratorError(f"a program could not be started in {cwd}: {error.strerror}") from error


def _relay(process: subprocess.Popen[bytes], lines: Lines, log: BoundedLog, reporter: Reporter) -> None:
    """Passes output on until nobody holds the other end, or the reaper has ended and it stays quiet."""
    assert process.stdout is not None
    pipe = process.stdout.fileno()

    def show(line: str) -> None:
        log.write(line)
        reporter.output(line)

    ended_at = None
    while True:
        ready, _, _ = select.select([pipe], [], [], IDLE if ended_at is None else DRAIN / 10)
        if ready:
            data = os.read(pipe, 65536)
            if not data:
                break
            _each(lines.feed(data, time.monotonic()), show)
        elif lines.waiting and ended_at is None:
            _each(lines.flush(), show)
        if ended_at is None and process.poll() is not None:
            ended_at = time.monotonic()
        if ended_at is not None and time.monotonic() - ended_at > DRAIN:
            break
    _each(lines.flush(ended=True), show)


def _each(lines: Any, show: Callable[[str], None]) -> None:
    for line in lines:
        show(line)


def _close(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        assert process.stdin is not None
        process.stdin.close()


def _json(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _ended(result: dict[str, Any], masking: Masking, tail: tuple[str, ...], seconds: float) -> Ended:
    """`result` is empty where the reaper itself was killed: by what ends processes for their memory, then."""
    status = result.get("status", signal.SIGKILL.value)
    timed_out = bool(result.get("timed_out"))
    code = name = None
    if status is not None and os.WIFSIGNALED(status):
        name = _signal_name(os.WTERMSIG(status))
    elif status is not None and not timed_out:
        code = os.WEXITSTATUS(status)
    survivors = tuple(masking(str(command)) for command in result.get("survivors", ()))
    return Ended(code, name, timed_out, survivors, tail, seconds)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
