"""What the environment and the release file tell the server, checked once at the start."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}
_RUNTIMES = ("auto", "pyfunc")
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_UNITS = {1: "second", 60: "minute", 3600: "hour"}
_SECONDS = {word[0]: seconds for seconds, word in _UNITS.items()}


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
    runtime: str | None = None  # pyfunc, where packaging chose it
    runtime_reason: str | None = None  # and why


@dataclass(frozen=True)
class Rate:
    """How many requests a client may send."""

    requests: int
    seconds: int  # 1, 60 or 3600: `requests` come back in this time, evenly
    burst: int  # requests that a client who paused may send at once

    @property
    def text(self) -> str:
        """As a person says it."""
        return f"{self.requests} requests per {_UNITS[self.seconds]}"


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

    listen_fd: int | None = None
    """Number of an inherited socket to serve besides host and port, which another server may serve as well: this
    one takes connections once its model is loaded, and none from SIGTERM on. For a swap without a lost request."""

    strict: bool = False
    """Refuse unknown columns (400). Off, they are left out, as MLflow does."""

    max_body_bytes: int = 16 * 1024 * 1024
    """Bytes of a request body; a longer one gets 413. 16 MiB hold some 100,000 rows of 20 columns. The bodies of
    all requests that are not answered yet may have four times as many; one more then gets 503."""

    max_rows: int = 100_000
    """Rows of one request; more get 413."""

    max_connections: int = 2048
    """Connections at once. One more closes the one that is idle for longest; if none is idle, it gets 503."""

    keep_alive_seconds: int = 75
    """Whole seconds that a connection may be idle. Above the 60 s of AWS' load balancers: who closes first must
    be the one that sends."""

    runtime: str = "auto"
    """auto: the model's own library where packaging found it to predict the same, else MLflow's pyfunc; pyfunc.
    The default is what the release file says."""

    hooks: Path | None = None
    """Folder with the user's hooks.py, and input.json where requests follow another schema than the model's."""

    batching: bool = True
    """Ask the model for several waiting requests at once. Never holds a request back."""

    max_queue: int = 1024
    """Requests that may wait for the model; one more gets 503."""

    request_seconds: float = 30.0
    """Seconds that a request may take to arrive (then 408), and to wait for the model's answer (then 503)."""

    workers: int = 1
    """Processes that serve, each with a model of its own: memory grows with them."""

    shutdown_seconds: float = 20.0
    """Seconds that running requests have to finish after SIGTERM. With the ten seconds that the pod waits before
    it and the few after, this stays below its terminationGracePeriodSeconds of 40 (k8s/base/deployment.yaml)."""

    log_level: str = "INFO"
    """DEBUG (with probes), INFO, WARNING or ERROR."""

    api_keys: Path | None = None
    """Folder of a mounted Secret: a file a key, its content `sha256:<64 hex>`. Set, a request needs a key."""

    rate_limit: Rate | None = None
    """Requests of one key, or of one address where no keys are asked for: such as 100/s, 6000/m or 10000/h.
    TAGSHIP_RATE_BURST says how many may come at once; without it, as many as before the slash."""

    trusted_proxies: int = 0
    """Proxies in front that append to X-Forwarded-For: a client's address is that many places from its end.
    0: the header is ignored, since anybody can send it."""


def from_environment(environ: Mapping[str, str]) -> Settings:
    """The settings, or a SettingsError that names the variable at fault."""
    default, release = Settings(), _release(environ)
    return Settings(
        model=Path(environ.get("TAGSHIP_MODEL") or default.model),
        release=release,
        digest=environ.get("TAGSHIP_DIGEST") or None,
        host=environ.get("TAGSHIP_HOST") or default.host,
        port=int(_number(environ, "TAGSHIP_PORT", default.port, 0, 65535)),
        listen_fd=_listen_fd(environ),
        strict=_switch(environ, "TAGSHIP_STRICT", default.strict),
        max_body_bytes=int(_number(environ, "TAGSHIP_MAX_BODY_BYTES", default.max_body_bytes, 1, 2**31 - 1)),
        max_rows=int(_number(environ, "TAGSHIP_MAX_ROWS", default.max_rows, 1, 2**31 - 1)),
        max_connections=int(_number(environ, "TAGSHIP_MAX_CONNECTIONS", default.max_connections, 1, 1_000_000)),
        keep_alive_seconds=int(
            _number(environ, "TAGSHIP_KEEP_ALIVE_SECONDS", default.keep_alive_seconds, 1, 3600)
        ),
        runtime=_one_of(environ, "TAGSHIP_RUNTIME", _RUNTIMES, release.runtime or default.runtime),
        hooks=Path(environ["TAGSHIP_HOOKS"]) if environ.get("TAGSHIP_HOOKS") else None,
        batching=_switch(environ, "TAGSHIP_BATCHING", default.batching),
        max_queue=int(_number(environ, "TAGSHIP_MAX_QUEUE", default.max_queue, 1, 1_000_000)),
        request_seconds=_number(environ, "TAGSHIP_REQUEST_SECONDS", default.request_seconds, 0.1, 3600),
        workers=int(_number(environ, "TAGSHIP_WORKERS", default.workers, 1, 16)),
        shutdown_seconds=_number(environ, "TAGSHIP_SHUTDOWN_SECONDS", default.shutdown_seconds, 0, 3600),
        log_level=_one_of(environ, "TAGSHIP_LOG_LEVEL", _LEVELS, default.log_level),
        api_keys=_api_keys(environ),
        rate_limit=_rate(environ),
        trusted_proxies=int(_number(environ, "TAGSHIP_TRUSTED_PROXIES", default.trusted_proxies, 0, 10)),
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


def _listen_fd(environ: Mapping[str, str]) -> int | None:
    number = int(_number(environ, "TAGSHIP_LISTEN_FD", -1, 3, 2**31 - 1))
    return None if number < 0 else number


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


def _api_keys(environ: Mapping[str, str]) -> Path | None:
    if environ.get("TAGSHIP_API_KEYS") == "":  # somebody's variable was not set: no reason to be open
        raise SettingsError("TAGSHIP_API_KEYS is empty: name the folder of the keys, or leave it out")
    return Path(environ["TAGSHIP_API_KEYS"]) if "TAGSHIP_API_KEYS" in environ else None


def _rate(environ: Mapping[str, str]) -> Rate | None:
    text = environ.get("TAGSHIP_RATE_LIMIT", "").strip()
    if not text:
        return None
    found = re.fullmatch(r"([1-9][0-9]{0,6})/([smh])", text)
    if not found:
        raise SettingsError(f"TAGSHIP_RATE_LIMIT must be such as 100/s, 6000/m or 10000/h, not {text!r}")
    requests = int(found[1])
    burst = int(_number(environ, "TAGSHIP_RATE_BURST", requests, 1, 9_999_999))
    return Rate(requests, _SECONDS[found[2]], burst)


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
    if fields["runtime"] not in (None, *_RUNTIMES):
        raise ValueError(f"`runtime` must be one of {', '.join(_RUNTIMES)}, or null")
    return Release(**fields)
