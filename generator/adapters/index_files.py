"""Packages of private indexes as files, fetched with their logins; see ports.PackageFiles.

An image is built from these files: so no login comes into its build, and none that runs as somebody's `setup.py`.
uv says which files there are, and has no command that fetches them.
"""

from __future__ import annotations

import netrc
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx

from generator.adapters.indexes import index_at, no_answer, refusal, variable_prefix
from generator.adapters.uv import Uv
from generator.disk import file_sha256
from generator.errors import GeneratorError, Unreachable
from generator.ports import PackageIndex

PYPI_FILES = "files.pythonhosted.org"  # what is here the build fetches itself
ATTEMPTS = 3
_TIMEOUT = 60.0  # seconds without a byte
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*\.whl")


@dataclass(frozen=True)
class IndexFiles:
    """Asks uv where the files are, and fetches them."""

    uv: Uv = field(default_factory=Uv)

    def fetch(
        self, lock: str, *, python: str, platform: str | None, indexes: Sequence[PackageIndex], folder: Path
    ) -> None:
        found = self.uv.files(lock, python=python, platform=platform, indexes=indexes)
        wanted = {_name(url): url for package in found.get("packages", ()) for url in _urls(package)}
        hashes = set(re.findall(r"--hash=sha256:([0-9a-f]{64})", lock))
        folder.mkdir(parents=True, exist_ok=True)
        for stale in folder.iterdir():
            if stale.name not in wanted:
                stale.unlink()
        for name, url in sorted(wanted.items()):
            target = folder / name
            if not target.is_file() or file_sha256(target) not in hashes:
                _download(url, target, hashes, index_at(url, indexes))


def _urls(package: dict[str, Any]) -> Iterator[str]:
    """The wheels of a package that its index alone has.

    Raises GeneratorError where it has none: a build gets what it needs itself (`build-system.requires`) from PyPI
    without a look at hashes, and so whatever a stranger uploads there under a private name.
    """
    wheels = package.get("wheels", ())
    for file in wheels or [package.get("sdist", {})]:
        url = str(file.get("url", ""))
        if not url.startswith(("https://", "http://")) or urlsplit(url).hostname == PYPI_FILES:
            continue
        if not wheels:
            raise GeneratorError(
                f"{package.get('name')} {package.get('version')} has no wheel for the image at "
                f"{urlsplit(url).hostname}, and its source would be built with what PyPI has: upload a wheel there"
            )
        yield url


def _name(url: str) -> str:
    name = unquote(urlsplit(url).path).rpartition("/")[2]
    if not _FILE.fullmatch(name):
        raise GeneratorError(
            f"an index names a file {name[:80]!r}, which is no package: see what was uploaded there"
        )
    return name


def _download(url: str, target: Path, hashes: set[str], index: PackageIndex | None) -> None:
    temporary = target.with_name(f"{target.name}.tmp")
    for attempt in range(1, ATTEMPTS + 1):
        try:
            status = _stream(url, temporary, index)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            status, reason = 599, f"{type(error).__name__}: {error}"
        else:
            reason = f"HTTP {status}"
        if status < 500 or attempt == ATTEMPTS:
            break
    if index is not None and status in (401, 403):
        raise refusal(index, str(status))
    if status != 200:
        shown = f"{target.name} could not be fetched, {reason}"
        raise (
            no_answer(index, shown) if index else Unreachable(f"{shown}, from {urlsplit(url).hostname}; try again")
        )
    if file_sha256(temporary) not in hashes:
        temporary.unlink()
        raise GeneratorError(
            f"{target.name} from {index.name if index else urlsplit(url).hostname} is not what the image's lock "
            "names: its hash differs. Run `generator stage package` again if it was replaced just now; otherwise "
            "somebody tampers with it"
        )
    temporary.replace(target)


def _stream(url: str, target: Path, index: PackageIndex | None) -> int:
    """The status of the answer, whose body comes into `target`. httpx takes no login along to another host."""
    plain = {"Accept-Encoding": "identity"}  # the file itself is hashed
    options: dict[str, Any] = {"follow_redirects": True, "timeout": _TIMEOUT, "headers": plain}
    with httpx.stream("GET", url, auth=login_of(index), **options) as answer, target.open("wb") as file:
        if answer.status_code == 200:
            for chunk in answer.iter_raw():
                file.write(chunk)
        return answer.status_code


def login_of(index: PackageIndex | None) -> httpx.Auth | None:
    """The index's login: the secret's, uv's variables, or what .netrc says."""
    if index is None:
        return None
    prefix = variable_prefix(index)
    user, password = os.environ.get(f"{prefix}_USERNAME", ""), os.environ.get(f"{prefix}_PASSWORD", "")
    if index.login is not None or user or password:
        return httpx.BasicAuth(*(index.login or (user, password)))
    file = Path(os.environ.get("NETRC") or Path.home() / ".netrc")
    try:
        return httpx.NetRCAuth(str(file)) if file.is_file() else None
    except (netrc.NetrcParseError, UnicodeDecodeError):
        raise GeneratorError(f"{file} is no valid .netrc: correct it, or set NETRC to another file") from None
