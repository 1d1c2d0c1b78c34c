"""A connection that cannot outstay its welcome: uvicorn's own protocol with limits on size, number and time.

uvicorn bounds neither a request's head nor the time that it takes to arrive, drops what a half-closed client
still waits for, and answers broken requests in plain text. The rest of HTTP stays with uvicorn and llhttp.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from inference.errors import RequestError
from inference.outputs import dumps
from inference.settings import Settings

_log = logging.getLogger("inference.request")
MAX_HEAD_BYTES = 32 * 1024
"""Of a request's line and headers; also of whatever else is sent that is no body (trailers, chunk extensions)."""

_MAX_PIPELINED = 16
_LINGER_SECONDS = 2.0  # a client that is still sending when the connection closes misses the answer
_SURPLUS = 64  # connections over the limit that are told so; those beyond are closed at once


class _Outlet:
    """What a request's answer is written to: the transport, but an answer's head goes out with what follows it
    (a system call costs a tenth of a small request), and it closes only when that loses nothing."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self._transport = protocol.transport
        self._head = b""
        self.is_closing = protocol.transport.is_closing

    def write(self, data: bytes) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.writelines((head, data))
        elif data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 100"):
            self._head = data
        else:
            self._transport.write(data)

    def flush(self) -> None:
        """Of an answer without a body."""
        if self._head:
            self.write(b"")

    def close(self) -> None:
        self.flush()
        self._protocol.end()


class Protocol(HttpToolsProtocol):
    """One connection. A refusal that the application can word, it words: it finds it as `body_error`."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        settings: Settings,
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._settings = settings
        self.url = b""
        self._unparsed = 0  # bytes since the parser last got anywhere
        self._began: float | None = None  # when the request that is not complete yet began to arrive
        self._in_body = False
        self._refused = False  # nothing more is read
        self._refusal: RequestError | None = None  # to be said when the answers before it are out
        self._ends_at: float | None = None  # when the client must have taken what was sent

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count it; where there are too many, the one that has been idle for longest goes."""
        super().connection_made(transport)
        self._outlet = _Outlet(self)
        over = len(self.connections) - self._settings.max_connections
        if over > 0 and not self._close_an_idle_one():
            if over > _SURPLUS:
                transport.abort()
                return
            self.app_state = {**self.app_state, "surplus": True}
        self._await_request()

    def data_received(self, data: bytes) -> None:
        """Feed the parser, whose callbacks start the application; an end to what makes no progress."""
        if self._refused:
            return
        self._unset_keepalive_if_required()
        if self._began is None:
            self._began = self.loop.time()
        self._unparsed += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            self._refuse(_refusal(error, in_body=self._in_body))
        else:
            if self._unparsed > MAX_HEAD_BYTES:
                self._refuse(_too_large_a_head())

    def on_headers_complete(self) -> None:
        """The application starts here, while the body may still arrive."""
        if self.parser.should_upgrade():
            return
        if len(self.pipeline) >= _MAX_PIPELINED:
            raise RequestError("too_many_requests", "too many requests were sent ahead on one connection")
        if self._unparsed > MAX_HEAD_BYTES and _size(self.url, self.headers) > MAX_HEAD_BYTES:
            raise _too_large_a_head()
        super().on_headers_complete()
        self.cycle.transport = self._outlet  # type: ignore[assignment]
        self.headers = []  # of trailers, which the application must not take for headers
        self._unparsed, self._in_body = 0, True

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._unparsed = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is there."""
        if self.parser.should_upgrade():
            return
        self._began, self._in_body = None, False
        super().on_message_complete()
        if self.cycle.response_complete:  # it did not wait for the body; uvicorn forgets the connection then
            self._await_request()

    def on_response_complete(self) -> None:
        """An answer is out; the next request's turn, or a refusal's that waited for it."""
        self._outlet.flush()
        super().on_response_complete()
        if self._refusal and self._is_quiet():
            self._say(self._refusal)

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """The client sends no more; what it has sent is answered all the same."""
        if self._began is not None:
            what = "body" if self._in_body else "head"
            self._refuse(RequestError(f"incomplete_{what}", f"the connection ended before the {what} did"))
        elif not self._is_quiet() and not self._refusal:
            self.cycle.keep_alive = False
        return not self._is_quiet()  # true: keep it open for the answer

    def end(self) -> None:
        """Close; where the client is still sending, once it has had time to read the answer."""
        if not (self._in_body or self._refused):
            self.transport.close()
            return
        self._began, self._refused = None, True
        self._unset_keepalive_if_required()
        self._ends_at = self.loop.time() + _LINGER_SECONDS
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def look(self, now: float) -> None:
        """Called several times a second with the event loop's time: end what takes too long."""
        seconds = self._settings.request_seconds
        if self._began is not None and now - self._began > seconds:
            message = f"the request was not complete within {seconds:g} seconds"
            self._refuse(RequestError("request_timeout", message, status=408))
        if not self.transport.get_write_buffer_size() and not self._refused:
            self._ends_at = None
        elif self._ends_at is None:
            self._ends_at = now + seconds
        elif now > self._ends_at:
            self.transport.abort()

    def _await_request(self) -> None:
        """uvicorn has this timer only after a request."""
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def _is_quiet(self) -> bool:
        """Whether no request is being answered or waits for it."""
        return self.cycle is None or (self.cycle.response_complete and not self.pipeline)

    def _close_an_idle_one(self) -> bool:
        idle = [
            (one.timeout_keep_alive_task.when(), one)
            for one in self.connections
            if isinstance(one, Protocol) and one.timeout_keep_alive_task
        ]
        if not idle:
            return False
        _, longest = min(idle, key=lambda pair: pair[0])
        longest.timeout_keep_alive_handler()
        longest._unset_keepalive_if_required()
        return True

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Read a request on as if it had no Upgrade header, as HTTP asks of who knows no such protocol.

        llhttp takes what follows the head for the other protocol; Java's client sends its first body there.
        """
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        if method == b"CONNECT":
            self._refuse(RequestError("bad_request", "this is no proxy"))
            return
        lines = [b"%s: %s\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        head = b"%s %s HTTP/%s\r\n%s\r\n" % (method, self.url, version, b"".join(lines))
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(head + rest)

    def _refuse(self, error: RequestError) -> None:
        """Read no more, and say why as soon as it is this request's turn."""
        self._began, self._refused = None, True
        self._unset_keepalive_if_required()
        if self._in_body and self.cycle.response_complete:
            self.transport.close()
        elif self._in_body:
            self.cycle.scope["state"]["body_error"] = error
            self.cycle.keep_alive = self.cycle.more_body = False
            self.cycle.message_event.set()
        elif self._is_quiet():
            self._say(error)
        else:
            self._refusal = error

    def _say(self, error: RequestError) -> None:
        """Answer without the application, and close once the client has had time to read it."""
        body = dumps(error.protocol_body() if self.url.startswith(b"/v2") else error.body())
        request_id = os.urandom(16).hex()
        headers = [
            *self.server_state.default_headers,
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
            (b"x-request-id", request_id.encode()),
        ]
        lines = [b"%s: %s\r\n" % header for header in headers]
        self.transport.write(b"".join([STATUS_LINE[error.status], *lines, b"\r\n", body]))
        self.end()
        _log.info("refused", extra={"request_id": request_id, "status": error.status, "code": error.code})


def _refusal(error: httptools.HttpParserError, *, in_body: bool) -> RequestError:
    """What the parser found, or what a callback of ours did."""
    if isinstance(error.__context__, RequestError):
        return error.__context__
    if in_body:
        return RequestError("invalid_body", f"the body cannot be read: {error}")
    return RequestError("bad_request", f"this is no HTTP request: {error}")


def _too_large_a_head() -> RequestError:
    message = f"the request's head, or what frames its body, is over the limit of {MAX_HEAD_BYTES} bytes"
    return RequestError("head_too_large", message, status=431)


def _size(url: bytes, headers: list[tuple[bytes, bytes]]) -> int:
    return len(url) + sum(len(name) + len(value) + 4 for name, value in headers)
