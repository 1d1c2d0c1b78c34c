"""A real cluster as tests use it: kubectl as an administrator, a login to the registry, images that are broken."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests import parts


@dataclass(frozen=True)
class Cluster:
    """kubectl, and what it is asked most."""

    kubeconfig: str

    def kubectl(self, *argv: str, stdin: str | None = None, fails: bool = False) -> str:
        done = subprocess.run(
            ["kubectl", "--kubeconfig", self.kubeconfig, *argv],
            input=stdin,
            capture_output=True,
            text=True,
            env={**os.environ, "HOME": str(Path(self.kubeconfig).parent)},  # where it looks for settings, too
            timeout=180,
            check=False,
        )
        assert (done.returncode != 0) == fails, f"kubectl {' '.join(argv)}: {done.stderr}{done.stdout}"
        return done.stderr if fails else done.stdout

    def get(self, kind: str, name: str, namespace: str) -> Any:
        """The object; None where it is not there."""
        text = self.kubectl("-n", namespace, "get", kind, name, "--ignore-not-found", "-o", "json")
        return json.loads(text) if text.strip() else None

    def address(self, namespace: str, service: str) -> str:
        """The Service's address inside the cluster, which this machine reaches, too."""
        found = self.get("service", service, namespace)
        return f"http://{found['spec']['clusterIP']}"

    def restricted(self, *groups: str) -> str:
        """A kubeconfig of somebody who has the rights of these groups alone."""
        config = yaml.safe_load(Path(self.kubeconfig).read_text())
        for user in config["users"]:
            user["user"] |= {"as": "watcher", "as-groups": list(groups)}
        return yaml.safe_dump(config)

    def let_pull(self, namespace: str, host: str, password: str, name: str = "ecr") -> None:
        """Makes, or replaces, the Secret with the registry's login."""
        login = {"auths": {host: {"auth": base64.b64encode(f"AWS:{password}".encode()).decode()}}}
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": namespace},
            "type": "kubernetes.io/dockerconfigjson",
            "stringData": {".dockerconfigjson": json.dumps(login)},
        }
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(secret))


def ecr_password() -> str:
    """The registry's token, as the AWS API hands it out."""
    import boto3

    given = parts.started_with()
    client = boto3.client(
        "ecr",
        region_name=given["AWS_REGION"],
        endpoint_url=given["AWS_ENDPOINT_URL"],
        aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
    )
    token = client.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    return base64.b64decode(token).decode().partition(":")[2]


def eventually(what: str, holds: Callable[[], Any], seconds: float = 120) -> Any:
    """What `holds` returns once that is true."""
    begin = time.monotonic()
    while time.monotonic() - begin < seconds:
        if found := holds():
            return found
        time.sleep(0.5)
    raise AssertionError(f"not within {seconds:.0f} s: {what}")


def curl(url: str, body: object | None = None) -> Any:
    """The JSON answer, asked by a process of its own: tests themselves connect to this machine alone."""
    command = ["curl", "--silent", "--show-error", "--fail-with-body", "--max-time", "10", "--noproxy", "*", url]
    if body is not None:
        command += ["--header", "Content-Type: application/json", "--data", json.dumps(body)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{url}: {done.stderr}{done.stdout}"
    return json.loads(done.stdout)


def derived(folder: Path, image: str, tag: str, *, version: str, entrypoint: list[str]) -> str:
    """Builds and pushes an image like `image` that says another version and does `entrypoint`; its digest."""
    folder.mkdir()
    given = {**os.environ, **parts.started_with(), "DOCKER_CONFIG": str(folder / "docker")}
    host = tag.partition("/")[0]

    def docker(*argv: str, stdin: str | None = None) -> str:
        done = subprocess.run(
            ["docker", *argv], input=stdin, capture_output=True, text=True, env=given, check=False
        )
        assert done.returncode == 0, f"docker {argv[0]}: {done.stderr}{done.stdout}"
        return done.stdout

    docker("login", "--username", "AWS", "--password-stdin", host, stdin=ecr_password())
    docker("pull", "--quiet", image)
    release = json.loads(docker("run", "--rm", "--entrypoint=cat", image, "/opt/tagship/release.json"))
    (folder / "release.json").write_text(json.dumps({**release, "version": version}))
    lines = [
        f"FROM {image}",
        "COPY release.json /opt/tagship/release.json",
        f"ENTRYPOINT {json.dumps(entrypoint)}",
    ]
    (folder / "Dockerfile").write_text("\n".join(lines) + "\n")
    docker("build", "--quiet", "--network", "host", "--tag", tag, str(folder))
    docker("push", "--quiet", tag)
    (pushed,) = json.loads(docker("image", "inspect", "--format", "{{json .RepoDigests}}", tag))
    docker("image", "rm", "--force", tag)
    return str(pushed.partition("@")[2])
