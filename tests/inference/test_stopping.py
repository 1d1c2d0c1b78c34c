"""SIGTERM while several clients are busy: what is under way is answered, right, and the process ends well."""

from __future__ import annotations

import http.client
import json
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from inference.server import LINGER_SECONDS, once_more
from tests.inference.conftest import wait_until
from tests.inference.process import ask, is_ready, served
from tests.inference.wire import SECONDS, connect, exchange, head, post, read_answer
from tests.stillness import again_after_a_standstill

Saved = Callable[[str], Path]


class Client(threading.Thread):
    """Asks one question after another on a connection that it keeps, until the server is gone."""

    def __init__(self, port: int, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self.port = port
        self.answered = 0
        self.wrong: list[object] = []
        self.lost_at = 0.0  # when the first question without an answer was asked
        self.start()

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        while not self.lost_at:
            mood, began = f"{self.name} {self.answered}", time.monotonic()
            try:
                connection.request("POST", "/predict", json.dumps({"mood": mood}))
                answer = connection.getresponse()
                found = answer.status, json.loads(answer.read())["predictions"]
            except (OSError, http.client.HTTPException):
                self.lost_at = began
                continue
            self.answered += 1
            if found != (200, [mood]):
                self.wrong.append(found)


@again_after_a_standstill(0.1)  # a client that is held up loses its question all the same
def test_sigterm_under_load(saved: Saved) -> None:
    with served(saved("moody"), TAGSHIP_LOG_LEVEL="ERROR") as (process, port):
        wait_until(lambda: is_ready(port))
        clients = [Client(port, f"client {number}") for number in range(6)]
        wait_until(lambda: all(client.answered > 10 for client in clients))
        upload = post({"mood": "uploaded late"})
        with connect(port) as sender, connect(port) as idle, connect(port) as slow:
            sender.sendall(upload[:-5])
            slow.sendall(post({"mood": "sleep 2"}))
            time.sleep(0.2)
            told = time.monotonic()
            process.send_signal(signal.SIGTERM)
            wait_until(lambda: ask(port, "GET", "/readyz") == (503, {"status": "stopping"}))
            probe = head("/livez", method="GET")
            wait_until(lambda: exchange(port, probe)[0].headers.get("connection") == "close")
            assert select.select([idle], [], [], SECONDS)[0]
            assert idle.recv(1) == b""
            sender.sendall(upload[-5:])  # now that nobody listens any more
            for connection, mood in ((slow, "sleep 2"), (sender, "uploaded late")):
                with connection.makefile("rb") as stream:
                    answer = read_answer(stream)
                assert answer
                assert json.loads(answer.body)["predictions"] == [mood]
        assert process.wait(SECONDS) == 0
        for client in clients:
            client.join(SECONDS)
            assert not client.wrong
            assert client.lost_at > told + LINGER_SECONDS - 0.2  # no question before the end of listening


def test_a_second_signal_ends_at_once(saved: Saved) -> None:
    with served(saved("moody"), TAGSHIP_LOG_LEVEL="ERROR", TAGSHIP_SHUTDOWN_SECONDS="600") as (process, port):
        wait_until(lambda: is_ready(port))
        with connect(port) as slow:
            slow.sendall(post({"mood": "sleep 600"}))
            wait_until(lambda: b"http_requests_in_flight 2.0" in ask(port, "GET", "/metrics")[1])
            process.send_signal(signal.SIGTERM)
            wait_until(lambda: ask(port, "GET", "/readyz")[0] == 503)
            process.send_signal(signal.SIGTERM)
            assert process.wait(SECONDS) == 1  # a request was cut off


def test_a_socket_that_is_listened_on_once_more_blocks_nobody() -> None:
    """Whether it blocks is the socket's, not the file number's: another server may be using it at the time."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        with once_more(listener) as other:
            assert other.fileno() != listener.fileno()
            assert not os.get_blocking(listener.fileno())
