"""`serve.rate_limit`: how often one client may ask, in a word or in full."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from generator.config import types as t
from generator.config.types import Section


class RateLimit(Section):
    """How often a client may ask: the holder of an API key, or without keys an address. A pod counts its own."""

    requests: t.Rate = Field(description="Requests that a client may send in the long run.")
    burst: int | None = Field(
        None, ge=1, le=9_999_999, description="Requests at once after a pause; default: those of `requests`."
    )
    proxies: int = Field(
        0,
        ge=0,
        le=10,
        description="Proxies in front that append to X-Forwarded-For, such as 1 for an Ingress; 0: the address "
        "that connects counts.",
    )


def _in_full(value: object) -> object:
    """`100/s` says the same as `{requests: 100/s}`."""
    return value if isinstance(value, dict) else {"requests": t.named(value)}


RateLimited = Annotated[RateLimit | None, BeforeValidator(_in_full, json_schema_input_type=t.Rate | RateLimit)]
