"""`serve.tracing`: where a server sends its spans."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field, model_validator

from generator.config import types as t
from generator.config.types import Section


class Tracing(Section):
    """Spans of requests, sent to an OpenTelemetry collector."""

    endpoint: t.WebUrl = Field(
        description="The collector's OTLP/HTTP address without /v1/traces, such as http://otel-collector:4318."
    )

    @property
    def port(self) -> int:
        """The port that pods must be allowed to reach."""
        address = urlsplit(self.endpoint)
        return address.port or (443 if address.scheme == "https" else 80)

    @model_validator(mode="after")
    def _port(self) -> Tracing:
        try:
            self.port  # noqa: B018 - it raises where it is none
        except ValueError:
            raise ValueError("the port must be from 1 to 65535") from None
        return self
