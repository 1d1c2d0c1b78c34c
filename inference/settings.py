"""What the environment and the release file tell the server, checked once at the start."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class SettingsError(Exception):
    """A setting that the server cannot start with; the message names the variable."""


@dataclass(frozen=True)
class Release:
    """What is served: the content of the release file that packaging writes."""

    name: str
    version: str
    run_id: str | None = None
    commit: str | None = None
    data_hash: str | None = None
    registered_version: str | None = None
    created: str | None = None


@dataclass(frozen=True)
class Settings:
    """Every setting of the server; the environment variable is the field's name with TAGSHIP_ before it."""

    model: Path = Path("/opt/model")
    """Folder that holds the MLmodel file."""

    release: Release = Release(name="model", version="0.0.0")
    """From the JSON file that TAGSHIP_RELEASE names (/opt/tagship/release.json). Without the file a loose
    folder is served: the name is then TAGSHIP_NAME or `model`, the version 0.0.0."""

    digest: str | None = None
    """Digest of the running image, sha256:<64 hex>; the overlay sets it, since an image cannot hold its own."""

    host: str = "0.0.0.0"  # noqa: S104 - a pod's port is reached from outside the pod
    """Address to listen on."""

    port: int = 8080
    """TCP port; 0 lets the system choose one."""

    strict: bool = False
    """Refuse unknown columns (400). Off, they are left out, as MLflow does."""

    max_body_bytes: int = 16 * 1024 * 1024
    """Bytes of a request body; a longer one gets 413. 16 MiB hold some 100,000 rows of 20 columns."""

    max_rows: int = 100_000
    """Rows of one request; more get 413."""

    runtime: str = "auto"
    """auto: the model's own library where packaging found it to predict the same, else MLflow's pyfunc; pyfunc."""

    batching: bool = True
    """Ask the model for several waiting requests at once. Never holds a request back."""

    max_queue: int = 1024
    """Requests that may wait for the model; one more gets 503."""

    request_seconds: float = 30.0
    """Seconds that a request may wait for the model's answer; then it gets 503."""

    workers: int = 1
    """Processes that serve, each with a model of its own: memory grows with them."""

    shutdown_seconds: float = 20.0
    """Seconds that running requests have to finish after SIGTERM. With the ten seconds that the pod waits before
    it and the few after, this stays below its terminationGracePeriodSeconds of 40 (k8s/base/deployment.yaml)."""

    log_level: str = "INFO"
    """DEBUG (with probes), INFO, WARNING or ERROR."""


def from_environment(environ: Mapping[str, str]) -> Settings:
    """The settings, or a SettingsError that names the variable at fault."""
    default = Settings()
    return Settings(
        model=Path(environ.get("TAGSHIP_MODEL") or default.model),
        release=_release(environ),
        digest=environ.get("TAGSHIP_DIGEST") or None,
        host=environ.get("TAGSHIP_HOST") or default.host,
        port=int(_number(environ, "TAGSHIP_PORT", default.port, 0, 65535)),
        strict=_switch(environ, "TAGSHIP_STRICT", default.strict),
        max_body_bytes=int(_number(environ, "TAGSHIP_MAX_BODY_BYTES", default.max_body_bytes, 1, 2**31 - 1)),
        max_rows=int(_number(environ, "TAGSHIP_MAX_ROWS", default.max_rows, 1, 2**31 - 1)),
        runtime=_one_of(environ, "TAGSHIP_RUNTIME", ("auto", "pyfunc"), default.runtime),
        batching=_switch(environ, "TAGSHIP_BATCHING", default.batching),
        max_queue=int(_number(environ, "TAGSHIP_MAX_QUEUE", default.max_queue, 1, 1_000_000)),
        request_seconds=_number(environ, "TAGSHIP_REQUEST_SECONDS", default.request_seconds, 0.1, 3600),
        workers=int(_number(environ, "TAGSHIP_WORKERS", default.workers, 1, 16)),
        shutdown_seconds=_number(environ, "TAGSHIP_SHUTDOWN_SECONDS", default.shutdown_seconds, 0, 3600),
        log_level=_one_of(environ, "TAGSHIP_LOG_LEVEL", _LEVELS, default.log_level),
    )


def _number(environ: Mapping[str, str], name: str, default: float, low: float, high: float) -> float:
    text = environ.get(name, "").strip()
    if not text:
        return default
    try:
        value = float(text) if isinstance(default, float) else int(text)
    except ValueError:
        value = None
    if value is None or not low <= value <= high:
        kind = "a number" if isinstance(default, float) else "a whole number"
        raise SettingsError(f"{name} must be {kind} from {low} to {high}, not {text!r}")
    return value


def _switch(environ: Mapping[str, str], name: str, default: bool) -> bool:
    if name not in environ:
        return default
    text = environ[name].strip().lower()
    if text not in _TRUE | _FALSE:
        raise SettingsError(f"{name} must be true or false, not {environ[name]!r}")
    return text in _TRUE


def _one_of(environ: Mapping[str, str], name: str, values: Sequence[str], default: str) -> str:
    text = environ.get(name, "").strip() or default
    found = next((value for value in values if value.lower() == text.lower()), None)
    if found is None:
        raise SettingsError(f"{name} must be one of {', '.join(values)}, not {text!r}")
    return found


def _release(environ: Mapping[str, str]) -> Release:
    path = Path(environ.get("TAGSHIP_RELEASE") or "/opt/tagship/release.json")
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if environ.get("TAGSHIP_RELEASE"):
            raise SettingsError(f"TAGSHIP_RELEASE names {path}, which does not exist") from None
        return Release(name=environ.get("TAGSHIP_NAME") or "model", version="0.0.0")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read the release file {path}: {error}") from None
    try:
        return _parse_release(json.loads(text))
    except ValueError as error:
        raise SettingsError(f"the release file {path} is not valid: {error}") from None


def _parse_release(content: Any) -> Release:
    if not isinstance(content, dict):
        raise ValueError("it must hold a JSON object")
    fields: dict[str, Any] = {key: content.get(key) for key in Release.__dataclass_fields__}
    for key, value in fields.items():
        required = key in ("name", "version")
        if key == "registered_version" and isinstance(value, int) and not isinstance(value, bool):
            fields[key] = str(value)
        elif not isinstance(value, str) and (required or value is not None):
            raise ValueError(f"`{key}` must be a string" + ("" if required else " or null"))
    return Release(**fields)
