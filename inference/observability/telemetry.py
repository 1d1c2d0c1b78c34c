"""Whether spans are sent anywhere: `tracing`, and OpenTelemetry with it, is imported only where the standard
OTEL_* variables ask for it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from inference.observability.trace import Tracing
from inference.settings import Release

_log = logging.getLogger("inference")
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


def start(environ: Mapping[str, str], release: Release, *, quiet: bool = False) -> Tracing | None:
    """What makes spans, if the OTEL_* variables ask for them; if they cannot be made, one line says why.

    Starts a thread, so a worker calls this after it was forked. `quiet`: another one says it.
    """
    if not _wanted(environ):
        return None
    reason = _unknown(environ)
    if reason is None:
        try:
            from inference.observability.tracing import OtlpTracing

            return OtlpTracing(release)
        except ModuleNotFoundError as error:
            reason = (
                f"the package of {error.name} is not installed; with serve.tracing in model.yaml the image has it"
            )
        except Exception as error:  # noqa: BLE001 - predictions are worth more than their traces
            reason = f"{type(error).__name__}: {error}"
    if not quiet:
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
