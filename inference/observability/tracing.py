"""Spans of requests, sent by OpenTelemetry's SDK over OTLP/HTTP. Imported only where they are asked for.

A request's span has children for reading its body, its wait for the model, and the model's own time, which it
may share with others. The attributes are those of the semantic conventions for HTTP servers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    TraceState,
    set_span_in_context,
)

from inference import __version__
from inference.observability.trace import Headers, TraceContext, read_traceparent
from inference.settings import Release

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
_LONGEST = 200  # characters of what a client writes


class OtlpTracing:
    """Makes and sends spans. Endpoint, headers, sampler and limits are the SDK's own OTEL_* variables."""

    def __init__(self, release: Release) -> None:
        ours = {"service.name": release.name, "service.version": release.version}
        given = OTELResourceDetector().detect().attributes
        self._provider = TracerProvider(resource=Resource.create({**ours, **given}), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("tagship.inference", __version__)

    def begin(self, scope: Mapping[str, Any], headers: Headers, route: str | None) -> SpanTrace:
        """The span of a request; `route` is the path where it is one that the server has."""
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        shown = "HTTP" if method == "_OTHER" else method
        span = self._tracer.start_span(
            f"{shown} {route}" if route else shown,
            context=_parent(headers),
            kind=SpanKind.SERVER,
            attributes=_attributes(scope, headers, method, route),
        )
        return SpanTrace(self._tracer, span)

    def stop(self, seconds: float = 1.5) -> None:
        """Send what is left, if that takes no longer: a collector that is gone must not hold up the end."""
        ending = threading.Thread(target=self._provider.shutdown, name="last-spans", daemon=True)
        ending.start()
        ending.join(seconds)


class SpanTrace:
    """The span of one request. Times are those of time.perf_counter()."""

    def __init__(self, tracer: Tracer, span: Span) -> None:
        self._tracer = tracer
        self._span = span
        self._zero = time.time_ns() - time.perf_counter_ns()
        known = span.get_span_context()
        self.context = TraceContext(f"{known.trace_id:032x}", f"{known.span_id:016x}", int(known.trace_flags))

    def stage(self, name: str, began: float, ended: float, **attributes: int) -> None:
        """A part of the request that is over."""
        if self._span.is_recording():
            child = self._tracer.start_span(
                name,
                context=set_span_in_context(self._span),
                start_time=self._nanoseconds(began),
                attributes={f"tagship.{key}": value for key, value in attributes.items()},
            )
            child.end(self._nanoseconds(ended))

    def end(self, status: int, request_id: str) -> None:
        """The answer is out; 0: there was none."""
        self._span.set_attribute("http.response.header.x-request-id", [request_id])
        if status:
            self._span.set_attribute("http.response.status_code", status)
        if status == 0 or status >= 500:
            self._span.set_attribute("error.type", str(status) if status else "no_answer")
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()

    def _nanoseconds(self, moment: float) -> int:
        return self._zero + int(moment * 1e9)


def _parent(headers: Headers) -> Any:
    """The caller's span as a context; an empty one where there is none, never what else is current."""
    caller = read_traceparent(headers.get(b"traceparent"))
    if caller is None:
        return set_span_in_context(NonRecordingSpan(SpanContext(0, 0, is_remote=False)))
    state = TraceState.from_header([headers.get(b"tracestate", b"").decode("latin-1")])
    known = SpanContext(int(caller.trace_id, 16), int(caller.span_id, 16), True, TraceFlags(caller.flags), state)
    return set_span_in_context(NonRecordingSpan(known))


def _attributes(
    scope: Mapping[str, Any], headers: Headers, method: str, route: str | None
) -> dict[str, str | int]:
    found: dict[str, str | int] = {
        "http.request.method": method,
        "url.path": scope["path"][:_LONGEST],
        "url.scheme": scope["scheme"],
        "network.protocol.version": scope["http_version"],
    }
    if route:
        found["http.route"] = route
    host, _, port = headers.get(b"host", b"").decode("latin-1").partition(":")
    if host:
        found["server.address"] = host[:_LONGEST]
    if port.isdecimal():
        found["server.port"] = int(port[:5])
    if b"user-agent" in headers:
        found["user_agent.original"] = headers[b"user-agent"].decode("latin-1")[:_LONGEST]
    return found
