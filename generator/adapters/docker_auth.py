"""Docker's own credentials for registries: config.json and its credential helpers.

https://docs.docker.com/reference/cli/docker/login/ describes both.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from generator.adapters.shell import MissingProgram, ProcessFailed, run
from generator.errors import GeneratorError

_DOCKER_HUB = ("https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io")
_TOKEN_USER = "<token>"  # noqa: S105  (how helpers say that the secret is an identity token)


@dataclass(frozen=True)
class Login:
    """A user and a password, neither of which any message may show."""

    user: str
    password: str = field(repr=False)
    is_token: bool = False  # the password is an OAuth refresh token

    def entry(self) -> dict[str, str]:
        """As an entry of `auths` in a Docker configuration."""
        user, password = (
            ("00000000-0000-0000-0000-000000000000", "") if self.is_token else (self.user, self.password)
        )
        auth = base64.b64encode(f"{user}:{password}".encode()).decode()
        return {"auth": auth, **({"identitytoken": self.password} if self.is_token else {})}


def docker_login(host: str) -> Login | None:
    """What `docker login` left for the registry at `host`; None where it left nothing."""
    config = _config()
    names = _DOCKER_HUB if host in _DOCKER_HUB else (host, f"https://{host}", f"https://{host}/v1/")
    helpers = config.get("credHelpers") or {}
    for name in names:
        if (helper := helpers.get(name)) and (login := _ask(str(helper), name)):
            return login
        if (store := config.get("credsStore")) and (login := _ask(str(store), name)):
            return login
        if isinstance(entry := (config.get("auths") or {}).get(name), dict) and (
            login := _from_entry(entry, host)
        ):
            return login
    return None


def _config() -> dict[str, Any]:
    folder = os.environ.get("DOCKER_CONFIG")
    path = (Path(folder) if folder else Path.home() / ".docker") / "config.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise GeneratorError(
            f"{path} cannot be read ({type(error).__name__}): correct it, or log in again"
        ) from None
    return content if isinstance(content, dict) else {}


def _from_entry(entry: dict[str, Any], host: str) -> Login | None:
    if entry.get("identitytoken"):
        return Login(_TOKEN_USER, str(entry["identitytoken"]), is_token=True)
    if not entry.get("auth"):
        return None
    try:
        user, separator, password = base64.b64decode(str(entry["auth"]), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        separator = ""
    if not separator:
        raise GeneratorError(
            f"the login for {host} in Docker's config.json is damaged: run `docker login {host}` again"
        ) from None
    return Login(user, password.rstrip("\0"))


def _ask(helper: str, server: str) -> Login | None:
    """The helper's answer. Its output is never shown: it may hold the secret."""
    program = f"docker-credential-{helper}"
    if not re.fullmatch(r"[A-Za-z0-9._-]+", helper):
        raise GeneratorError(
            f"Docker's config.json names a credential helper {helper[:40]!r}, which no program is"
        )
    try:
        answer = json.loads(run(program, "get", stdin=server, timeout=60))
        user, secret = str(answer["Username"]), str(answer["Secret"])
    except MissingProgram:
        raise GeneratorError(
            f"Docker's config.json names {program} for {server}, which is not installed: install it"
        ) from None
    except ProcessFailed as error:
        if "not found" in error.stdout + error.stderr:  # how every helper says that it knows nothing
            return None
        raise GeneratorError(f"{program} has no login for {server}: run `docker login {server}` again") from None
    except (ValueError, KeyError, TypeError):
        raise GeneratorError(f"{program} gave no readable answer for {server}") from None
    return Login(user, secret, is_token=user == _TOKEN_USER)
