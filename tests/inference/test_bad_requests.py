"""Bad requests over real sockets to a real server process: each is refused in time, exactly, and harms nobody."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.inference.bad_requests import BAD, CHUNKED, GOOD, INFER, MAX_BODY, MAX_ROWS
from tests.inference.conftest import wait_until
from tests.inference.process import ask, is_ready, served
from tests.inference.wire import SECONDS, Answer, connect, exchange, head, post, read_answer

Saved = Callable[[str], Path]
RIGHT = {"predictions": [12.0], "model_version": "0.0.0"}
MAX_CONNECTIONS = 12
LIMITS = {
    "TAGSHIP_MAX_BODY_BYTES": str(MAX_BODY),
    "TAGSHIP_MAX_ROWS": str(MAX_ROWS),
    "TAGSHIP_MAX_CONNECTIONS": str(MAX_CONNECTIONS),
    "TAGSHIP_LOG_LEVEL": "ERROR",  # nobody reads its log
}


@contextlib.contextmanager
def started(folder: Path, **settings: str) -> Iterator[tuple[int, int]]:
    with served(folder, **settings) as (process, port):
        wait_until(lambda: is_ready(port))
        yield port, process.pid
        assert process.poll() is None


@pytest.fixture(scope="module")
def server(saved: Saved) -> Iterator[tuple[int, int]]:
    """The port and process id of a server with narrow limits."""
    with started(saved("orders"), **LIMITS) as one:
        yield one


@pytest.fixture
def port(server: tuple[int, int]) -> Iterator[int]:
    """The server's port; after the test it must predict right."""
    yield server[0]
    predicts_right(server[0])


def predicts_right(port: int) -> None:
    """It does so after whatever was sent to it."""
    wait_until(lambda: ask(port, "POST", "/predict", GOOD)[0] != 503)  # while connections are still many
    assert ask(port, "POST", "/predict", GOOD) == (200, RIGHT)
    assert ask(port, "GET", "/readyz") == (200, {"status": "ready"})


def check(answers: list[Answer], *expected: tuple[int, str]) -> None:
    """Status and code of each; 200 stands for the right prediction."""
    found = [(one.status, "" if one.status == 200 else one.error["code"]) for one in answers]
    assert found == list(expected)
    for one in answers:
        assert one.status != 200 or json.loads(one.body) == RIGHT


@pytest.mark.parametrize("name", BAD)
def test_refused(port: int, name: str) -> None:
    sent, status, code = BAD[name]
    check(exchange(port, sent), (status, code))


def test_there_are_enough() -> None:
    assert len({sent for sent, _, _ in BAD.values()}) == len(BAD) >= 60


def test_the_refusals_words(port: int) -> None:
    [own] = exchange(port, b"nonsense\r\n\r\n")
    assert json.loads(own.body) == {
        "error": {
            "code": "bad_request",
            "message": "this is no HTTP request: Invalid method encountered",
            "column": None,
            "row": None,
        }
    }
    [protocols] = exchange(port, post({"inputs": []}, INFER))
    assert json.loads(protocols.body) == {
        "error": "the body must be an object with `inputs`, a list",
        "code": "invalid_form",
        "column": None,
        "row": None,
    }
    [place] = exchange(port, post({"instances": [[1, 2, "x"], ["1", 2, "x"]]}))
    assert json.loads(place.body) == {
        "error": {
            "code": "wrong_type",
            "message": "column 'a' takes numbers, not '1'",
            "column": "a",
            "row": 1,
        }
    }


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (post(GOOD), (200, "")),
        (post(GOOD) + post(GOOD, "/predict", "A: b")[:20], (200, "")),
        (b"POST /pre", (400, "incomplete_head")),
        (head("/predict", "Content-Length: 100")[:-2], (400, "incomplete_head")),
        (post(GOOD)[:-1], (400, "incomplete_body")),
        (head("/predict", CHUNKED) + b"5\r\n12345\r\n", (400, "incomplete_body")),
        (post(GOOD, INFER)[:-1], (400, "incomplete_body")),
    ],
)
def test_half_closed_connections_get_their_answer(port: int, sent: bytes, answer: tuple[int, str]) -> None:
    check(exchange(port, sent, ends=True), answer)


def test_resets_are_no_harm(port: int) -> None:
    for sent in (b"", b"POST /pre", post(GOOD)[:-5], post(GOOD), head("/predict", CHUNKED) + b"5\r\n1"):
        for _ in range(10):
            with connect(port) as connection:
                connection.sendall(sent)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wait_until(lambda: b"http_requests_in_flight 1.0" in ask(port, "GET", "/metrics")[1], SECONDS)


