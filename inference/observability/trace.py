"""Which trace a request belongs to, and what makes spans if anything does. Imports nothing of OpenTelemetry.

The caller's trace is read from the W3C header `traceparent` in any case, since log lines and answers name it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

Headers = Mapping[bytes, bytes]

# https://www.w3.org/TR/trace-context/: lower case; a later version may append fields; ff is no version.
_TRACEPARENT = re.compile(
    rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)


@dataclass(frozen=True)
class TraceContext:
    """A span as the outside world names it."""

    trace_id: str  # 32 hexadecimal digits
    span_id: str  # 16; the caller's own span, or this server's where it makes one
    flags: int  # bit 0: the trace is recorded

    @property
    def header(self) -> bytes:
        """The value of `traceparent` or `traceresponse`."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}".encode()


def read_traceparent(value: bytes | None) -> TraceContext | None:
    """The caller's span; None where the header is absent or, as the standard asks, not valid."""
    found = _TRACEPARENT.fullmatch(value) if value else None
    if not found or (found[1] == b"00" and found[5] is not None):
        return None
    return TraceContext(found[2].decode(), found[3].decode(), int(found[4], 16))


class RequestTrace(Protocol):
    """The span of one request. Times are those of time.perf_counter()."""

    context: TraceContext

    def stage(self, name: str, began: float, ended: float, **attributes: int) -> None:
        """A part of the request is over."""

    def end(self, status: int, request_id: str) -> None:
        """The answer is out; status 0: there was none."""


class Tracing(Protocol):
    """Makes and sends spans."""

    def begin(self, scope: Mapping[str, Any], headers: Headers, route: str | None) -> RequestTrace:
        """The span of a request; `route` is the path where it is one that the server has."""

    def stop(self) -> None:
        """Send what is left, within two seconds."""


CURRENT: ContextVar[RequestTrace | None] = ContextVar("CURRENT", default=None)
"""The trace of the request that is being answered; None where no spans are made."""
