"""One door to GitHub's REST API: login, pages, waiting for rate limits, and refusals that say what to do.

Reference: docs.github.com/rest. The token is told to nobody but the API's own address and stands in no message.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from generator.adapters.github.refusals import Refused, is_limit, refusal
from generator.errors import GeneratorError

PUBLIC = "https://api.github.com"
_VERSION = "2022-11-28"
_SLUG = re.compile(r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_PAGES = 100
_ATTEMPTS = 5
_BUSY = (502, 503, 504)


class Client:
    """Calls below one repository's address. `sleep` and `now` are a test's to replace."""

    patience = 90.0  # seconds that one call may wait in all

    def __init__(
        self,
        slug: str,
        token: str,
        *,
        base: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.slug, self._token = slug, token
        self.base = _checked(base or PUBLIC)
        self._sleep, self._now = sleep, now

    def get(self, path: str, right: str, **query: str) -> Any:
        """The JSON at `path`; None where there is none. `right` is what the token needs, as GitHub calls it."""
        answer = self._call("GET", self._url(path), right, params=query, missing=True)
        return None if answer is None else _json(answer)

    def exists(self, path: str, right: str) -> bool:
        """Whether there is something at `path`."""
        return self._call("GET", self._url(path), right, missing=True) is not None

    def pages(self, path: str, right: str, *, key: str | None = None, **query: str) -> list[Any]:
        """All items of a list, or of the list under `key`, over all its pages. Empty where there is none."""
        url, found = self._url(path), []
        given: dict[str, Any] = {"params": {"per_page": "100", **query}}
        for _ in range(_PAGES):
            answer = self._call("GET", url, right, missing=True, **given)
            if answer is None:
                return []
            content = _json(answer)
            found += content if key is None else content[key]
            following = answer.links.get("next", {}).get("url")
            if following is None:
                return found
            # The address has its query already; httpx would replace it even by an empty one.
            url, given = self._own(following), {}
        raise GeneratorError(f"{self.slug} has more than {_PAGES} pages of {path or 'items'} on GitHub")

    def send(self, method: str, path: str, right: str, body: dict[str, Any] | None = None) -> Any:
        """What a change answers; None where it answers nothing."""
        answer = self._call(method, self._url(path), right, json=body)
        return _json(answer) if answer is not None and answer.content else None

    def _call(
        self, method: str, url: str, right: str, *, missing: bool = False, **given: Any
    ) -> httpx.Response | None:
        """Waits and asks again where GitHub is busy. Raises Refused. `missing`: a 404 is an answer, None."""
        waited = 0.0
        for attempt in range(_ATTEMPTS):
            answer = self._ask(method, url, given)
            if missing and answer.status_code == 404:
                return None
            if answer.is_success or answer.status_code == 303:  # 303: what was to be made is there
                return answer
            pause = self._pause(answer, method, attempt)
            if pause is None or waited + pause > self.patience or attempt == _ATTEMPTS - 1:
                raise refusal(answer, self.slug, right, secret=self._token, now=self._now())
            waited += pause
            self._sleep(pause)
        raise AssertionError("unreachable")

    def _pause(self, answer: httpx.Response, method: str, attempt: int) -> float | None:
        """Seconds until the same call may succeed; None where it would not, or could be done twice."""
        if is_limit(answer):
            after = answer.headers.get("retry-after")
            if after and after.isdigit():
                return float(after)
            reset = answer.headers.get("x-ratelimit-reset", "")
            spent = answer.headers.get("x-ratelimit-remaining") == "0"
            return max(1.0, float(reset) - self._now()) if spent and reset.isdigit() else 60.0
        if answer.status_code in _BUSY and method != "POST":
            return float(2**attempt)
        return None

    def _ask(self, method: str, url: str, given: Mapping[str, Any]) -> httpx.Response:
        try:
            return self._client.request(method, url, **given)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            kind = type(error).__name__
            raise GeneratorError(
                f"{self.base} cannot be reached ({kind}): check the network, and GITHUB_API_URL where it is set"
            ) from None

    @cached_property
    def _client(self) -> httpx.Client:
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": _VERSION,
            "User-Agent": "tagship",
        }
        # No redirect is followed: the token stays where it belongs, and a renamed repository is said to be one.
        return httpx.Client(verify=ssl.create_default_context(), timeout=30, headers=headers)

    def _url(self, path: str) -> str:
        """A path that begins with a slash is the API's, any other one the repository's."""
        if path.startswith("/"):
            return f"{self.base}{path}"
        return f"{self.base}/repos/{self.slug}" + (f"/{path}" if path else "")

    def _own(self, url: str) -> str:
        given, own = urlsplit(url), urlsplit(self.base)
        if (given.scheme, given.netloc) != (own.scheme, own.netloc):
            raise GeneratorError(f"{self.base} names a next page elsewhere, on {given.netloc[:100]!r}")
        return url


def segment(text: str) -> str:
    """A name as one part of a path."""
    return quote(text, safe="")


def slug_of(address: str, *, own_server: bool = False) -> str:
    """owner/name of a Git address. Other hosts than github.com count only where their API's address is known."""
    text = address.strip().removesuffix("/").removesuffix(".git")
    if match := re.fullmatch(r"(?:[\w.-]+@)?([\w.-]+):(?!//)/?(.+)", text):  # scp-like: git@github.com:acme/churn
        host, path = match[1], match[2]
    elif "://" in text:
        parts = urlsplit(text)
        host, path = parts.hostname or "", parts.path.strip("/")
    else:
        host, path = "github.com", text
    if not _SLUG.fullmatch(path) or (host not in ("github.com", "ssh.github.com") and not own_server):
        raise GeneratorError(
            "this repository's address names no repository on github.com: set `repository.url` in model.yaml, "
            "and GITHUB_API_URL (https://HOST/api/v3) for a server of your own"
        )
    return path


def token_from(variables: Mapping[str, str]) -> str:
    """The token in GH_TOKEN or GITHUB_TOKEN."""
    for name in ("GH_TOKEN", "GITHUB_TOKEN"):
        if token := variables.get(name, "").strip():
            if not re.fullmatch(r"[!-~]+", token):
                raise GeneratorError(f"{name} holds more than a token: set it to the token alone")
            return token
    raise GeneratorError("no token for GitHub: set GH_TOKEN, such as by `export GH_TOKEN=$(gh auth token)`")


def _checked(base: str) -> str:
    """The API's address: a token goes over plain HTTP to this machine alone."""
    parts = urlsplit(base)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise GeneratorError("GITHUB_API_URL is not an https:// address: the token would be readable on the way")
    return base.rstrip("/")


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json() if answer.content else None
    except ValueError:
        raise Refused(
            "GitHub answered something that is no JSON: check GITHUB_API_URL", answer.status_code
        ) from None
