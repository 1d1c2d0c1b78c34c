"""`generator request`: asks a server what a request looks like, writes it as a curl command, and sends it."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from generator.errors import GeneratorError
from generator.serving.bodies import CSV, JSON, Body, bodies
from generator.serving.origin import Origin
from generator.serving.starting import Starter

HEADER = "X-API-Key"
LONGEST_ARGUMENT = 100_000  # bytes; Linux takes no more than 128 KiB in one
SECONDS = 60.0


@dataclass(frozen=True)
class Key:
    """An API key, and how a shell comes to it without its being written down."""

    value: str = field(repr=False)
    reference: str  # to stand between double quotes, such as $API_KEY


def key_of(variable: str | None, file: Path | None, environ: Mapping[str, str]) -> Key | None:
    """The key in an environment variable or a file. Raises GeneratorError where there is none; never shows it."""
    if variable is not None:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable, re.ASCII):
            raise GeneratorError(f"{variable!r} is no name of an environment variable")
        value, where, reference = environ.get(variable, ""), f"${variable}", f"${variable}"
    elif file is not None:
        try:
            value = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise GeneratorError(f"the key file {file} cannot be read: {error}") from error
        where, reference = str(file), f"$(cat -- {shlex.quote(str(file))})"
    else:
        return None
    if not re.fullmatch(r"[!-~]{1,4096}", value.strip(), re.ASCII):
        raise GeneratorError(f"{where} holds no API key: one line of letters, digits and signs")
    return Key(value.strip(), reference)


def is_url(text: str | None) -> bool:
    """Whether this is a server's address rather than a model."""
    return text is not None and re.match(r"https?://", text) is not None


@contextlib.contextmanager
def server_of(origin: Origin, starter: Starter) -> Iterator[str]:
    """A server for the model, at an address of its own, until the block ends."""
    started = starter.start(origin)
    try:
        yield started.server.url
    finally:
        started.close()


@dataclass(frozen=True)
class Client:
    """Talks to one server."""

    url: str
    key: Key | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if not parts.hostname or parts.query or parts.fragment:
            raise GeneratorError(f"{self.url!r} is no server's address: write such as http://127.0.0.1:8080")
        if "@" in parts.netloc:
            raise GeneratorError("an address with a user or password in it would be shown: leave them out")

    def bodies(self) -> dict[str, Body]:
        """What the server itself says may be sent to it, by form. Raises GeneratorError where it says nothing."""
        return bodies(self._get("/openapi.json"))

    def send(self, body: Body) -> tuple[int, str]:
        """Status and text of the answer."""
        answer = self._ask("POST", body.path, content=body.text.encode(), media=body.media)
        return answer.status_code, answer.text

    def _get(self, path: str) -> Any:
        answer = self._ask("GET", path)
        if answer.status_code == 401:
            raise GeneratorError(
                f"{self.url} asks for an API key: name the environment variable that has it with --key-env, or a "
                "file with --key-file" + (" (the one given is refused)" if self.key else "")
            )
        try:
            return answer.raise_for_status().json()
        except (httpx.HTTPStatusError, ValueError) as error:
            said = f"{answer.status_code}: {answer.text[:200]}"
            raise GeneratorError(f"{self.url} is no server of ours: {path} answers {said}") from error

    def _ask(self, method: str, path: str, *, content: bytes | None = None, media: str = JSON) -> httpx.Response:
        headers = {"Content-Type": media} if content is not None else {}
        if self.key:
            headers[HEADER] = self.key.value
        address = self.url.rstrip("/") + path
        try:
            # A proxy's `localhost` is another machine.
            with httpx.Client(timeout=SECONDS, trust_env=not _is_loopback(self.url)) as client:
                return client.request(method, address, content=content, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise GeneratorError(
                f"{self.url} does not answer ({error}): start a server with `generator serve`, or name another"
            ) from error


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def curl(body: Body, url: str, key: Key | None) -> str:
    """A shell command that sends `body`; the key stays where it is."""
    words = ["curl", "-sS", "-H", shlex.quote(f"Content-Type: {body.media}")]
    if key:
        words += ["-H", f'"{HEADER}: {key.reference}"']
    address = shlex.quote(url.rstrip("/") + body.path)
    if len(body.text.encode()) <= LONGEST_ARGUMENT:
        return " ".join([*words, "--data-raw", shlex.quote(body.text), address])
    end = "EOF"
    while end in body.text.splitlines():
        end += "_"
    text = body.text if body.media == CSV else body.text + "\n"
    return " ".join([*words, "--data-binary", "@-", address, f"<<'{end}'\n{text}{end}"])
