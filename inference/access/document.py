"""What the OpenAPI document says of keys and limits, where a server has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inference.access.gate import PAGES, PROBES
from inference.settings import Settings

_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "an API key"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
_WAIT = {"description": "Seconds to wait", "schema": {"type": "integer"}}


def guarded(document: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """The document with what the settings ask of a client; as it was where they ask nothing."""
    found = dict(document)
    if settings.api_keys is not None:
        found["components"] = {**document["components"], "securitySchemes": _SCHEMES}
        found["security"] = [{name: []} for name in _SCHEMES]
    found["paths"] = {
        path: {method: _guarded(path, operation, settings) for method, operation in methods.items()}
        for path, methods in document["paths"].items()
    }
    return found


def _guarded(path: str, operation: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    more: dict[str, Any] = {}
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{_error(path)}"}}}
    if settings.api_keys is not None and path not in PROBES | PAGES:
        more["401"] = {"description": "no valid API key was sent", "content": content}
    if settings.rate_limit is not None and path not in PROBES:
        text = f"more than {settings.rate_limit.text}"
        more["429"] = {"description": text, "headers": {"Retry-After": _WAIT}, "content": content}
    found = {**operation, "responses": {**operation["responses"], **more}}
    if settings.api_keys is not None and path in PROBES | PAGES:
        found["security"] = []
    return found


def _error(path: str) -> str:
    return "ProtocolError" if path == "/v2" or path.startswith("/v2/") else "Error"
