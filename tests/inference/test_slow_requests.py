"""Requests, connections and clients that take too long, at a real server process that gives them little time."""

from __future__ import annotations

import contextlib
import select
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.inference.bad_requests import CHUNKED, GOOD, INFER
from tests.inference.test_bad_requests import LIMITS, check, predicts_right, started
from tests.inference.wire import SECONDS, Answer, connect, head, post, read_answer

TIMES = {"TAGSHIP_REQUEST_SECONDS": "1.5", "TAGSHIP_KEEP_ALIVE_SECONDS": "2"}


@pytest.fixture(scope="module")
def server(saved: Callable[[str], Path]) -> Iterator[int]:
    with started(saved("orders"), **LIMITS, **TIMES) as (port, _):
        yield port


@pytest.fixture
def port(server: int) -> Iterator[int]:
    """The server's port; after the test it must predict right."""
    yield server
    predicts_right(server)


def drip(port: int, start: bytes, drop: bytes) -> list[Answer]:
    """Send the start, then a drop now and again until the server has had enough; all that it said."""
    with connect(port) as connection, connection.makefile("rb") as stream:
        connection.sendall(start)
        deadline, found = time.monotonic() + SECONDS, []
        while time.monotonic() < deadline:
            if select.select([connection], [], [], 0.1)[0]:
                try:
                    answer = read_answer(stream)
                except ConnectionResetError:  # what dripped after the end was refused
                    answer = None
                if answer is None:
                    return found
                found.append(answer)
            with contextlib.suppress(OSError):
                connection.sendall(drop)
    raise AssertionError("the connection is still open")


@pytest.mark.parametrize(
    ("start", "drop", "status", "code"),
    [
        (b"POST /predict HTTP/1.1\r\nHost: x\r\n", b"A: b\r\n", 408, "request_timeout"),
        (b"P", b"", 408, "request_timeout"),
        (b"", b"\r\n", 408, "request_timeout"),
        (head("/predict", "Content-Length: 100000"), b" ", 408, "request_timeout"),
        (head("/invocations", CHUNKED), b"1\r\n \r\n", 408, "request_timeout"),
        (head(INFER, "Content-Length: 100000"), b"", 408, "request_timeout"),
        (head("/zzz", "Content-Length: 100000"), b" ", 404, "not_found"),
        (head("/livez", CHUNKED, method="GET"), b"1\r\n \r\n", 200, ""),
    ],
)
def test_slow_requests_end(port: int, start: bytes, drop: bytes, status: int, code: str) -> None:
    [answer] = drip(port, start, drop)
    assert answer.status == status
    assert not code or answer.error["code"] == code


def test_idle_connections_are_closed(port: int) -> None:
    assert drip(port, b"", b"") == []
    check(drip(port, post(GOOD), b""), (200, ""))


def test_a_client_that_never_reads_is_cut_off(port: int) -> None:
    def ask_on() -> None:
        while True:
            connection.sendall(head("/openapi.json", method="GET"))
            time.sleep(0.001)

    with connect(port) as connection, pytest.raises((ConnectionResetError, BrokenPipeError)):
        ask_on()
