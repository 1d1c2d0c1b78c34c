"""The script that writes ECR's login in the cluster: what it signs, what it asks of AWS, what it says when refused."""

from __future__ import annotations

import base64
import json
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from types import ModuleType

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests import parts
from tests.certificates import certified

REGION = "eu-north-1"
REGISTRY = f"123456789012.dkr.ecr.{REGION}.amazonaws.com"
Account = tuple[Path, ssl.SSLContext]
SCRIPT = Path(__file__).parents[2] / "k8s/components/pull-cronjob/refresh.py"


@pytest.fixture(scope="module")
def refresh() -> ModuleType:
    """The script as a module, without a compiled copy beside it: its folder is what users get."""
    module = sys.modules["refresh"] = ModuleType("refresh")
    exec(compile(SCRIPT.read_text(), str(SCRIPT), "exec"), module.__dict__)
    return module


@pytest.mark.parametrize("session", [None, "a+session/token=="])
@pytest.mark.parametrize("url", [f"https://api.ecr.{REGION}.amazonaws.com", "http://127.0.0.1:5500/"])
def test_it_signs_as_amazons_own_library_does(refresh: ModuleType, url: str, session: str | None) -> None:
    now, body = datetime(2026, 1, 31, 12, 0, 5, tzinfo=UTC), b"{}"
    plain = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "X.GetAuthorizationToken"}
    ours = refresh.signed(url, plain, body, REGION, refresh.Credentials("AKIA", "s3cr3t/+", session), now)
    request = AWSRequest("POST", url, headers={**plain, "X-Amz-Date": "20260131T120005Z"}, data=body)
    if session:
        request.headers["X-Amz-Security-Token"] = session
    request.context["timestamp"] = "20260131T120005Z"
    theirs = SigV4Auth(Credentials("AKIA", "s3cr3t/+", session), "ecr", REGION)
    text = theirs.string_to_sign(request, theirs.canonical_request(request))
    assert ours["Authorization"].endswith(f"Signature={theirs.signature(text, request)}")


