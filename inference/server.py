"""Runs the application under uvicorn, and ends it the way Kubernetes asks for.

On SIGTERM readiness turns false at once while the server still listens: a load balancer needs a moment to
notice, and what it still sends is answered. Then running requests finish, then the process exits.
"""

from __future__ import annotations

import logging
import signal
import socket
import time
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from inference.group import Member
from inference.service import Service
from inference.settings import Settings, SettingsError

_log = logging.getLogger("inference")
LINGER_SECONDS = 1.0
"""How long an idle server still listens after SIGTERM."""


class Server(uvicorn.Server):
    """uvicorn, but the first signal only begins to drain."""

    def __init__(self, app: Starlette) -> None:
        self.service: Service = app.state.service
        self._member: Member | None = app.state.member
        self._stopping_since: float | None = None
        self.cut_off = 0  # requests that were still running when the time was up
        config = uvicorn.Config(
            app,
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
            return
        self._stopping_since = time.monotonic()
        self.service.lifecycle.stop()

    async def on_tick(self, counter: int) -> bool:
        """uvicorn calls this ten times a second; true ends the server."""
        if self._member:
            self._take_part(self._member)
        if self._stopping_since is not None and self._may_end(time.monotonic() - self._stopping_since):
            self.should_exit, self.cut_off = True, self.service.in_flight
        return await super().on_tick(counter)

    def _take_part(self, member: Member) -> None:
        if self.service.lifecycle.model:
            member.group.mark_ready(member.index)
        self.service.metrics.refresh()
        if member.orphaned and self._stopping_since is None:
            self.handle_exit(signal.SIGTERM, None)

    def _may_end(self, waited: float) -> bool:
        limit = self.service.settings.shutdown_seconds
        idle = self.service.in_flight == 0 and waited >= min(LINGER_SECONDS, limit)
        return idle or waited >= limit


def listen(settings: Settings) -> socket.socket:
    """The listening socket; SettingsError when the address is taken or not ours."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        raise SettingsError(f"cannot listen on {settings.host}:{settings.port}: {error.strerror}") from None


def serve(app: Starlette, listener: socket.socket) -> int:
    """Serve until a signal; the process's exit code: 1 when requests were cut off."""
    server = Server(app)
    address = listener.getsockname()
    _log.info("listening on %s:%s", address[0], address[1])
    server.run(sockets=[listener])
    _log.info("stopped, %s requests cut off", server.cut_off)
    return 1 if server.cut_off else 0
