"""Which trace a request belongs to, and whether spans are sent anywhere. Imports nothing of OpenTelemetry.

The caller's trace is read from the W3C header `traceparent` in any case, since log lines name it. Spans are made
by `inference.tracing`, which is imported only where the standard OTEL_* variables ask for it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference.settings import Release

if TYPE_CHECKING:
    from inference.tracing import RequestTrace, Tracing

CURRENT: ContextVar[RequestTrace | None] = ContextVar("CURRENT", default=None)
"""The trace of the request that is being answered; None where no spans are made."""

_log = logging.getLogger("inference")
# https://www.w3.org/TR/trace-context/: lower case; a later version may append fields; ff is no version.
_TRACEPARENT = re.compile(
    rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


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


def start(environ: Mapping[str, str], release: Release) -> Tracing | None:
    """What makes spans, if the OTEL_* variables ask for them; if they cannot be made, one line says why.

    Starts a thread, so a worker calls this after it was forked.
    """
    if not _wanted(environ):
        return None
    reason = _unknown(environ)
    if reason is None:
        try:
            from inference.tracing import Tracing

            return Tracing(release)
        except ModuleNotFoundError as error:
            reason = (
                f"the package of {error.name} is not installed; with serve.tracing in model.yaml the image has it"
            )
        except Exception as error:  # noqa: BLE001 - predictions are worth more than their traces
            reason = f"{type(error).__name__}: {error}"
    _log.error("no spans are sent: %s", reason)
    return None


def _wanted(environ: Mapping[str, str]) -> bool:
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip()
    return exporter != "none" and bool(exporter or any(environ.get(name) for name in _ENDPOINTS))


def _unknown(environ: Mapping[str, str]) -> str | None:
    """What is asked for and not known here."""
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip() or "otlp"
    if exporter != "otlp":
        return f"OTEL_TRACES_EXPORTER is {exporter[:40]!r}; use otlp, or none"
    name = next((name for name in _PROTOCOLS if environ.get(name)), None)
    if name and environ[name].strip() != "http/protobuf":
        return f"{name} is {environ[name][:40]!r}; use http/protobuf"
    return None
