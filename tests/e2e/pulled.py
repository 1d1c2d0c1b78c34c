"""A model in a real cluster whose registry wants a login: images that nobody has yet, and what is done with them.

The CronJob's own image is the test's, with a login beside it, since the public one is out of reach here.
"""

from __future__ import annotations

import base64
import json
import select
import socket
import socketserver
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

from generator.adapters.kubectl import Kubectl
from generator.config.model import Model
from generator.config.workspace import load
from generator.disk import write_atomically
from generator.ledger import read_ledger
from generator.overlay import with_image
from generator.rollouts.failures import failure
from generator.rollouts.kinds import Failure
from generator.rollouts.snapshot import take
from tests import parts
from tests.e2e.cluster import Cluster, ecr_password, eventually
from tests.generator.workspaces import model_yaml, write
from tests.templates.manifests import ENTRY, generate

SECONDS = 120  # for anything that the cluster has to do; it backs off between pulls
FIRST, SECOND = "1.0.0", "1.1.0"
SERVER = """\
from http.server import BaseHTTPRequestHandler, HTTPServer
import os, signal
class Ready(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *args):
        pass
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
HTTPServer(("", 8080), Ready).serve_forever()
"""
# What only a test needs: another AWS, and a login for the job's own image.
PATCH = """\
        spec:
          imagePullSecrets: [{{name: of-the-test}}]
          containers: [{{name: refresh, env: [{{name: AWS_ENDPOINT_URL, value: "{aws}"}}]}}]
"""


@dataclass(frozen=True)
class Images:
    """What the registry has; tests of one module share them, each release under a name of its own."""

    job: str  # of the CronJob, by digest
    digests: dict[str, str]  # by version

    @property
    def registry(self) -> str:
        return parts.need_ecr()

    @property
    def login(self) -> str:
        """As a pull secret has it."""
        return base64.b64encode(f"AWS:{ecr_password()}".encode()).decode()


def images(folder: Path) -> Images:
    base = parts.started_with()["TESTBED_BASE_IMAGE"]
    (folder / "server.py").write_text(SERVER)
    served = f'FROM {base}\nCOPY server.py /\nUSER 10001\nCMD ["python3", "/server.py"]\nLABEL release='
    digests = {version: _pushed(folder, served + uuid.uuid4().hex) for version in (FIRST, SECOND)}
    return Images(f"{parts.need_ecr()}/pulled@{_pushed(folder, f'FROM {base}')}", digests)


