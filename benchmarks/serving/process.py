"""A server as a process on one core: started, watched through /proc, and ended with all its children."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A contender did not do what it should; the message says what, and the end of its log."""


def cores() -> tuple[int, int]:
    """The core for servers and the one for clients; Failed where there are no two."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise Failed("this needs two cores, one for the server and one for the client")
    return allowed[0], allowed[-1]


def free_port() -> int:
    """A port with two free ones after it, for servers that listen on several."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as first:
            port = int(first.getsockname()[1])
            try:
                for more in (1, 2):
                    socket.create_server(("127.0.0.1", port + more)).close()
            except (OSError, OverflowError):
                continue
            return port


class Server:
    """A running server and its children."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log
        self.started = time.perf_counter()

    @property
    def pids(self) -> list[int]:
        """The process and all below it."""
        return descendants(self._process.pid)

    def memory(self) -> float:
        """Resident memory in MB (10^6 bytes), summed over its processes."""
        return sum(_resident(pid) for pid in self.pids) / 10**6

    def cpu_seconds(self) -> float:
        """Processor time that its processes have used."""
        return sum(_cpu(pid) for pid in self.pids)

    def settle(self, limit: float = 10.0) -> None:
        """Waits until it has nothing more to do: a queue may outlive the client that filled it."""
        end = time.perf_counter() + limit
        while time.perf_counter() < end:
            before = self.cpu_seconds()
            time.sleep(0.1)
            if self.cpu_seconds() - before <= 0.02:
                return

    def wait(self, answers: Callable[[], bool], limit: float = 60.0) -> float:
        """Seconds from the start until `answers` is true; Failed when it ends or is not there in time."""
        while time.perf_counter() - self.started < limit:
            if self._process.poll() is not None:
                raise Failed(f"it ended with code {self._process.returncode}: {self.log_end()}")
            if answers():
                return time.perf_counter() - self.started
            time.sleep(0.01)
        raise Failed(f"no right answer within {limit:.0f} s: {self.log_end()}")

    def log_end(self) -> str:
        """The last lines of what it wrote."""
        with self._log.open("rb") as file:
            file.seek(max(0, self._log.stat().st_size - 1500))
            return file.read().decode(errors="replace").strip()

    def stop(self) -> None:
        """Ends it and its children, kindly at first."""
        children = self.pids
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(3)
        except subprocess.TimeoutExpired:
            children = sorted({*children, *self.pids})
        for pid in children:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._process.wait(10)
        end = time.monotonic() + 10
        while any(_stat(pid)[:1] not in ([], ["Z"]) for pid in children) and time.monotonic() < end:
            time.sleep(0.01)


@contextmanager
def running(command: Sequence[str], variables: Mapping[str, str], scratch: Path, core: int) -> Iterator[Server]:
    """The command as a server pinned to `core`, with an environment of its own."""
    environment = {
        "PATH": f"{Path(command[0]).parent}:{os.environ['PATH']}",
        "HOME": str(scratch),
        "LC_ALL": "C.UTF-8",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        **variables,
    }
    log = scratch / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["taskset", "--cpu-list", str(core), *command],
            cwd=scratch,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    server = Server(process, log)
    try:
        yield server
    finally:
        server.stop()


def descendants(root: int) -> list[int]:
    """A process and all below it, those that are still there."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        fields = _stat(int(folder.name)) if folder.name.isdigit() else []
        if fields and fields[0] != "Z":
            children.setdefault(int(fields[1]), []).append(int(folder.name))
    found, waiting = [], [root]
    while waiting:
        found.append(waiting.pop())
        waiting.extend(children.get(found[-1], []))
    return found


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; the name before it may hold anything."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _resident(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[21]) * _PAGE if fields else 0


def _cpu(pid: int) -> float:
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / _TICKS if fields else 0.0