@pytest.mark.parametrize(
    ("registry", "ecr", "sts"),
    [
        (REGISTRY, f"https://api.ecr.{REGION}.amazonaws.com", f"https://sts.{REGION}.amazonaws.com"),
        (
            "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
            "https://api.ecr.cn-north-1.amazonaws.com.cn",
            "https://sts.cn-north-1.amazonaws.com.cn",
        ),
    ],
)
def test_it_asks_the_registrys_own_region(
    refresh: ModuleType, registry: str, ecr: str, sts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    region = registry.split(".")[3]
    assert refresh.endpoint("api.ecr", region, registry) == ecr
    assert refresh.endpoint("sts", region, registry) == sts


@pytest.mark.e2e
def test_a_clusters_token_becomes_a_role_and_the_role_gets_a_login(
    refresh: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts.need_aws()
    monkeypatch.setenv("AWS_ENDPOINT_URL", parts.started_with()["AWS_ENDPOINT_URL"])
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    (tmp_path / "token").write_text("a.clusters.token\n")
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/churn-pull")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    found = refresh.credentials(REGION, REGISTRY)
    assert found.session
    assert found.key_id.startswith("ASIA")
    login = base64.b64decode(refresh.login_of_ecr(REGION, found, REGISTRY)).decode()
    assert login.startswith("AWS:")


def test_an_access_key_needs_no_role(refresh: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    assert refresh.credentials(REGION, REGISTRY) == ("AKIA", "secret", None)


@contextmanager
def answering(
    status: int, body: bytes, *, length: int | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[Answering]:
    """Somebody who gives one answer to all; `length` is what it says of it."""
    with Answering(("127.0.0.1", 0), Once) as server:
        server.answer = status, body, len(body) if length is None else length
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


class Answering(HTTPServer):
    """Keeps what it was asked: method, path, headers, body."""

    answer: tuple[int, bytes, int]
    asked: tuple[str, str, dict[str, str], bytes]


class Once(BaseHTTPRequestHandler):
    server: Answering

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked = str(self.command), self.path, dict(self.headers.items()), sent
        status, body, length = self.server.answer
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)

    def do_PATCH(self) -> None:
        self.do_POST()

    def log_message(self, *args: object) -> None:
        pass


def refused(refresh: ModuleType, monkeypatch: pytest.MonkeyPatch, server: Answering) -> str:
    """What ECR's login fails with: one line that holds no secret."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    with pytest.raises(refresh.Failed) as failed:
        refresh.login_of_ecr(REGION, refresh.Credentials("AKIA", "s3cr3t", "s3ssion"), REGISTRY)
    said = str(failed.value)
    assert len(said.splitlines()) == 1
    assert not {word for word in ("s3cr3t", "s3ssion", "AKIA", LOGIN) if word in said}
    return said


def test_a_refusal_is_one_line_without_a_secret(refresh: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    body = b'{"__type": "UnrecognizedClientException",\n "message": "The security token is invalid."}'
    with answering(400, body) as server:
        said = refused(refresh, monkeypatch, server)
    assert "The security token is invalid" in said
    assert "400" in said


LOGIN = "QVdTOmxvZ2lu"
ODD = {
    "a proxy's page": (b"<html><body>\nlog in first</body></html>", None, "the answer is none of AWS"),
    "nothing": (b"", None, "the answer is none of AWS"),
    "no text": (b"\xff\xfe\x00\xd8", None, "the answer is none of AWS"),
    "no login": (b"{}", None, "the answer is none of AWS"),
    "an empty list": (b'{"authorizationData": []}', None, "the answer is none of AWS"),
    "a list": (b'["' + LOGIN.encode() + b'"]', None, "the answer is none of AWS"),
    "cut short": (b'{"authorizationData": [{"authorizationToken": "' + LOGIN.encode(), 9999, "more expected"),
}


@pytest.mark.parametrize("case", ODD)
def test_an_answer_that_is_none_is_one_line_too(
    refresh: ModuleType, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    body, length, says = ODD[case]
    with answering(200, body, length=length) as server:
        assert says in refused(refresh, monkeypatch, server)


@pytest.mark.parametrize("body", [b"{}", b"<html>", b"<Answer><AccessKeyId>ASIA</AccessKeyId></Answer>"])
def test_a_role_that_comes_without_its_keys_is_one_line(
    refresh: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    (tmp_path / "token").write_text("a.clusters.token\n")
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/churn-pull")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    with answering(200, body) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(refresh.Failed, match="the answer is none of AWS") as failed:
            refresh.credentials(REGION, REGISTRY)
    assert not {word for word in ("ASIA", "a.clusters.token") if word in str(failed.value)}


def test_no_answer_is_one_line_too(refresh: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(refresh.Failed, match=r"POST 127\.0\.0\.1:9: .*refused"):
        refresh.login_of_ecr(REGION, refresh.Credentials("AKIA", "s3cr3t", None), REGISTRY)


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Account:
    """What Kubernetes puts into a pod: a token, and who signs for its API, which needs the other."""
    folder = tmp_path_factory.mktemp("account")
    (folder / "token").write_text("a.clusters.token\n")
    _, context = certified(folder)
    return folder, context


@pytest.mark.parametrize(
    ("status", "says"), [(200, ""), (403, "403 Forbidden: no rights"), (404, "404 Not Found: no rights")]
)
def test_the_secret_is_patched_through_tls_with_the_accounts_token(
    refresh: ModuleType, account: Account, monkeypatch: pytest.MonkeyPatch, status: int, says: str
) -> None:
    folder, context = account
    monkeypatch.setattr(refresh, "CLUSTER", folder)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    with answering(status, b"no rights", tls=context) as server:
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(server.server_port))
        try:
            refresh.write("churn", "churn-pull", "{}")
            said = ""
        except refresh.Failed as error:
            said = str(error)
    method, path, headers, body = server.asked
    assert (method, path) == (
        "PATCH",
        "/api/v1/namespaces/churn/secrets/churn-pull?fieldManager=tagship&force=true",
    )
    assert headers["Content-Type"] == "application/apply-patch+yaml"
    assert headers["Authorization"] == "Bearer a.clusters.token"
    sent = json.loads(body)
    assert (sent["kind"], sent["metadata"]["name"]) == ("Secret", "churn-pull")
    assert sent["type"] == "kubernetes.io/dockerconfigjson"
    assert sent["data"] == {".dockerconfigjson": base64.b64encode(b"{}").decode()}
    assert said.endswith(says)
    assert bool(said) == bool(says)
    assert "a.clusters.token" not in said
