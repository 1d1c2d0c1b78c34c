"""The server as a process of its own, for tests that need a real one."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.ports import held_port

ROOT = Path(__file__).parents[2]


def environment(**more: str) -> dict[str, str]:
    """Nothing but what is given: no HOME, as in the image."""
    return {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8", **more}


@contextmanager
def served(
    folder: Path, *, log: int = subprocess.PIPE, **settings: str
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The process and its port. Who sends many requests must read its `log`, or not want it (DEVNULL)."""
    with held_port() as port:
        variables = environment(
            TAGSHIP_MODEL=str(folder), TAGSHIP_HOST="127.0.0.1", TAGSHIP_PORT=str(port), **settings
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "inference"], env=variables, cwd=folder, stderr=log, text=True
        )
        try:
            yield process, port
        finally:
            process.kill()
            process.wait()
            if process.stderr:
                process.stderr.close()


def ask(port: int, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        content = answer.read()
        return answer.status, json.loads(content) if content.startswith(b"{") else content
    finally:
        connection.close()


def is_ready(port: int) -> bool:
    try:
        return ask(port, "GET", "/readyz")[0] == 200
    except OSError:
        return False
