"""HTTP at the edge: bodies in, JSON out, request ids, one log line a request, and no exception past it."""

from __future__ import annotations

import contextlib
import logging
import re
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

import anyio
import orjson
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inference.errors import RequestError
from inference.outputs import dumps

_log = logging.getLogger("inference.request")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_QUIET = frozenset({"/livez", "/readyz", "/health", "/metrics", "/ping", "/v2/health/live", "/v2/health/ready"})
_DISCARD_SECONDS, _DISCARD_BYTES = 2.0, 64 * 1024 * 1024
_CODES = {404: "not_found", 405: "method_not_allowed"}


def json_response(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer; the content may hold anything that a model returns."""
    return Response(dumps(content), status, headers, media_type="application/json")


def content_type(request: Request, *allowed: str) -> str:
    """The body's media type, or 415. Without a Content-Type it is the first allowed."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise _unsupported(f"Content-Encoding {encoding[:40]!r} is not supported; send the body as it is")
    media, _, parameters = request.headers.get("content-type", allowed[0]).partition(";")
    media = media.strip().lower()
    if media not in allowed:
        raise _unsupported(f"Content-Type must be {' or '.join(allowed)}, not {media[:80]!r}")
    charset = re.search(r"charset\s*=\s*\"?([^\s\";]+)", parameters, re.IGNORECASE)
    if charset and charset[1].lower() not in ("utf-8", "utf8", "us-ascii"):
        raise _unsupported(f"the body must be UTF-8, not {charset[1][:40]!r}")
    return media


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body, or 413 as soon as it is known to be over `limit` bytes."""
    stream = request.stream()
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > limit:
        if "expect" not in request.headers:  # else the client waits for our word before it sends
            await _discard(stream)
        raise _too_large(limit)
    chunks, size = [], 0
    try:
        async for chunk in stream:
            size += len(chunk)
            if size > limit:
                await _discard(stream)
                raise _too_large(limit)
            chunks.append(chunk)
    except ClientDisconnect:
        raise RequestError("incomplete_body", "the connection ended before the body did") from None
    return b"".join(chunks)


async def _discard(stream: AsyncIterator[bytes]) -> None:
    """Read on for a moment: a client that is still sending when the connection closes misses the answer."""
    size = 0
    with anyio.move_on_after(_DISCARD_SECONDS), contextlib.suppress(ClientDisconnect):
        async for chunk in stream:
            size += len(chunk)
            if size > _DISCARD_BYTES:
                return


def parse_json(body: bytes) -> Any:
    """JSON as orjson reads it: UTF-8 without a mark, no NaN or Infinity, nested at most 1,024 deep."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        message = f"the body is not valid JSON: {error}"
        if any(literal in body for literal in (b"NaN", b"Infinity")):
            message += " (JSON has no NaN or Infinity; use null)"
        raise RequestError("invalid_json", message) from None


class Edge:
    """The outermost layer: gives each request an id, counts it, logs it, and answers every exception."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        service = scope["app"].state.service
        service.in_flight += 1
        try:
            await self._answer(scope, receive, send)
        finally:
            service.in_flight -= 1

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, status = time.perf_counter(), 0
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id

        async def tagged(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self.app(scope, receive, tagged)
        except Exception:
            _log.exception("internal error", extra={"request_id": request_id, "path": scope["path"]})
            if status:
                raise  # half an answer is out; uvicorn closes the connection
            await _internal_error(scope, request_id)(scope, receive, tagged)
        level = logging.DEBUG if scope["path"] in _QUIET else logging.INFO
        seconds = round(time.perf_counter() - began, 6)
        fields = {"method": scope["method"], "path": scope["path"][:200], "status": status, "seconds": seconds}
        _log.log(level, "request", extra={"request_id": request_id, **fields})


async def on_request_error(request: Request, error: Exception) -> Response:
    """The answer to a RequestError, in the form of the protocol that was asked."""
    assert isinstance(error, RequestError)
    body = error.protocol_body() if _is_v2(request.scope) else error.body()
    headers = {**error.headers, "Connection": "close"} if error.status == 413 else error.headers
    return json_response(body, error.status, headers)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Unknown paths and methods, which Starlette finds."""
    assert isinstance(error, HTTPException)
    code = _CODES.get(error.status_code, "http_error")
    message = {
        404: "there is nothing at this path; / lists what there is",
        405: f"{request.method[:20]} is not allowed here",
    }.get(error.status_code, error.detail)
    headers = dict(error.headers or {})
    return await on_request_error(request, RequestError(code, message, status=error.status_code, headers=headers))


def _internal_error(scope: Scope, request_id: str) -> Response:
    message = f"the model failed on this request; the server's log has the reason under {request_id}"
    error = RequestError("internal_error", message, status=500)
    body = error.protocol_body() if _is_v2(scope) else error.body()
    return json_response(body | {"request_id": request_id}, 500)


def _is_v2(scope: Scope) -> bool:
    path = str(scope["path"])
    return path == "/v2" or path.startswith("/v2/")


def _request_id(scope: Scope) -> str:
    """The caller's, when it is harmless in a log and a header; else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value.decode("latin-1")):
            return str(value.decode("latin-1"))
    return uuid.uuid4().hex


def _unsupported(message: str) -> RequestError:
    return RequestError("unsupported_media_type", message, status=415)


def _too_large(limit: int) -> RequestError:
    return RequestError("body_too_large", f"the body is over the limit of {limit} bytes", status=413)
