"""Replays golden rows against the real server, in the image, before it may be published.

Reads `{"request": <a body for /predict, or null>}` on standard input and writes one JSON object on standard
output. The server is the one that runs in production, on a loopback port of this process, so nothing but
the image is needed: no network, no home directory, no writable file system.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import threading
import time
from dataclasses import replace
from typing import Any

from inference.app import create_app
from inference.server import Server, listen
from inference.settings import Settings

_SECONDS = 600.0  # for the slowest model to load


class ReplayError(Exception):
    """The replay did not succeed; what it writes instead of predictions."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def run(settings: Settings) -> int:
    """Replay standard input; 0, or 1 with an `error` on standard output."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # A model's own print must not get between the lines that the caller parses.
    os.dup2(2, 1)
    try:
        content, code = _replay(_request(sys.stdin.read()), settings), 0
    except ReplayError as error:
        content, code = {"error": {"code": error.code, "message": error.message}}, 1
    with answer:
        answer.write(json.dumps(content) + "\n")
    return code


def _request(text: str) -> Any:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise ReplayError("invalid_input", f"standard input is not JSON: {error}") from None
    if not isinstance(content, dict) or "request" not in content:
        raise ReplayError("invalid_input", "standard input must be an object with `request`")
    return content["request"]


def _replay(request: Any, settings: Settings) -> dict[str, Any]:
    listener = listen(replace(settings, host="127.0.0.1", port=0))
    server = Server(create_app(settings))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    port = listener.getsockname()[1]
    try:
        _wait(server)
        answered = _predict(port, request) if request is not None else {}
        return {
            "predictions": answered.get("predictions"),
            "probabilities": answered.get("probabilities"),
            "classes": answered.get("classes"),
            "health": _call(port, "GET", "/health"),
            "metadata": _call(port, "GET", "/metadata"),
            "columns": _call(port, "GET", "/model/info")["columns"],
            "load_seconds": server.service.lifecycle.load_seconds,
        }
    finally:
        server.should_exit = True
        thread.join(5)


def _wait(server: Server) -> None:
    """Until the model is loaded; here, unlike over HTTP, the reason may be told in full."""
    lifecycle, deadline = server.service.lifecycle, time.monotonic() + _SECONDS
    while not (server.started and lifecycle.state != "starting"):
        if time.monotonic() > deadline:
            raise ReplayError("timeout", f"the model was not loaded within {_SECONDS:.0f} seconds")
        time.sleep(0.02)
    if lifecycle.state == "failed":
        raise ReplayError("model_failed", f"{lifecycle.reason} ({lifecycle.detail})")


def _predict(port: int, request: Any) -> dict[str, Any]:
    answered = _call(port, "POST", "/predict", json.dumps(request).encode())
    if "error" in answered:
        raise ReplayError(answered["error"]["code"], answered["error"]["message"])
    if "prediction" in answered:
        answered["predictions"] = [answered["prediction"]]
    return answered


def _call(port: int, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        content = json.loads(connection.getresponse().read())
        return content if isinstance(content, dict) else {}
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ReplayError("no_answer", f"{method} {path}: {error!r}") from None
    finally:
        connection.close()