def test_what_follows_on_a_connection(port: int) -> None:
    good, bad = (200, ""), (400, "bad_request")
    check(exchange(port, post(GOOD), post(GOOD), b"\r\ngarbage\r\n\r\n"), good)
    check(exchange(port, post(GOOD) + post(GOOD) + b"garbage\r\n\r\n", ends=True), good, good, bad)
    short = post(GOOD).replace(b"Content-Length: 28", b"Content-Length: 27")
    assert short != post(GOOD)
    check(exchange(port, short + post(GOOD), ends=True), (400, "invalid_json"), bad)
    hidden = post(b"GET /metadata HTTP/1.1\r\nHost: x\r\n\r\n")
    check(exchange(port, hidden, ends=True), (400, "invalid_json"))
    *answers, last = exchange(port, post(GOOD) * 5000, ends=True)
    check(answers, *[good] * len(answers))
    assert len(answers) < 50
    check([last], (400, "too_many_requests"))


def test_old_and_odd_clients_are_served(port: int) -> None:
    """What looks like trouble and is none."""
    old = post(GOOD).replace(b"HTTP/1.1", b"HTTP/1.0").replace(b"Host: x\r\n", b"")
    upgrade = post(GOOD, "/predict", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AA")
    body = json.dumps(GOOD).encode()
    chunks = head("/predict", CHUNKED) + b"a;x=y\r\n%s\r\n12\r\n%s" % (body[:10], body[10:])
    for sent in (
        old,
        b"\r\n\r\n" + post(GOOD),
        post(GOOD).replace(b"/predict", b"http://x/predict?a=b#c"),
        upgrade,  # Java's client sends this unasked
        chunks + b"\r\n0\r\nContent-Type: text/csv\r\n\r\n",
    ):
        check(exchange(port, sent), (200, ""))
        check(exchange(port, *(sent[place : place + 1] for place in range(len(sent)))), (200, ""))


def test_a_client_that_asks_before_it_sends(port: int) -> None:
    start, body = post(GOOD, "/predict", "Expect: 100-continue").split(b"\r\n\r\n")
    with connect(port) as connection, connection.makefile("rb") as stream:
        connection.sendall(start + b"\r\n\r\n")
        assert stream.readline() + stream.readline() == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        answer = read_answer(stream)
        assert answer
        check([answer], (200, ""))


def test_too_many_connections(port: int) -> None:
    """Of those that are busy with a request, which is known here by the server's word to go on."""
    with contextlib.ExitStack() as stack:
        for _ in range(MAX_CONNECTIONS + 1):  # fewer are taken while some of an earlier test are being closed
            stream = stack.enter_context(stack.enter_context(connect(port)).makefile("rwb", buffering=0))
            stream.write(head("/predict", "Expect: 100-continue", "Content-Length: 100"))
            answer = read_answer(stream)
            assert answer
            if answer.status != 100:
                break
        check([answer], (503, "too_many_connections"))
        assert (answer.headers["retry-after"], answer.headers["connection"]) == ("1", "close")
        assert exchange(port, head("/livez", method="GET"))[0].status == 200
        for _ in range(100):  # these are not even told
            stack.enter_context(connect(port))


def test_idle_connections_make_room(port: int) -> None:
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(connect(port)) for _ in range(6)]
        check(exchange(port, post(GOOD)), (200, ""))  # by now it has taken those before
        time.sleep(0.1)
        idle += [stack.enter_context(connect(port)) for _ in range(MAX_CONNECTIONS - 6)]
        for _ in range(3):
            check(exchange(port, post(GOOD)), (200, ""))
        closed, _, _ = select.select(idle, [], [], SECONDS)
        assert closed
        assert set(closed) <= set(idle[:6])  # those that were idle for longest


def test_bodies_are_held_up_to_a_budget(port: int) -> None:
    """Five that are each as large as may be, where four fit."""
    with contextlib.ExitStack() as stack:
        senders = [stack.enter_context(connect(port)) for _ in range(5)]
        for sender in senders:
            sender.sendall(post(b" " * MAX_BODY)[:-1])
        refused, _, _ = select.select(senders, [], [], SECONDS)
        assert len(refused) == 1
        with refused[0].makefile("rb") as stream:
            answer = read_answer(stream)
        assert answer
        check([answer], (503, "overloaded"))
        assert (answer.headers["retry-after"], answer.headers["connection"]) == ("1", "close")
        left = [sender for sender in senders if sender not in refused]
        for sender in left:
            sender.sendall(b" ")
            with sender.makefile("rb") as stream:
                answer = read_answer(stream)
            assert answer
            check([answer], (400, "invalid_json"))


def resident_bytes(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


def test_memory_stays_flat(port: int, server: tuple[int, int]) -> None:
    """All bad requests once more, and twice; the largest in bulk."""
    sizes = []
    for _ in range(3):
        for sent, status, _ in BAD.values():
            assert exchange(port, sent)[0].status == status
        for _ in range(20):
            exchange(port, post("[" * MAX_BODY), post(b'{"instances": [' + b"[1]," * 40_000 + b"[1]]}"))
        sizes.append(resident_bytes(server[1]))
    assert sizes[2] < sizes[0] + 16 * 1024 * 1024, sizes
