"""What packaging asks of an image before it may be published: golden rows replayed, and runtimes compared.

Reads `{"request": <a body for /predict, or null>}` on standard input and writes one JSON object on standard
output. The server is the one that runs in production, on a loopback port of this process, so nothing but
the image is needed: no network, no home directory, no writable file system.
"""

from __future__ import annotations

import http.client
import json
import math
import os
import sys
import threading
import time
from dataclasses import replace
from typing import Any

from inference import outputs, runtimes
from inference.app import create_app
from inference.errors import RequestError
from inference.prediction import asking
from inference.prediction import model as models
from inference.requests import forms
from inference.requests.batch import Rules
from inference.runtimes import parity
from inference.schema import without_signature
from inference.server import Server, listen
from inference.settings import Settings

_SECONDS = 600.0  # for the slowest model to load


class ReplayError(Exception):
    """The replay did not succeed; what it writes instead of predictions."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def run(settings: Settings, command: str = "replay") -> int:
    """`replay`, `parity` or `hooks` of standard input; 0, or 1 with an `error` on standard output."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # A model's own print must not get between the lines that the caller parses.
    os.dup2(2, 1)
    try:
        request = _request(sys.stdin.read())
        content, code = _COMMANDS[command](request, settings), 0
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
    # Golden rows are the model's own: what the training environment predicted knew of no hooks.
    settings = replace(settings, host="127.0.0.1", port=0, hooks=None)
    listener = listen(settings)
    server = Server(create_app(settings))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    port = listener.getsockname()[1]
    try:
        _wait(server)
        answered = _predict(port, request) if request is not None else {}
        info = _call(port, "GET", "/model/info")
        return {
            "predictions": answered.get("predictions"),
            "probabilities": answered.get("probabilities"),
            "classes": answered.get("classes"),
            "health": _call(port, "GET", "/health"),
            "metadata": _call(port, "GET", "/metadata"),
            "columns": info["columns"],
            "runtime": info["runtime"],
            "runtime_reason": info["runtime_reason"],
            "load_seconds": server.service.lifecycle.load_seconds,
        }
    finally:
        server.should_exit = True
        thread.join(5)


def _parity(request: Any, settings: Settings) -> dict[str, Any]:
    """How the model's native runtime compares with pyfunc, without server and hooks around them."""
    try:
        description = models.describe(settings.model)
        native = runtimes.native(description.folder, description.mlmodel)
        pyfunc = runtimes.load(description.folder, description.mlmodel, "pyfunc")
    except Exception as error:  # noqa: BLE001 - a model's own code may raise anything
        raise ReplayError("model_failed", f"{type(error).__name__}: {error}") from None
    schema = description.schema or without_signature(*pyfunc.columns())
    found = parity.check(native, pyfunc, schema, [] if request is None else [request])
    largest = found.largest_difference
    return {
        "rows": found.rows,
        "largest_difference": largest if math.isfinite(largest) else None,
        "reason": found.reason,
    }


def _hooks(request: Any, settings: Settings) -> dict[str, Any]:
    """What model and hooks answer to a request, or to a row made from the schema; any failure in full."""
    given = "the request"
    try:
        model = models.load(models.describe(settings.model), settings.runtime, settings.hooks)
        if request is None:
            request = model.example
            given = "a row made from the schema of requests (serve.hooks.golden gives another)"
        query = forms.read(request, model.schema, Rules(settings.release.version))
        (outcome,) = asking.ask(model, [query])
        if isinstance(outcome, Exception):
            raise outcome
    except RequestError as error:
        raise ReplayError("refused", f"{given} is refused: {error.message}") from None
    except Exception as error:  # noqa: BLE001 - hooks and models may raise anything
        cause = f" ({type(error.__cause__).__name__}: {error.__cause__})" if error.__cause__ else ""
        raise ReplayError("hooks_failed", f"on {given}: {type(error).__name__}: {error}{cause}") from None
    return {"predictions": json.loads(outputs.dumps(outputs.jsonable(outcome.predictions)))}


_COMMANDS = {"replay": _replay, "parity": _parity, "hooks": _hooks}


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
