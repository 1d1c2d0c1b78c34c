"""The registry adapter against a small registry on loopback, and Docker's own credentials."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from generator.adapters.docker_auth import Login, docker_login
from generator.adapters.registry import HttpRegistry
from generator.errors import GeneratorError

SECRET = "s3cret-pa55word"


def digest_of(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def as_json(content: object) -> bytes:
    return json.dumps(content).encode()


CONFIG = as_json({"os": "linux", "architecture": "amd64", "config": {"Labels": {"io.tagship.model": "churn"}}})
MANIFEST = as_json({"schemaVersion": 2, "config": {"digest": digest_of(CONFIG)}, "layers": []})
LINUX = {"digest": digest_of(MANIFEST), "platform": {"os": "linux", "architecture": "amd64"}}
ATTESTATION = {"digest": "sha256:" + "0" * 64, "platform": {"os": "unknown", "architecture": "unknown"}}


@dataclass
class Content:
    """What the registry answers, and what it was asked."""

    parts: dict[str, bytes] = field(default_factory=dict)  # by path below /v2/churn/
    scheme: str = ""  # basic, bearer or nothing
    realm: str | None = None
    moved: str = ""  # where blobs are at another host: elsewhere, or twice, which sends on to elsewhere
    status: int = 200
    asked: list[tuple[str, str | None]] = field(default_factory=list)


@pytest.fixture
def content() -> Content:
    return Content(
        {f"manifests/{ref}": MANIFEST for ref in ("1.0.0", digest_of(MANIFEST))}
        | {f"blobs/{digest_of(CONFIG)}": CONFIG}
    )


@pytest.fixture
def host(content: Content) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            authorization = self.headers.get("Authorization")
            content.asked.append((self.path, authorization))
            path = self.path.removeprefix("/v2/churn/")
            if path.startswith("/token"):
                good = authorization == f"Basic {base64.b64encode(f'ada:{SECRET}'.encode()).decode()}"
                return self.answer(200 if good else 401, as_json({"token": "t0ken"}))
            if self.path.startswith("/twice/"):
                port = self.server.server_address[1]
                return self.answer(307, b"", {"Location": f"http://localhost:{port}/elsewhere/{self.path[7:]}"})
            if self.path.startswith("/elsewhere/"):
                return self.answer(200, content.parts["blobs/" + self.path.removeprefix("/elsewhere/")])
            if content.scheme and authorization is None:
                return self.answer(401, b"", {"WWW-Authenticate": self.challenge()})
            if content.status != 200:
                return self.answer(content.status, b"")
            if content.moved and path.startswith("blobs/"):
                port = self.server.server_address[1]
                return self.answer(307, b"", {"Location": f"http://localhost:{port}/{content.moved}/{path[6:]}"})
            return self.answer(200 if path in content.parts else 404, content.parts.get(path, b""))

        def challenge(self) -> str:
            if content.scheme == "basic":
                return 'Basic realm="registry"'
            realm = content.realm or f"http://127.0.0.1:{self.server.server_address[1]}/token"
            return f'Bearer realm="{realm}",service="registry",scope="repository:churn:pull"'

        def answer(self, status: int, raw: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def registry(host: str, password: str | None = SECRET) -> HttpRegistry:
    return HttpRegistry(host, "churn", login=lambda: Login("ada", password) if password else None)


def failure(registry: HttpRegistry, reference: str = "1.0.0") -> str:
    with pytest.raises(GeneratorError) as caught:
        registry.find(reference)
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value.__context__)
    return str(caught.value)


@pytest.mark.parametrize("reference", ["1.0.0", digest_of(MANIFEST)])
def test_a_tag_or_digest_is_found_with_its_labels(host: str, reference: str) -> None:
    found = registry(host).find(reference)
    assert found is not None
    assert found.digest == digest_of(MANIFEST)
    assert found.labels == {"io.tagship.model": "churn"}


def test_what_is_not_there_is_none(host: str) -> None:
    assert registry(host).find("2.0.0") is None


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
def test_a_login_is_given_when_it_is_asked_for(host: str, content: Content, scheme: str) -> None:
    content.scheme = scheme
    assert registry(host).find("1.0.0") is not None
    assert content.asked[0][1] is None
    if scheme == "bearer":
        token = urlsplit(next(path for path, _ in content.asked if path.startswith("/token")))
        assert parse_qs(token.query) == {"service": ["registry"], "scope": ["repository:churn:pull"]}
        assert content.asked[-1][1] == "Bearer t0ken"


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
def test_a_wrong_or_missing_login_names_the_command(host: str, content: Content, scheme: str) -> None:
    content.scheme = scheme
    assert f"docker login {host}" in failure(registry(host, None))
    content.status = 403
    assert f"docker login {host}" in failure(registry(host, "another-pa55word"))


def test_a_login_never_goes_to_an_unencrypted_token_service(host: str, content: Content) -> None:
    content.scheme, content.realm = "bearer", "http://tokens.example.com/token"
    assert "which is not https" in failure(registry(host))


@pytest.mark.parametrize("moved", ["elsewhere", "twice"])
def test_a_login_stays_with_its_host_when_blobs_are_elsewhere(host: str, content: Content, moved: str) -> None:
    content.scheme, content.moved = "basic", moved
    assert registry(host).find("1.0.0") is not None
    there = [header for path, header in content.asked if path.startswith(("/elsewhere/", "/twice/"))]
    assert there == [None] * (1 if moved == "elsewhere" else 2)


def test_an_index_means_its_only_linux_image(host: str, content: Content) -> None:
    index = as_json({"schemaVersion": 2, "manifests": [ATTESTATION, LINUX]})
    content.parts["manifests/1.0.0"] = index
    found = registry(host).find("1.0.0")
    assert found is not None
    assert found.digest == digest_of(index)
    assert found.labels == {"io.tagship.model": "churn"}
    content.parts["manifests/1.0.0"] = as_json({"manifests": [LINUX, LINUX]})
    assert "names 2 Linux images" in failure(registry(host))


def test_what_a_registry_may_not_answer(host: str, content: Content) -> None:
    asked = "sha256:" + "1" * 64
    content.parts[f"manifests/{asked}"] = MANIFEST
    assert f"when asked for {asked}" in failure(registry(host), asked)
    content.parts[f"blobs/{digest_of(CONFIG)}"] = CONFIG.replace(b"churn", b"other")
    assert "is not what its name says" in failure(registry(host))
    del content.parts[f"blobs/{digest_of(CONFIG)}"]
    assert "though a manifest names it" in failure(registry(host))
    content.parts["manifests/1.0.0"] = b"<html>"
    assert "is no JSON object" in failure(registry(host))
    content.parts["manifests/1.0.0"] = as_json({"config": {"digest": "../../x"}})
    assert "without a digest" in failure(registry(host))
    content.status = 500
    assert "it answers 500" in failure(registry(host))


def test_a_registry_that_is_not_there(host: str) -> None:
    assert "127.0.0.1:9 cannot be reached" in failure(registry("127.0.0.1:9"))


@pytest.fixture
def docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path / "config.json"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_a_login_of_docker_is_found(docker_config: Path) -> None:
    docker_config.write_text(json.dumps({"auths": {"ghcr.io": {"auth": encoded(f"ada:{SECRET}")}}}))
    login = docker_login("ghcr.io")
    assert login is not None
    assert (login.user, login.password) == ("ada", SECRET)
    assert SECRET not in repr(login)
    assert login.entry() == {"auth": encoded(f"ada:{SECRET}")}
    assert docker_login("quay.io") is None


def test_no_configuration_is_no_login(docker_config: Path) -> None:
    assert docker_login("ghcr.io") is None


def test_docker_hub_is_known_by_its_old_name(docker_config: Path) -> None:
    docker_config.write_text(json.dumps({"auths": {"https://index.docker.io/v1/": {"auth": encoded("ada:x")}}}))
    login = docker_login("docker.io")
    assert login is not None
    assert login.user == "ada"


def test_an_identity_token_is_kept_as_one(docker_config: Path) -> None:
    entry = {"auth": encoded("00000000-0000-0000-0000-000000000000:"), "identitytoken": SECRET}
    docker_config.write_text(json.dumps({"auths": {"acme.azurecr.io": entry}}))
    login = docker_login("acme.azurecr.io")
    assert login is not None
    assert login.is_token
    assert login.entry() == entry


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "cannot be read"),
        (json.dumps({"auths": {"ghcr.io": {"auth": SECRET}}}), "run `docker login ghcr.io` again"),
        (json.dumps({"credHelpers": {"ghcr.io": "../../bin/evil"}}), "which no program is"),
        (json.dumps({"credHelpers": {"ghcr.io": "absent"}}), "docker-credential-absent for ghcr.io, which is not"),
    ],
)
def test_a_damaged_configuration_says_so_without_its_content(docker_config: Path, text: str, said: str) -> None:
    docker_config.write_text(text)
    with pytest.raises(GeneratorError) as caught:
        docker_login("ghcr.io")
    assert said in str(caught.value)
    assert SECRET not in str(caught.value)


HELPERS = {
    "good": f"""read server; echo '{{"ServerURL": "'$server'", "Username": "ada", "Secret": "{SECRET}"}}'""",
    "empty": "echo 'credentials not found in native keychain'; exit 1",
    "broken": f"echo {SECRET}; echo {SECRET} >&2; exit 1",
    "garbled": f"echo {SECRET}",
}


@pytest.mark.parametrize("key", ["credHelpers", "credsStore"])
def test_credential_helpers_are_asked(docker_config: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    for name, script in HELPERS.items():
        program = docker_config.parent / f"docker-credential-{name}"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{docker_config.parent}:/usr/bin:/bin")

    def use(helper: str) -> Login | None:
        docker_config.write_text(json.dumps({key: helper if key == "credsStore" else {"ghcr.io": helper}}))
        return docker_login("ghcr.io")

    login = use("good")
    assert login is not None
    assert (login.user, login.password) == ("ada", SECRET)
    assert use("empty") is None
    for helper, said in (("broken", "has no login for ghcr.io"), ("garbled", "gave no readable answer")):
        with pytest.raises(GeneratorError) as caught:
            use(helper)
        assert said in str(caught.value)
        assert SECRET not in str(caught.value)
