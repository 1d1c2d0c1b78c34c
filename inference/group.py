"""What the worker processes of one server know of each other: a few numbers in memory that all share.

Made before the workers are forked. Each number is written by one process only, in one machine word.
"""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass
from pathlib import Path

_PID, _READY, _RESTARTS, _FIELDS = 0, 1, 2, 3


class Group:
    """The workers, numbered from 0. `folder` holds their metrics."""

    def __init__(self, size: int, folder: Path) -> None:
        self.size = size
        self.folder = folder
        self.supervisor = os.getpid()
        self._words = memoryview(mmap.mmap(-1, size * _FIELDS * 4)).cast("i")

    def born(self, index: int, pid: int, *, again: bool) -> None:
        """The supervisor started a worker, for the first time or again."""
        self._words[index * _FIELDS + _RESTARTS] += again
        self._words[index * _FIELDS + _PID] = pid

    def died(self, index: int) -> None:
        """The supervisor saw a worker end."""
        self._words[index * _FIELDS + _PID] = 0

    def mark_ready(self, index: int) -> None:
        """The worker has its model."""
        self._words[index * _FIELDS + _READY] = 1

    @property
    def complete(self) -> bool:
        """Whether every worker has had its model once; then it stays true."""
        return all(self._words[_READY::_FIELDS])

    def pid(self, index: int) -> int | None:
        """The worker's process; None while there is none."""
        return self._words[index * _FIELDS + _PID] or None

    def restarts(self, index: int) -> int:
        """How often the worker was started again."""
        return self._words[index * _FIELDS + _RESTARTS]


@dataclass(frozen=True)
class Member:
    """The group as one of its workers sees it."""

    group: Group
    index: int
    late: bool
    """Started when the others served already: it takes no connection until its model is loaded. Before that
    everyone answers probes, and nobody is ready until all are: whichever worker a probe meets, it learns what
    a request would."""

    @property
    def orphaned(self) -> bool:
        """The supervisor is gone, and nobody would end this process."""
        return os.getppid() != self.group.supervisor
