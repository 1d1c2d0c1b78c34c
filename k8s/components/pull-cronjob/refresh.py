"""Writes a new login of ECR into a pull secret. It runs in the cluster, with Python's standard library alone.

The login comes from ECR's GetAuthorizationToken, asked with an access key, or as the role that the service
account's token becomes. The Secret is made or changed by one PATCH (a server-side apply), so the rights to read
Secrets, and to make others, are not needed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import ssl
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener, urlopen
from xml.etree import ElementTree

CLUSTER = Path("/var/run/secrets/kubernetes.io/serviceaccount")
SECONDS = 30  # for one answer
LONGEST = 500  # of what a message quotes
Found = TypeVar("Found")


class Credentials(NamedTuple):
    """What AWS gives or takes."""

    key_id: str
    secret: str
    session: str | None


class Failed(Exception):
    """What went wrong, in one line that holds no secret."""


def main() -> None:
    """Fetches the login and writes it."""
    registry, region = os.environ["REGISTRY"], os.environ["AWS_REGION"]
    login = login_of_ecr(region, credentials(region, registry), registry)
    name, namespace = os.environ["SECRET"], os.environ["NAMESPACE"]
    write(namespace, name, json.dumps({"auths": {registry: {"auth": login}}}))
    print(f"Secret {namespace}/{name} has a new login of {registry}")


def endpoint(service: str, region: str, registry: str) -> str:
    """Where an AWS service answers; a variable that all AWS tools know says otherwise."""
    suffix = "amazonaws.com.cn" if registry.endswith(".cn") else "amazonaws.com"
    return os.environ.get("AWS_ENDPOINT_URL") or f"https://{service}.{region}.{suffix}"


def credentials(region: str, registry: str) -> Credentials:
    """The access key in the environment, or an hour as the role, which the cluster's own token proves."""
    if key := os.environ.get("AWS_ACCESS_KEY_ID"):
        return Credentials(key, os.environ["AWS_SECRET_ACCESS_KEY"], os.environ.get("AWS_SESSION_TOKEN"))
    asked = {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": "2011-06-15",
        "RoleArn": os.environ["AWS_ROLE_ARN"],
        "RoleSessionName": "pull-secret",
        "WebIdentityToken": Path(os.environ["AWS_WEB_IDENTITY_TOKEN_FILE"]).read_text().strip(),
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    request = Request(endpoint("sts", region, registry), urlencode(asked).encode(), headers)
    return understood(request, answer(request), _credentials)


def _credentials(body: bytes) -> Credentials:
    found = {element.tag.rpartition("}")[2]: element.text or "" for element in ElementTree.fromstring(body).iter()}
    return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])


def login_of_ecr(region: str, credentials: Credentials, registry: str) -> str:
    """`user:password` as base64, which is what both ECR and a pull secret call a login."""
    url = endpoint("api.ecr", region, registry)
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken",
    }
    now = datetime.now(UTC)
    body = b"{}"
    request = Request(url, body, signed(url, headers, body, region, credentials, now))
    return understood(request, answer(request), _login)


def _login(body: bytes) -> str:
    return str(json.loads(body)["authorizationData"][0]["authorizationToken"])


def signed(
    url: str, headers: dict[str, str], body: bytes, region: str, credentials: Credentials, now: datetime
) -> dict[str, str]:
    """`headers` with AWS's Signature Version 4 for a POST of `body` to ECR."""
    moment, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    headers = {**headers, "Host": urlsplit(url).netloc, "X-Amz-Date": moment}
    if credentials.session:
        headers["X-Amz-Security-Token"] = credentials.session
    lower = {name.lower(): value for name, value in headers.items()}
    names = ";".join(sorted(lower))
    lines = "".join(f"{name}:{lower[name]}\n" for name in sorted(lower))
    canonical = f"POST\n{urlsplit(url).path or '/'}\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{day}/{region}/ecr/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{credentials.secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return headers


def write(namespace: str, name: str, config: str) -> None:
    """Puts Docker's configuration into the Secret."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    host = f"[{host}]" if ":" in host else host
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "tagship"}},
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": base64.b64encode(config.encode()).decode()},
    }
    request = Request(
        f"https://{host}:{port}/api/v1/namespaces/{namespace}/secrets/{name}?fieldManager=tagship&force=true",
        json.dumps(body).encode(),
        {
            "Authorization": f"Bearer {(CLUSTER / 'token').read_text().strip()}",
            "Content-Type": "application/apply-patch+yaml",
        },
        method="PATCH",
    )
    trusted = HTTPSHandler(context=ssl.create_default_context(cafile=str(CLUSTER / "ca.crt")))
    answer(request, build_opener(ProxyHandler({}), trusted).open)  # a proxy is for the way out


def answer(request: Request, ask: Callable[..., Any] = urlopen) -> bytes:
    """The body of the answer. Raises Failed with what the other side says, which holds nothing that was sent."""
    where = place(request)
    try:
        with ask(request, timeout=SECONDS) as response:
            return bytes(response.read())
    except HTTPError as error:
        said = " ".join(error.read(LONGEST * 4).decode(errors="replace").split())[:LONGEST]
        raise Failed(f"{where}: {error.code} {error.reason}: {said}") from None
    except (
        URLError,
        OSError,
        HTTPException,
    ) as error:  # the last one: an answer that was cut short, or is no HTTP
        raise Failed(f"{where}: {error}") from None


def understood(request: Request, body: bytes, read: Callable[[bytes], Found]) -> Found:
    """What `read` finds in an answer. It may be a proxy's page; it may hold a login, too, and is not quoted."""
    try:
        return read(body)
    except (ValueError, LookupError, TypeError, ElementTree.ParseError) as error:
        what = f"{len(body)} bytes ({type(error).__name__})"
        raise Failed(f"{place(request)}: the answer is none of AWS, {what}: is there a proxy?") from None


def place(request: Request) -> str:
    """What is asked, for a message."""
    return f"{request.get_method()} {urlsplit(request.full_url).netloc}{urlsplit(request.full_url).path}"


if __name__ == "__main__":
    try:
        main()
    except Failed as failed:
        sys.exit(f"the pull secret has no new login: {failed}")
