"""Servers that run while something is asked of them: they end with us, whatever their reaper does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from generator.adapters.background import background, end


def test_a_reaper_that_is_stuck_is_killed() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    os.kill(process.pid, signal.SIGSTOP)
    end(process, 0.1)
    assert process.returncode == -signal.SIGKILL


def test_the_program_gets_our_file_and_is_gone_afterwards(tmp_path: Path) -> None:
    read, write = os.pipe()
    script = "import os, sys, time; os.write(int(sys.argv[1]), str(os.getpid()).encode()); time.sleep(600)"
    command = [sys.executable, "-c", script, str(write)]
    with background(command, cwd=tmp_path, log=tmp_path / "log", keep=[write]) as alive:
        pid = int(os.read(read, 20))
        os.kill(pid, 0)
        assert alive()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not alive()
    os.close(read)
    os.close(write)