def _pushed(folder: Path, dockerfile: str) -> str:
    """The digest of an image in the repository `pulled`, which no node has."""
    registry = parts.need_ecr()
    login = base64.b64encode(f"AWS:{ecr_password()}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {registry: {"auth": login}}}))
    (folder / "Dockerfile").write_text(dockerfile)
    tag = f"{registry}/pulled:{uuid.uuid4().hex[:12]}"
    docker = ["docker", "--config", str(folder)]
    subprocess.run([*docker, "build", "--quiet", "--tag", tag, str(folder)], check=True, capture_output=True)
    subprocess.run([*docker, "push", "--quiet", tag], check=True, capture_output=True)
    names = [*docker, "image", "inspect", "--format", "{{index .RepoDigests 0}}", tag]
    digest = subprocess.run(names, check=True, capture_output=True, text=True).stdout.strip().rpartition("@")[2]
    subprocess.run([*docker, "image", "rm", tag], check=True, capture_output=True)
    return digest


@dataclass(frozen=True)
class Place:
    """A namespace for one model, whose pull secret a CronJob writes."""

    cluster: Cluster
    root: Path
    model: Model
    images: Images

    @property
    def namespace(self) -> str:
        return self.model.targets[0].namespace

    @property
    def deployment(self) -> str:
        return f"{self.model.name}-inference"

    @property
    def overlay(self) -> Path:
        return self.root / self.model.overlay("production")

    def kubectl(self, *arguments: str) -> str:
        return self.cluster.kubectl("-n", self.namespace, *arguments)

    def release(self, version: str) -> None:
        """What `deploy` commits."""
        digest, ledger = self.images.digests[version], self.overlay / "release.yaml"
        before = read_ledger(ledger.read_text(), ledger.name)
        after = before.with_release(ENTRY.model_copy(update={"version": version, "digest": digest}))
        write_atomically(ledger, after.text())
        path = self.overlay / "kustomization.yaml"
        text = with_image(path.read_text(), path.name, repository=self.model.image_repository, digest=digest)
        write_atomically(path, text)
        generate(self.root)

    def failure(self, version: str) -> Failure | None:
        """What the command says of the rollout."""
        return failure(take(Kubectl(), self.namespace, self.deployment), self.images.digests[version])

    def refused(self, version: str) -> Failure:
        found: Failure = eventually(f"{version} is refused", lambda: self.failure(version))
        return found

    def refresh(self) -> str:
        """What a run now logs, by the command that the generated file tells a person."""
        lines = (self.root / "k8s/reconciler/production.yaml").read_text().splitlines()
        (command,) = (line.removeprefix("#").strip() for line in lines if " create job " in line)
        made = subprocess.run(["sh", "-c", f"{command} -o name"], capture_output=True, text=True, timeout=60)
        assert made.returncode == 0, f"{command}: {made.stderr}"
        job = made.stdout.strip()
        self.kubectl("wait", "--for=condition=complete", job, f"--timeout={SECONDS}s")
        return self.kubectl("logs", job)  # the next run takes it away

    def serves(self, version: str) -> bool:
        self.kubectl("rollout", "status", f"deployment/{self.deployment}", f"--timeout={SECONDS}s")
        return self.images.digests[version] in self.running()

    def running(self) -> str:
        return self.kubectl("get", "pods", "-l", "app.kubernetes.io/name=inference", "-o", "jsonpath={..imageID}")

    def secret(self) -> dict[str, Any] | None:
        found = self.kubectl("get", "secret", f"{self.model.name}-pull", "-o", "json", "--ignore-not-found")
        if not found:
            return None
        data = json.loads(found)["data"]
        return dict(json.loads(base64.b64decode(data[".dockerconfigjson"])))

    def may(self, verb: str, what: str) -> None:
        """The job's account is allowed it."""
        self.cluster.kubectl(*self._asking(verb, what))

    def may_not(self, verb: str, what: str) -> None:
        self.cluster.kubectl(*self._asking(verb, what), fails=True)  # `no` is an exit code, too

    def _asking(self, verb: str, what: str) -> tuple[str, ...]:
        account = f"system:serviceaccount:{self.namespace}:{self.model.name}-pull"
        return ("-n", self.namespace, "auth", "can-i", verb, what, f"--as={account}")


@contextmanager
def placed(cluster: Cluster, root: Path, images: Images, aws: str, engine: str = "none") -> Iterator[Place]:
    """A model that was never released, and its namespace with the login for the job's own image."""
    scheme, watched = ("ssh://git@", "observe: {kubeconfig: CLUSTER}, ") if engine == "flux" else ("https://", "")
    name = f"pulled-{uuid.uuid4().hex[:8]}"
    more = (
        f"serve: {{replicas: 1, pull_secret: {{through: cronjob, image: '{images.job}'}}}}\n"
        f"repository: {{url: '{scheme}git.example.com/acme/{name}'}}\n"
        f"deploy: {{engine: {engine}, {watched}environments: {{production: {{namespace: {name}}}}}}}\n"
    )
    write(
        root,
        model_yaml(more, name=f"p{name[-8:]}").replace("amazonaws.com}", "amazonaws.com, repository: pulled}"),
    )
    generate(root)
    place = Place(cluster, root, load(root).model(None), images)
    _patch(place.overlay, aws, first=engine != "none")
    cluster.kubectl("create", "namespace", name)
    cluster.let_pull(name, images.registry, ecr_password(), "of-the-test")
    try:
        yield place
    finally:
        cluster.kubectl("delete", "namespace", name, "--wait=false")


def _patch(overlay: Path, aws: str, *, first: bool) -> None:
    body = PATCH.format(aws=aws)
    within = "\n".join(f"    {line}" for line in body.rstrip("\n").splitlines())
    job = f"apiVersion: batch/v1\nkind: Job\nmetadata: {{name: pull-first}}\nspec:\n      template:\n{body}"
    cron = (
        "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: pull}\n"
        f"spec:\n  jobTemplate:\n    spec:\n          template:\n{within}\n"
    )
    write_atomically(overlay / "test.yaml", f"{cron}---\n{job}" if first else cron)
    path = overlay / "kustomization.yaml"
    write_atomically(path, path.read_text() + "patches:\n  - path: test.yaml\n")


class _Forwarder(socketserver.BaseRequestHandler):
    target: tuple[str, int]

    def handle(self) -> None:
        with socket.create_connection(self.target) as other:
            pairs = {self.request: other, other: self.request}
            while True:
                for ready in select.select(list(pairs), [], [])[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    pairs[ready].sendall(data)


@contextmanager
def aws_for_pods(cluster: Cluster) -> Iterator[str]:
    """The address under which pods reach this machine's AWS API, which listens on loopback alone."""
    where = '{.items[0].status.addresses[?(@.type=="InternalIP")].address}'
    address = cluster.kubectl("get", "nodes", "-o", f"jsonpath={where}")
    host, _, port = parts.started_with()["AWS_ENDPOINT_URL"].rpartition("/")[2].partition(":")
    forwarder = type("Forwarder", (_Forwarder,), {"target": (host, int(port))})
    try:
        server = socketserver.ThreadingTCPServer((address, 0), forwarder)
    except OSError:
        parts.absent("an AWS API that pods reach", "run the tests on the cluster's node, as the test bed does")
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{address}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
