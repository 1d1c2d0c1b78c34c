"""What a tracking server says without a login: that it is there, its version and its time."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

import httpx

from generator.errors import GeneratorError

SECONDS = 10.0


@dataclass(frozen=True)
class Answer:
    """Of one server. `version` is None where it does not tell; `asks_login` where it wants one first."""

    version: str | None
    time: datetime | None
    asks_login: bool


def ask(address: str) -> Answer:
    """Raises GeneratorError where nothing answers, or something that is no tracking server."""
    try:
        with httpx.Client(verify=ssl.create_default_context(), timeout=SECONDS) as client:
            health = client.get(f"{address.rstrip('/')}/health")
            version = client.get(f"{address.rstrip('/')}/version")
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise GeneratorError(f"it does not answer ({_kind(error)}): check tracking.uri and the network") from None
    asks = {health.status_code, version.status_code} & {401, 403}
    if not health.is_success and not asks:
        raise GeneratorError(
            f"{address}/health answers {health.status_code}: check tracking.uri, it is the server's whole address"
        )
    told = version.text.strip() if version.is_success else ""
    return Answer(told if re.fullmatch(r"\d+\.\d+[\w.+-]{0,30}", told) else None, _time(health), bool(asks))


def _kind(error: Exception) -> str:
    text = str(error)
    if re.search("Name or service not known|nodename|getaddrinfo|resolve|No address", text, re.IGNORECASE):
        return "its name does not resolve"
    return re.sub(r"\s+", " ", text)[:100] or type(error).__name__


def _time(answer: httpx.Response) -> datetime | None:
    try:
        return parsedate_to_datetime(answer.headers["date"])
    except (KeyError, ValueError, TypeError):
        return None
