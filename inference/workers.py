"""Several worker processes behind one listening socket, started, watched and ended by the first process.

They are forked once the server's modules are imported, before the model is loaded: what is imported is shared,
and nothing that does not survive a fork exists yet. A loaded model would not be safe to share: the threads of
its libraries (OpenMP, ONNX Runtime, a custom model's own) are gone in a forked child while their locks and
queues remain, and counting references copies its pages anyway.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from prometheus_client.multiprocess import mark_process_dead

from inference.group import Group, Member
from inference.observability import logs
from inference.settings import Settings, SettingsError

Work = Callable[[Member], int]
"""What a worker does, in its own process; its exit code."""

MARGIN_SECONDS = 3.0
"""From the time limit of the requests to the kill; a worker itself needs up to two: connections, last spans."""

_log = logging.getLogger("inference")
_STOP = (signal.SIGTERM, signal.SIGINT)
_SIGNALS = (*_STOP, signal.SIGCHLD)


@dataclass(frozen=True)
class Patience:
    """How the supervisor meets workers that die, and workers that do not end. Times in seconds."""

    quick: float = 30.0
    """A worker that lived shorter died quickly."""

    most_quick: int = 5
    """Quick deaths of one worker in a row that end the server: the cluster's own restarts are seen by people."""

    first_wait: float = 0.5
    """Before the first restart; it doubles with each quick death in a row."""

    stop: float = 23.0
    """From SIGTERM to the kill of whatever still runs."""


def supervise(settings: Settings, work: Work, listener: socket.socket) -> int:
    """Run the workers that the settings ask for, until a signal; the server's exit code."""
    patience = Patience(stop=settings.shutdown_seconds + MARGIN_SECONDS)
    # Open here, it would go on to take connections that nobody answers.
    return Supervisor(settings.workers, work, patience, on_stop=listener.close).run()


@dataclass
class _Worker:
    index: int
    pid: int | None = None
    began: float = 0.0
    quick_deaths: int = 0
    due: float | None = None  # when to start it again


@dataclass
class Supervisor:
    """Runs in the first process. Single-threaded, since it forks; it waits for signals and does nothing else."""

    size: int
    work: Work
    patience: Patience = field(default_factory=Patience)
    on_stop: Callable[[], None] = lambda: None

    def run(self) -> int:
        """Until a signal: 0, or 1 when a worker was cut off or workers keep dying."""
        with _folder() as folder, _blocked(_SIGNALS) as self._mask:
            self._group = Group(self.size, folder)
            self._workers = [_Worker(index) for index in range(self.size)]
            self._deadline: float | None = None
            self._code = 0
            for worker in self._workers:
                self._start(worker)
            while self._running() or self._deadline is None:
                self._wait()
            return self._code

    def _running(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.pid is not None]

    def _wait(self) -> None:
        """Sleep until there is something to do, and do it."""
        times = [worker.due for worker in self._workers if worker.due is not None]
        if self._deadline is not None:
            times = [self._deadline]
        seconds = max(0.0, min(times) - time.monotonic()) if times else 60.0
        received = signal.sigtimedwait(_SIGNALS, seconds)
        if received and received.si_signo in _STOP:
            self._stop()
        self._bury()
        now = time.monotonic()
        if self._deadline is None:
            for worker in self._workers:
                if worker.due is not None and now >= worker.due:
                    self._start(worker)
        elif now >= self._deadline:
            self._end(signal.SIGKILL)

    def _start(self, worker: _Worker) -> None:
        member = Member(self._group, worker.index, late=self._group.complete)
        again, worker.due, worker.began = worker.due is not None, None, time.monotonic()
        pid = os.fork()
        if pid == 0:
            _be(self.work, member, self._mask)
        worker.pid = pid
        self._group.born(worker.index, pid, again=again)

    def _bury(self) -> None:
        """Take note of every child that has ended; as a container's first process, also of strangers."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for worker in self._running():
                if worker.pid == pid:
                    self._ended(worker, os.waitstatus_to_exitcode(status))

    def _ended(self, worker: _Worker, code: int) -> None:
        worker.pid = None
        self._group.died(worker.index)
        mark_process_dead(worker.index, str(self._group.folder))  # type: ignore[no-untyped-call]
        if self._deadline is not None:
            self._code = self._code or int(code != 0)
            return
        lived, patience = time.monotonic() - worker.began, self.patience
        worker.quick_deaths = worker.quick_deaths + 1 if lived < patience.quick else 0
        how = f"signal {-code}" if code < 0 else f"code {code}"
        fields = {"worker": worker.index, "seconds": round(lived, 3)}
        if worker.quick_deaths >= patience.most_quick:
            _log.error("a worker ended with %s, soon after its start as before: giving up", how, extra=fields)
            self._stop()
            self._code = 1
            return
        _log.error("a worker ended with %s and is started again", how, extra=fields)
        worker.due = time.monotonic() + patience.first_wait * 2 ** max(0, worker.quick_deaths - 1)

    def _stop(self) -> None:
        """Begin to end; a second signal is passed on too, and makes the workers stop at once."""
        if self._deadline is None:
            self._deadline = time.monotonic() + self.patience.stop
            self.on_stop()
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        for worker in self._running():
            assert worker.pid is not None
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker.pid, how)


def _be(work: Work, member: Member, mask: set[signal.Signals]) -> NoReturn:
    """The child's whole life."""
    code = 1
    try:
        # Its own process group: a terminal's ^C is the supervisor's, which passes it on, once.
        os.setpgid(0, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        _forget_randomness()
        logs.name_worker(member.index)
        code = work(member)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - nothing may return into the supervisor's code
        _log.exception("the worker failed", extra={"worker": member.index})
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _forget_randomness() -> None:
    """Python seeds its own generator anew after a fork; NumPy's would give each worker the same numbers."""
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """For the files of the metrics; below TMPDIR or /tmp, which is writable where nothing else is."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="tagship-metrics-"))
    except OSError as error:
        raise SettingsError(
            f"TAGSHIP_WORKERS over 1 needs a folder to write in: {error}; mount one at /tmp, or set TMPDIR"
        ) from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _blocked(signals: tuple[signal.Signals, ...]) -> Iterator[set[signal.Signals]]:
    """These signals wait until somebody asks for them; gives the mask from before, which children get back."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield {signal.Signals(one) for one in before}
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
