"""Runs the application under uvicorn, and ends it the way Kubernetes asks for.

On SIGTERM readiness turns false at once while the server still listens: a load balancer needs a moment to
notice, and what it still sends is answered. Then running requests finish, then the process exits.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import resource
import signal
import socket
import time
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from inference.group import Member
from inference.http.protocol import Protocol
from inference.service import Service
from inference.settings import Settings, SettingsError

_log = logging.getLogger("inference")
LINGER_SECONDS = 1.0
"""How long the server still listens after SIGTERM."""

_CLOSE = (b"connection", b"close")
_ACCEPTED_AT_ONCE = 16
"""Connections that one turn of the event loop may take. uvloop takes one for each socket that it listens on, and a
turn is long under load: the socket is there this many times, or who comes late would wait for seconds."""

_OTHER_FILES = 200
"""Files that are open beside the connections: libraries, the model's own, sockets to listen on."""


class Server(uvicorn.Server):
    """uvicorn, but the first signal only begins to drain."""

    def __init__(self, app: Starlette) -> None:
        self.service: Service = app.state.service
        self._member: Member | None = app.state.member
        self._stopping_since: float | None = None
        self._listens = self._connected = True
        self.cut_off = 0  # requests that were still running when the time was up
        config = uvicorn.Config(
            app,
            http=functools.partial(Protocol, settings=self.service.settings),  # type: ignore[arg-type]
            ws="none",
            proxy_headers=False,
            timeout_keep_alive=self.service.settings.keep_alive_seconds,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="on",
            # The requests have had their time before; this only closes idle connections.
            timeout_graceful_shutdown=1,
        )
        super().__init__(config)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's
        """Begin to stop; a second signal stops at once."""
        if self._stopping_since is not None:
            self.should_exit = self.force_exit = True
            self.cut_off = self.service.in_flight
            return
        self._stopping_since = time.monotonic()
        self.service.lifecycle.stop()

    async def on_tick(self, counter: int) -> bool:
        """uvicorn calls this ten times a second; true ends the server."""
        if self._member:
            self._take_part(self._member)
        now = asyncio.get_running_loop().time()
        for connection in [*self.server_state.connections]:
            connection.look(now)  # type: ignore[union-attr]
        if self._stopping_since is not None:
            self._drain(time.monotonic() - self._stopping_since)
        ends = await super().on_tick(counter)
        headers = self.server_state.default_headers  # new ones each second
        if self._stopping_since is not None and _CLOSE not in headers:
            headers.append(_CLOSE)  # or clients that keep their connection would hold on to a server that goes
        return ends

    def _take_part(self, member: Member) -> None:
        if self.service.lifecycle.model:
            member.group.mark_ready(member.index)
        self.service.metrics.refresh()
        if member.orphaned and self._stopping_since is None:
            self.handle_exit(signal.SIGTERM, None)

    def _drain(self, waited: float) -> None:
        """Listen for a moment, then take no more connections, and end when the last request is answered.

        A socket that another server takes over is left to it at once.
        """
        limit = self.service.settings.shutdown_seconds
        lingered = waited >= min(LINGER_SECONDS, limit)
        if self._listens and (lingered or self.service.settings.listen_fd is not None):
            self._listens = False
            for server in self.servers:
                server.close()
        if self._connected and lingered:
            self._connected = False
            for connection in [*self.server_state.connections]:
                connection.shutdown()
        if waited >= limit or not (self._connected or self.service.in_flight):
            self.should_exit, self.cut_off = True, self.service.in_flight


def listen(settings: Settings) -> socket.socket:
    """The listening socket; SettingsError when the address is taken or not ours."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    _allow_files(settings.max_connections + _OTHER_FILES)
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        raise SettingsError(f"cannot listen on {settings.host}:{settings.port}: {error.strerror}") from None


def _allow_files(wanted: int) -> None:
    """A connection is an open file, of which a process outside a container may often have 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def once_more(listener: socket.socket) -> socket.socket:
    """The same socket. Not by its `dup`, which makes it a blocking one for every process that has it."""
    return socket.socket(fileno=os.dup(listener.fileno()))


def serve(app: Starlette, listener: socket.socket) -> int:
    """Serve until a signal; the process's exit code: 1 when requests were cut off."""
    server = Server(app)
    address = listener.getsockname()
    _log.info("listening on %s:%s", address[0], address[1])
    fd = app.state.service.settings.listen_fd
    sockets = [listener] if fd is None else [listener, socket.socket(fileno=fd)]
    more = _ACCEPTED_AT_ONCE - 1
    server.run(sockets=[*sockets, *(once_more(one) for one in sockets for _ in range(more))])
    _log.info("stopped, %s requests cut off", server.cut_off)
    return 1 if server.cut_off or not server.started else 0
