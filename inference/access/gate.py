"""Lets a request in or refuses it, before anything of it is read but its head.

What answers without a key stands here: a path that is in neither set needs one, known or not.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from starlette.types import Scope

from inference.access.keys import Keys
from inference.access.rate import Limiter, Turn
from inference.errors import RequestError
from inference.settings import Rate, Settings

Headers = list[tuple[bytes, bytes]]
Refused = Callable[[str, RequestError], None]
"""Told of each refusal: the path, and what the client gets."""

PROBES = frozenset({"/livez", "/readyz", "/health", "/ping", "/metrics", "/v2/health/live", "/v2/health/ready"})
"""For the cluster and Prometheus, which have no key: never refused, never counted, answered also where connections
are too many, and logged only with DEBUG."""
PAGES = frozenset({"/", "/docs"})
"""For people, whose browser cannot send a key before it has a page to type it into. Without one they show
nothing of the model but its name, version and state."""
_ALIVE = frozenset({"/livez", "/v2/health/live", "/metrics"})

KEY_STATE = "api_key"
"""Where in the request's state the name of its key stands."""


class Gate:
    """Who may come in. Belongs to the event loop, as its keys and buckets do."""

    def __init__(
        self, keys: Keys | None, limiter: Limiter | None, proxies: int = 0, refused: Refused = lambda *_: None
    ) -> None:
        self._keys = keys
        self._limiter = limiter
        self._proxies = proxies
        self._refused = refused
        self._policy = _policy(limiter.rate) if limiter is not None else b""

    def admit(self, scope: Scope) -> Headers:
        """The headers that the answer gets beside its own; RequestError 401, 429 or 503 for a refusal."""
        try:
            return self._admit(scope)
        except RequestError as error:
            self._refused(scope["path"], error)
            raise

    def _admit(self, scope: Scope) -> Headers:
        path = scope["path"]
        name = None
        if self._keys:
            self._keys.refresh()
            if self._keys.missing and path not in _ALIVE:
                message = "no API keys could be read yet, so nobody is let in; the server's log says why"
                raise RequestError("no_api_keys", message, status=503, headers={"Retry-After": "5"})
        if path in PROBES:
            return []
        if self._keys:
            name = self._name(self._keys, scope)
        if self._limiter is None:
            return []
        client = f"key {name}" if name else f"address {client_address(scope, self._proxies)}"
        return self._answer(self._limiter.take(client), self._limiter.rate)

    def _name(self, keys: Keys, scope: Scope) -> str | None:
        key = presented(scope["headers"])
        name = keys.name_of(key) if key else None
        if name is None and scope["path"] not in PAGES:
            # The same words for none and a wrong one: a stranger learns nothing from them.
            message = "send a valid API key, as `Authorization: Bearer <key>` or `X-API-Key: <key>`"
            raise RequestError("unauthorized", message, status=401, headers={"WWW-Authenticate": "Bearer"})
        if name:
            scope["state"][KEY_STATE] = name
        return name

    def _answer(self, turn: Turn, rate: Rate) -> Headers:
        limit = f'"default";r={turn.remaining};t={turn.seconds}'
        if turn.allowed:
            return [(b"ratelimit-policy", self._policy), (b"ratelimit", limit.encode())]
        headers = {
            "Retry-After": str(turn.seconds),
            "RateLimit-Policy": self._policy.decode(),
            "RateLimit": limit,
        }
        message = f"more than {rate.text}; try again in {turn.seconds} s"
        raise RequestError("rate_limited", message, status=429, headers=headers)


def gate(settings: Settings, refused: Refused) -> Gate | None:
    """The gate that the settings ask for; None where everybody may come in as often as they like."""
    if settings.api_keys is None and settings.rate_limit is None:
        return None
    keys = Keys(settings.api_keys) if settings.api_keys else None
    limiter = Limiter(settings.rate_limit) if settings.rate_limit else None
    return Gate(keys, limiter, settings.trusted_proxies, refused)


def presented(headers: Any) -> bytes | None:
    """The key that a request carries: X-API-Key, else a Bearer token (a proxy may want Authorization itself)."""
    token = None
    for name, value in headers:
        if name == b"x-api-key":
            return bytes(value)
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            token = bytes(value[7:].strip())
    return token


def client_address(scope: Scope, proxies: int) -> str:
    """Who sent the request. Each of our `proxies` appended the address it saw to X-Forwarded-For, so only the
    last ones can be believed; a header with fewer did not come through them.
    """
    peer = scope["client"][0] if scope.get("client") else ""
    if proxies:
        values = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        hops = b",".join(values).rsplit(b",", proxies) if values else []
        if len(hops) >= proxies:
            forwarded = _network(hops[-proxies].strip()[:64].decode("latin-1"))
            if forwarded:
                return forwarded
    return _network(peer) or "unknown"


@lru_cache(maxsize=4096)
def _network(text: str) -> str | None:
    """An address as one client's: of IPv6 the first 64 bits, since a client has all the rest of them."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return str(address)


def _policy(rate: Rate) -> bytes:
    """The RateLimit-Policy field (draft-ietf-httpapi-ratelimit-headers-11)."""
    burst = f";tagship-burst={rate.burst}" if rate.burst != rate.requests else ""
    return f'"default";q={rate.requests};w={rate.seconds}{burst}'.encode()
