"""Bodies in, JSON out: what every endpoint needs of HTTP. A request's own figures are in its ASGI state."""

from __future__ import annotations

import re
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from inference.errors import HookError, RequestError
from inference.outputs import dumps

_CLOSE = {"Connection": "close"}  # what is left of the body is not read
_JSON = (b"content-type", b"application/json")
_CODES = {404: "not_found", 405: "method_not_allowed"}


def json_response(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer; the content may hold anything that a model returns."""
    return Response(dumps(content), status, headers, media_type="application/json")


class JsonBytes(Response):
    """A JSON answer that is written already; without what Starlette does for other kinds of answers."""

    def __init__(self, body: bytes, status: int = 200) -> None:
        self.status_code = status
        self.background = None
        self.body = body
        self.raw_headers = [(b"content-length", b"%d" % len(body)), _JSON]


def content_type(request: Request, *allowed: str) -> str:
    """The body's media type, or 415. Without a Content-Type it is the first allowed."""
    fields = request.scope["state"]["fields"]
    encoding = fields.get(b"content-encoding", b"identity").decode("latin-1").strip().lower()
    if encoding != "identity":
        message = f"Content-Encoding {encoding[:40]!r} is not supported; send the body as it is"
        raise _unsupported(message, {"Accept-Encoding": "identity"})
    given: str = fields.get(b"content-type", b"").decode("latin-1")
    if given in ("", *allowed):
        return given or allowed[0]
    media, _, parameters = given.partition(";")
    media = media.strip().lower()
    if media not in allowed:
        raise _unsupported(f"Content-Type must be {' or '.join(allowed)}, not {media[:80]!r}")
    charset = re.search(r"charset\s*=\s*\"?([^\s\";]+)", parameters, re.IGNORECASE)
    if charset and charset[1].lower() not in ("utf-8", "utf8", "us-ascii"):
        raise _unsupported(f"the body must be UTF-8, not {charset[1][:40]!r}")
    return media


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body; 413 as soon as it is known to be over `limit` bytes, 503 when too many are held already."""
    state = request.scope["state"]
    bodies, declared = state["bodies"], state["fields"].get(b"content-length", b"")
    expected = int(declared[:20]) if declared.isdigit() else 0
    if expected > limit:
        raise _too_large(limit)
    bodies.require(expected)
    chunks, size, more = [], 0, True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise RequestError("incomplete_body", "the connection ended before the body did")
        chunk, more = message.get("body", b""), message.get("more_body", False)
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        bodies.take(len(chunk))
        state["held"] = size
        chunks.append(chunk)
    if "body_error" in state:  # what the connection found
        raise state["body_error"]
    return b"".join(chunks)


def parse_json(body: bytes) -> Any:
    """JSON as orjson reads it: UTF-8 without a mark, no NaN or Infinity, nested at most 1,024 deep."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        message = f"the body is not valid JSON: {error}"
        if any(literal in body for literal in (b"NaN", b"Infinity")):
            message += " (JSON has no NaN or Infinity; use null)"
        raise RequestError("invalid_json", message) from None


def error_response(error: RequestError, scope: Scope) -> Response:
    """The answer to a RequestError, in the form of the protocol that was asked."""
    body = error.protocol_body() if _is_v2(scope) else error.body()
    return json_response(body, error.status, error.headers)


async def on_request_error(request: Request, error: Exception) -> Response:
    """The same where Starlette found the endpoint."""
    assert isinstance(error, RequestError)
    return error_response(error, request.scope)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Unknown paths and methods, which Starlette finds."""
    assert isinstance(error, HTTPException)
    code = _CODES.get(error.status_code, "http_error")
    message = {
        404: "there is nothing at this path; / lists what there is",
        405: f"{request.method[:20]} is not allowed here",
    }.get(error.status_code, error.detail)
    headers = dict(error.headers or {})
    return error_response(RequestError(code, message, status=error.status_code, headers=headers), request.scope)


def internal_error(scope: Scope, failure: Exception) -> Response:
    """The answer when the model or the hooks failed; what they said is in the log alone."""
    request_id = scope["state"]["request_id"]
    code, who = (HookError.code, "hooks") if isinstance(failure, HookError) else ("internal_error", "model")
    message = f"the {who} failed on this request; the server's log has the reason under {request_id}"
    error = RequestError(code, message, status=500)
    body = error.protocol_body() if _is_v2(scope) else error.body()
    return json_response(body | {"request_id": request_id}, 500)


def _is_v2(scope: Scope) -> bool:
    path = str(scope["path"])
    return path == "/v2" or path.startswith("/v2/")


def _unsupported(message: str, headers: dict[str, str] | None = None) -> RequestError:
    return RequestError("unsupported_media_type", message, status=415, headers=headers)


def _too_large(limit: int) -> RequestError:
    return RequestError(
        "body_too_large", f"the body is over the limit of {limit} bytes", status=413, headers=_CLOSE
    )
