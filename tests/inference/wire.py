"""HTTP by hand: what a client can send that no library would, and answers read to the byte."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import dataclass
from typing import Any

SECONDS = 20.0  # a server that takes longer hangs


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        """The error, once its form is checked: one of two, with nothing more in it and nothing less."""
        assert self.headers["content-type"] == "application/json"
        assert int(self.headers["content-length"]) == len(self.body) < 1500
        assert re.fullmatch("[0-9a-f]{32}", self.headers["x-request-id"])
        found = json.loads(self.body)
        if isinstance(found["error"], str):  # the Open Inference Protocol's
            found["message"] = found.pop("error")
        else:
            assert set(found) == {"error"}
            found = found["error"]
        assert set(found) == {"code", "message", "column", "row"}
        assert found["message"]
        return dict(found)


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=SECONDS)


def read_answer(stream: Any) -> Answer | None:
    """The next answer on a connection; None at its end."""
    line = stream.readline()
    if not line:
        return None
    status = int(re.fullmatch(rb"HTTP/1\.1 (\d{3}) [\w -]*\r\n", line)[1])  # type: ignore[index]
    headers = {}
    while (line := stream.readline().decode().rstrip("\r\n")) != "":
        name, _, value = line.partition(": ")
        headers[name] = value
    return Answer(status, headers, stream.read(int(headers.get("content-length", 0))))


def exchange(port: int, *pieces: bytes, ends: bool = False) -> list[Answer]:
    """All answers to what is sent; `ends`: the client says that it sends no more."""
    with connect(port) as connection:
        for piece in pieces:
            try:
                connection.sendall(piece)
            except OSError:  # the server has heard enough; the answer is there all the same
                break
        if ends:
            connection.shutdown(socket.SHUT_WR)
        found = []
        with connection.makefile("rb") as stream:
            while answer := read_answer(stream):
                found.append(answer)
                if answer.headers.get("connection") != "close" and not ends:
                    break
        return found


def head(path: str = "/predict", *lines: str, method: str = "POST", host: str = "Host: x") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", host, *lines, "\r\n"]).encode("latin-1")


def post(body: bytes | str | dict[str, Any] | list[Any], path: str = "/predict", *lines: str) -> bytes:
    if not isinstance(body, bytes | str):
        body = json.dumps(body)
    body = body.encode() if isinstance(body, str) else body
    return head(path, *lines, f"Content-Length: {len(body)}") + body
