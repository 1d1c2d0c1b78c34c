"""Starts one program and outlives it: ends everything that the program leaves behind.

A process of its own, run as `python -I -S reaper.py STATUS_FD SECONDS GRACE PROGRAM [ARGUMENT…]`, standard
library only. On Linux it is the subreaper: a child that daemonises itself, in a session of its own, still
becomes ours when its parents are gone. Its standard input is a pipe that the command holds open; when
that closes, because the command was stopped or killed, the program is ended as well.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import sys
import time
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LINUX = sys.platform == "linux"
_TRACKERS = 1.0  # seconds; helpers that end by themselves once their parent has (multiprocessing's) may
LAST_KILL = 5.0  # seconds of SIGKILL before a process is given up as unkillable


def main(argv: list[str]) -> int:
    status, seconds, grace, program = int(argv[0]), float(argv[1]), float(argv[2]), argv[3:]
    os.set_inheritable(status, False)
    if _LINUX:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    stopped: list[int] = []
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: stopped.append(number))
    child = _start(program)
    ended = _wait(child, time.monotonic() + seconds, woken, stopped)
    result = {"timed_out": ended == "time", "stopped": ended == "stopped", "survivors": []}
    code = None if isinstance(ended, str) else ended
    if code is not None:
        result["survivors"] = _survivors(child)
    last = _end(child, grace)
    result["status"] = code if code is not None else last
    with contextlib.suppress(OSError):
        os.write(status, json.dumps(result).encode())
    return 0


def _prctl(option: int, value: int) -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _start(program: list[str]) -> int:
    """The program's process id; its session and group have the same number."""
    parent = os.getpid()
    child = os.fork()
    if child:
        return child
    try:
        os.setsid()
        if _LINUX:
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.execvp(program[0], program)  # noqa: S606
    except OSError as error:
        os.write(2, f"{program[0]}: {error.strerror}\n".encode())
    os._exit(127)


def _wait(child: int, deadline: float, woken: int, stopped: list[int]) -> int | str:
    """The child's wait status, or `time` or `stopped` while it still runs."""
    while True:
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                if found[0] == child:
                    return found[1]
        left = deadline - time.monotonic()
        if stopped:
            return "stopped"
        if left <= 0:
            return "time"
        ready, _, _ = select.select([0, woken], [], [], min(left, 60))
        with contextlib.suppress(BlockingIOError):
            os.read(woken, 4096)
        if 0 in ready and not os.read(0, 4096):
            stopped.append(0)


def _survivors(child: int) -> list[str]:
    """What still runs a moment after the program has ended: command lines, shortened."""
    until = time.monotonic() + _TRACKERS
    while True:
        _reap()
        left = _family(child)
        if not left or time.monotonic() > until:
            return [_command(pid) for pid in left]
        time.sleep(0.02)


def _end(child: int, grace: float) -> int | None:
    """Ends the family: SIGTERM, a grace period, then SIGKILL until nothing is left."""
    status = None
    for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, LAST_KILL)):
        until = time.monotonic() + seconds
        told: set[int] = set()
        while left := _family(child):
            for pid in left:
                if number == signal.SIGKILL or pid not in told:
                    told.add(pid)
                    _kill(pid, number)
            status = _reap().get(child, status)
            if time.monotonic() > until:
                break
            time.sleep(0.02)
    return _reap().get(child, status)


def _reap() -> dict[int, int]:
    """Wait statuses of all children that have ended since."""
    ended = {}
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            ended[found[0]] = found[1]
    return ended


def _kill(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if pid < 0:
            os.killpg(-pid, number)
        else:
            os.kill(pid, number)


def _family(child: int) -> list[int]:
    """Every living descendant of this process. Elsewhere than on Linux: the child's group, as -group."""
    if not _LINUX:
        try:
            os.killpg(child, 0)
        except (ProcessLookupError, PermissionError):
            return []
        return [-child]
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (parent := _living_parent(entry)) is not None:
            children.setdefault(parent, []).append(int(entry.name))
    found, queue = [], [os.getpid()]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def _living_parent(process: Path) -> int | None:
    """The parent of a process; None of one that has ended, even where nobody has asked for its status yet."""
    try:
        fields = (process / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    state, parent, threads = fields[0], fields[1], fields[17]
    return None if state in "ZX" and int(threads) <= 1 else int(parent)


def _command(pid: int) -> str:
    if pid < 0:
        return "its process group"
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return words.strip()[:200] or Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except OSError:
        return f"process {pid}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
