"""Asks a server: one request at a time to check its answers, and wrk to drive it."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.serving.process import Failed

_SCRIPT = Path(__file__).parent / "wrk.lua"


@dataclass(frozen=True)
class Question:
    """A body and the labels that answer it."""

    body: bytes
    labels: Sequence[int]


@dataclass(frozen=True)
class Figures:
    """What wrk measured."""

    per_second: float
    p50: float  # milliseconds, as all times here
    p99: float
    longest: float
    refused: int  # answers with a status of 400 or above
    broken: int  # connections that failed, requests without an answer


@dataclass(frozen=True)
class Address:
    """Where a server answers, and how its answers are read."""

    port: int
    path: str
    labels: Callable[[Any], Any]

    def check(self, question: Question, connection: http.client.HTTPConnection | None = None) -> None:
        """Failed when the answer is not right; OSError or HTTPException when there is none."""
        own = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            own.request("POST", self.path, question.body, {"Content-Type": "application/json"})
            answer = own.getresponse()
            content = answer.read()
        finally:
            if connection is None:
                own.close()
        if answer.status != 200:
            raise Failed(f"HTTP {answer.status}: {content[:300].decode(errors='replace')}")
        try:
            found = list(self.labels(json.loads(content)))
        except (LookupError, TypeError, ValueError) as error:
            raise Failed(f"an answer that is none ({error!r}): {content[:300]!r}") from None
        if found != list(question.labels):
            raise Failed(f"a wrong answer: {found[:5]} instead of {list(question.labels)[:5]}")

    def is_right(self, question: Question) -> bool:
        """Whether the right answer comes; for waiting."""
        try:
            self.check(question)
        except (OSError, http.client.HTTPException, Failed):
            return False
        return True

    def check_all(self, questions: Sequence[Question], clients: int = 8) -> None:
        """Every question, by several clients at once: answers must not be mixed up."""
        kept = threading.local()

        def ask(question: Question) -> None:
            if not hasattr(kept, "connection"):
                kept.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            self.check(question, kept.connection)

        try:
            with ThreadPoolExecutor(clients) as pool:
                list(pool.map(ask, questions))
        except (OSError, http.client.HTTPException) as error:
            raise Failed(f"no answer: {error!r}") from None


def need_wrk() -> str:
    """wrk's path; Failed with how to get it."""
    found = shutil.which("wrk")
    if found is None:
        raise Failed("wrk is not installed; on Debian and Ubuntu: apt-get install wrk")
    return found


def drive(address: Address, bodies: Path, *, clients: int, seconds: int, core: int) -> Figures:
    """wrk on `core`, with as many connections as clients, each sending as soon as it has its answer."""
    options = ["--threads", "1", "--connections", str(clients), "--duration", f"{seconds}s", "--timeout", "60s"]
    url = f"http://127.0.0.1:{address.port}{address.path}"
    done = subprocess.run(
        ["taskset", "--cpu-list", str(core), need_wrk(), *options, "--script", _SCRIPT, url, "--", bodies],
        capture_output=True,
        text=True,
        timeout=seconds + 90,
        check=False,
    )
    if done.returncode:
        raise Failed(f"wrk ended with code {done.returncode}: {(done.stderr or done.stdout).strip()[-500:]}")
    return figures(done.stdout)


def figures(output: str) -> Figures:
    """From what wrk.lua prints; Failed when it is not there."""
    line = re.search(r"^RESULT (\{.*\})$", output, re.MULTILINE)
    if line is None:
        raise Failed(f"wrk printed no result: {output.strip()[-500:]}")
    found = json.loads(line[1])
    return Figures(
        per_second=(found["requests"] - found["refused"]) / (found["microseconds"] / 1e6),
        p50=found["p50"] / 1000,
        p99=found["p99"] / 1000,
        longest=found["max"] / 1000,
        refused=found["refused"],
        broken=found["broken"],
    )
