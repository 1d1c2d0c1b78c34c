"""The outermost layer: each request gets an id, a direct way to its endpoint, one log line, and an answer.

Whatever goes wrong behind it ends here. A request costs the whole server some 150 µs, so this takes the paths
that are known beforehand from a table, and leaves the rest (unknown paths, methods, names) to Starlette.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inference.access.gate import KEY_STATE, PROBES, Gate
from inference.errors import RequestError
from inference.http.limits import ByteBudget
from inference.http.web import error_response, internal_error
from inference.observability import logs
from inference.observability.trace import CURRENT, RequestTrace, Tracing, read_traceparent

Endpoint = Callable[[Request], Awaitable[Response]]
Direct = Mapping[tuple[str, str], tuple[Endpoint, dict[str, str]]]
"""By method and path: the endpoint, and the parameters that the path holds."""

_log = logging.getLogger("inference.request")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")


class Edge:
    """ASGI middleware. `endpoints` has those that need no routing; without a gate everybody may come in."""

    def __init__(self, app: ASGIApp, service: Any, endpoints: Direct, gate: Gate | None = None) -> None:
        self._app = app
        self._service = service
        self._tracing: Tracing | None = service.tracing
        self._endpoints = endpoints
        self._gate = gate
        self._bodies = ByteBudget(4 * service.settings.max_body_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        state = scope.setdefault("state", {})
        fields = state["fields"] = dict(scope["headers"])
        state["service"], state["bodies"] = self._service, self._bodies
        given = fields.get(b"x-request-id", b"")
        # The caller's, when it is harmless in a log and a header.
        request_id = given.decode() if _REQUEST_ID.fullmatch(given) else os.urandom(16).hex()
        state["request_id"] = request_id
        trace, headers, status = self._begin(scope), [(b"x-request-id", request_id.encode())], 0
        state["trace"] = trace.context if trace else read_traceparent(fields.get(b"traceparent"))
        if state["trace"]:
            headers.append((b"traceresponse", state["trace"].header))
        state["headers"] = headers
        self._service.in_flight += 1
        try:
            response = await self._direct(scope, receive)
            if response is None:
                status = await self._routed(scope, receive, send, headers)
            else:
                response.raw_headers += headers
                await response(scope, receive, send)
                status = response.status_code
        finally:
            if trace:
                trace.end(status, request_id)
            self._service.in_flight -= 1
            self._bodies.give_back(state.get("held", 0))
        _write_line(scope, request_id, status, time.perf_counter() - began)

    def _begin(self, scope: Scope) -> RequestTrace | None:
        """The request's span, where spans are made; nobody asks where the time of a probe went."""
        if self._tracing is None or scope["path"] in PROBES:
            return None
        known = (scope["method"], scope["path"]) in self._endpoints
        trace = self._tracing.begin(scope, scope["state"]["fields"], scope["path"] if known else None)
        CURRENT.set(trace)  # for the request's own task, which ends with it
        return trace

    async def _direct(self, scope: Scope, receive: Receive) -> Response | None:
        """The answer, where it takes no search for an endpoint."""
        if refusal := _refusal(scope):
            return error_response(refusal, scope)
        try:
            if self._gate:  # before any search: a refusal does not show what there is
                scope["state"]["headers"] += self._gate.admit(scope)
            found = self._endpoints.get((scope["method"], scope["path"]))
            if found is None:
                return None
            endpoint, scope["path_params"] = found
            return await endpoint(Request(scope, receive))
        except RequestError as error:
            return error_response(error, scope)
        except Exception as error:  # noqa: BLE001 - the last one who could answer
            _log_failure(scope)
            return internal_error(scope, error)

    async def _routed(self, scope: Scope, receive: Receive, send: Send, headers: list[tuple[bytes, bytes]]) -> int:
        """Starlette's answer; the status."""
        status = 0

        async def tagged(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), *headers]
            await send(message)

        try:
            await self._app(scope, receive, tagged)
        except Exception as error:
            _log_failure(scope)
            if status:
                raise  # half an answer is out; uvicorn closes the connection
            await internal_error(scope, error)(scope, receive, tagged)
        return status


def _refusal(scope: Scope) -> RequestError | None:
    """Why this request gets no further, whatever it asks for."""
    state, headers = scope["state"], scope["headers"]
    if "surplus" in state and scope["path"] not in PROBES:
        message = "too many connections are open; try again later"
        answer = {"Retry-After": "1", "Connection": "close"}
        return RequestError("too_many_connections", message, status=503, headers=answer)
    fields = state["fields"]
    # As many fields as headers: no name came twice. It may, but for this one.
    hosts = 1 if len(fields) == len(headers) and b"host" in fields else sum(one == b"host" for one, _ in headers)
    if hosts > 1 or (hosts == 0 and scope["http_version"] == "1.1"):
        return RequestError("bad_request", "HTTP/1.1 wants exactly one Host header")
    if scope["http_version"] == "0.9":
        return RequestError("bad_request", "the request's line must end in HTTP/1.1")
    return None


def _log_failure(scope: Scope) -> None:
    fields = {"request_id": scope["state"]["request_id"], "path": scope["path"][:200]}
    # A library's message may quote the values that it stumbled over: it is left out, but for the debug level.
    quoting = _log.isEnabledFor(logging.DEBUG)
    about = {} if quoting else {"exception": logs.without_values(sys.exc_info()[1])}
    _log.error("internal error", exc_info=quoting, extra=fields | about | _trace_fields(scope))


def _trace_fields(scope: Scope) -> dict[str, str]:
    context = scope["state"]["trace"]
    return {"trace_id": context.trace_id, "span_id": context.span_id} if context else {}


def _write_line(scope: Scope, request_id: str, status: int, seconds: float) -> None:
    level = logging.DEBUG if scope["path"] in PROBES else logging.INFO
    if _log.isEnabledFor(level):
        fields = {
            "request_id": request_id,
            "method": scope["method"],
            "path": scope["path"][:200],
            "status": status,
            "seconds": round(seconds, 6),
        } | _trace_fields(scope)
        if KEY_STATE in scope["state"]:
            fields["api_key"] = scope["state"][KEY_STATE]  # its name
        logs.write(_log.name, level, "request", fields)
