"""An image registry over HTTP: what a tag or digest holds, and uploads by skopeo; see ports.Registry.

Protocol: github.com/opencontainers/distribution-spec; tokens: distribution.github.io, "Token Authentication".
"""

from __future__ import annotations

import hashlib
import json
import re
import ssl
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from generator.adapters import skopeo
from generator.adapters.docker_auth import Login, docker_login
from generator.errors import GeneratorError
from generator.image.archive import CONFIG, INDEX, MANIFEST, labels_of
from generator.ports import Found

_DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
_ACCEPT = ", ".join((MANIFEST, _DOCKER_MANIFEST, INDEX, _DOCKER_LIST))
_LARGEST = 4 * 2**20
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LOOPBACK = re.compile(r"(localhost|127(\.\d+){3})(:\d+)?")


class HttpRegistry:
    """One repository of the registry at `host`."""

    def __init__(self, host: str, repository: str, *, login: Callable[[], Login | None] | None = None) -> None:
        self.host, self.repository = host, repository
        self._find_login = login or (lambda: docker_login(host))
        self._token: str | None = None

    def ensure(self) -> None:
        """Nothing: such registries make a repository on the first push."""

    def find(self, reference: str) -> Found | None:
        raw = self._get(f"manifests/{reference}", _ACCEPT)
        if raw is None:
            return None
        digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        if reference.startswith("sha256:") and reference != digest:
            raise self._broken(f"it answers {digest} when asked for {reference}")
        manifest = self._json(raw)
        if "manifests" in manifest:
            manifest = self._json(self._needed(f"manifests/{self._only_linux(manifest)}", _ACCEPT))
        config = self._needed(f"blobs/{self._digest(manifest.get('config'))}", CONFIG)
        return Found(digest, labels_of(self._json(config)))

    def push(self, archive: Path, tag: str) -> None:
        login = self._login
        target = f"{self.host}/{self.repository}:{tag}"
        names = ("docker.io", self.host) if self._is_docker_hub else (self.host,)
        auth = {name: login.entry() for name in names} if login else {}
        skopeo.push(archive, target, auth=auth, tls=not _is_loopback(self.host))

    @property
    def _is_docker_hub(self) -> bool:
        return self.host in ("docker.io", "index.docker.io")

    @cached_property
    def _login(self) -> Login | None:
        return self._find_login()

    @cached_property
    def _client(self) -> httpx.Client:
        # The system's certificates and SSL_CERT_FILE, as every other program here uses, not a bundle of our own.
        return httpx.Client(verify=ssl.create_default_context(), timeout=60)

    @cached_property
    def _base(self) -> str:
        host = "registry-1.docker.io" if self._is_docker_hub else self.host
        return f"{'http' if _is_loopback(host) else 'https'}://{host}/v2/{self.repository}"

    def _needed(self, path: str, accept: str) -> bytes:
        raw = self._get(path, accept)
        if raw is None:
            raise self._broken(f"it has no {path}, though a manifest names it")
        if f"sha256:{hashlib.sha256(raw).hexdigest()}" != path.rpartition("/")[2]:
            raise self._broken(f"the content of {path} is not what its name says")
        return raw

    def _get(self, path: str, accept: str) -> bytes | None:
        """The content at `path` of this repository; None where there is none."""
        answer = self._ask(path, accept)
        if answer.status_code == 401:
            challenge = answer.headers.get("www-authenticate", "")
            self._token = self._authorization(challenge)
            answer = self._ask(path, accept)
        if answer.status_code == 404:
            return None
        if answer.status_code in (401, 403):
            known = f"as {self._login.user}" if self._login else "without a login"
            raise GeneratorError(
                f"{self.host} refuses to show {self.repository} {known} ({answer.status_code}): "
                f"log in with `docker login {self.host}`, as someone who may pull and push there"
            )
        if answer.status_code != 200:
            raise self._broken(f"it answers {answer.status_code} for {path}")
        if len(answer.content) > _LARGEST:
            raise self._broken(f"{path} is larger than {_LARGEST // 2**20} MiB")
        return answer.content

    def _ask(self, path: str, accept: str) -> httpx.Response:
        headers = {"Accept": accept, **({"Authorization": self._token} if self._token else {})}
        try:
            answer = self._client.get(f"{self._base}/{path}", headers=headers)
            home = _origin(answer.url)
            for _ in range(5):  # blobs may be elsewhere; the login is told to nobody but the registry
                if not answer.is_redirect:
                    break
                url = answer.url.join(answer.headers["location"])
                answer = self._client.get(url, headers=headers if _origin(url) == home else {})
            return answer
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise GeneratorError(f"{self.host} cannot be reached: {error}") from error

    def _authorization(self, challenge: str) -> str:
        """The Authorization header that a 401's challenge asks for."""
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "bearer":
            facts = dict(re.findall(r'(\w+)="([^"]*)"', rest))
            return f"Bearer {self._bearer(facts)}"
        if self._login is None:
            raise GeneratorError(f"{self.host} wants a login: run `docker login {self.host}`")
        request = next(
            httpx.BasicAuth(self._login.user, self._login.password).auth_flow(httpx.Request("GET", "/"))
        )
        return str(request.headers["Authorization"])

    def _bearer(self, facts: Mapping[str, str]) -> str:
        realm, login = facts.get("realm", ""), self._login
        if urlsplit(realm).scheme != "https" and not _is_loopback(urlsplit(realm).netloc):
            raise self._broken(f"it sends logins to {realm[:100]!r}, which is not https")
        scope = facts.get("scope") or f"repository:{self.repository}:pull"
        query = {"service": facts.get("service", ""), "scope": scope}
        try:
            if login is not None and login.is_token:
                form = {
                    **query,
                    "grant_type": "refresh_token",
                    "refresh_token": login.password,
                    "client_id": "tagship",
                }
                answer = self._client.post(realm, data=form)
            else:
                auth = (login.user, login.password) if login else None
                answer = self._client.get(realm, params=query, auth=auth)
            answer.raise_for_status()
            content = answer.json()
            return str(content.get("token") or content["access_token"])
        except httpx.HTTPStatusError as error:
            raise GeneratorError(
                f"{self.host} accepts no login for {self.repository} ({error.response.status_code}): "
                f"run `docker login {self.host}`"
            ) from None
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise self._broken(f"its token service gives no token ({type(error).__name__})") from None

    def _only_linux(self, index: Mapping[str, Any]) -> str:
        """The one image of an index; attestations beside it (platform unknown) do not count."""
        images = [item for item in index["manifests"] if (item.get("platform") or {}).get("os") == "linux"]
        if len(images) != 1:
            raise self._broken(f"the tag names {len(images)} Linux images where a release has one")
        return self._digest(images[0])

    def _digest(self, described: Any) -> str:
        digest = str(described.get("digest")) if isinstance(described, dict) else ""
        if not _DIGEST.fullmatch(digest):
            raise self._broken("a manifest names something without a digest")
        return digest

    def _json(self, raw: bytes) -> dict[str, Any]:
        try:
            content = json.loads(raw)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise self._broken("a manifest is no JSON object")
        return content

    def _broken(self, reason: str) -> GeneratorError:
        return GeneratorError(f"{self.host}/{self.repository}: {reason}")


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _is_loopback(host: str) -> bool:
    """Registries of a rehearsal or a test: plain HTTP, by their literal address or as localhost."""
    return _LOOPBACK.fullmatch(host) is not None
