"""Private package indexes as uv knows them: its options and variables, and what it says when one refuses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from generator.errors import GeneratorError, Unreachable
from generator.ports import PackageIndex

_REFUSED = re.compile(r"\b(401 Unauthorized|403 Forbidden)\b")
NO_ANSWER = re.compile(
    r"error sending request|Failed to fetch|Request failed after|dns error|timed out|client error \(Connect\)"
    r"|HTTP status (server|client) error|invalid peer certificate",
    re.IGNORECASE,
)


def options(indexes: Sequence[PackageIndex]) -> list[str]:
    """uv's options. Its strategy stays `first-index`: what a private index has is never taken from elsewhere.

    A stranger's package of the same name and a higher version on PyPI would else be installed.
    """
    found = [option for index in indexes for option in ("--index", f"{index.name}={index.url}")]
    return [*found, "--index-strategy", "first-index"] if found else []


def variables(indexes: Sequence[PackageIndex]) -> dict[str, str]:
    """uv's variables with the logins, which so are in no command line."""
    found = {}
    for index in indexes:
        if index.login is not None:
            prefix = variable_prefix(index)
            found[f"{prefix}_USERNAME"], found[f"{prefix}_PASSWORD"] = index.login
    return found


def variable_prefix(index: PackageIndex) -> str:
    """What uv's variables for the index begin with, such as UV_INDEX_CORP."""
    return "UV_INDEX_" + re.sub(r"[^A-Z0-9]", "_", index.name.upper())


def secrets(indexes: Sequence[PackageIndex]) -> list[str]:
    """What must not be shown. GitHub masks a secret as a whole alone, and so not the password in it."""
    found = []
    for index in indexes:
        if index.login is not None:
            user, password = index.login
            found += [f"{user}:{password}", password or user]
    return found


def failure(output: str, reason: str, indexes: Sequence[PackageIndex]) -> GeneratorError | None:
    """The error where uv's `output` says that a private index refused, or did not answer; else None.

    `reason` is what of the output a person should read.
    """
    for line in output.splitlines():
        refused = _REFUSED.search(line)
        if refused and (index := _named(line, indexes)):
            return refusal(index, refused[1])
    if NO_ANSWER.search(output) and (index := _named(output, indexes)):
        return no_answer(index, f"uv says: {reason}")
    return None


def refusal(index: PackageIndex, status: str) -> GeneratorError:
    """What to do where the index answers 401 or 403."""
    where = f"the package index {index.name} ({index.url})"
    if index.login is not None and index.secret:
        return GeneratorError(
            f"{where} refuses the login in {index.secret} ({status}): see that it is right (user:password, or a "
            "token alone), that it has not expired, and that it may read"
        )
    if index.secret:
        return GeneratorError(
            f"{where} wants a login ({status}), and {index.secret}, which is to hold it, is not set: add it to "
            f"the GitHub environment tagship-train, or here: export {index.secret}=… (user:password, or a token "
            "alone)"
        )
    return GeneratorError(
        f"{where} wants a login ({status}): name the secret that holds it, `secret: NAME` beside its name in "
        "train.indexes of model.yaml"
    )


def no_answer(index: PackageIndex, reason: str) -> Unreachable:
    """What to say where the index cannot be reached."""
    return Unreachable(
        f"the package index {index.name} ({index.url}) did not answer; see that its address is right and that "
        f"this machine reaches it, and try again: {reason}"
    )


def index_at(url: str, indexes: Sequence[PackageIndex]) -> PackageIndex | None:
    """The index that the file at `url` belongs to: of those on its host the one whose path is most like it."""
    there = urlsplit(url)
    found = [index for index in indexes if _server(index.url) == _server(url)]
    return max(found, key=lambda index: _alike(urlsplit(index.url).path, there.path), default=None)


def _server(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port as they count: uv writes addresses in its own way."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def _alike(one: str, other: str) -> int:
    """How many characters two paths begin with in common."""
    pairs = zip(one, other, strict=False)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _named(text: str, indexes: Sequence[PackageIndex]) -> PackageIndex | None:
    """The index that an address in `text` belongs to."""
    found = re.findall(r"https?://[^\s()\"'`]+", text)
    return next((index for url in found if (index := index_at(url, indexes))), None)
