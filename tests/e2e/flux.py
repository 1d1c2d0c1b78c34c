"""Flux's own controllers on this machine: they work on a test's cluster, and fetch over SSH with a deploy key."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import parts
from tests.e2e.cluster import Cluster, eventually
from tests.e2e.pulled import SECONDS, Place
from tests.generator.repositories import git
from tests.generator.sshd import Sshd
from tests.ports import held_port
from tests.processes import running

NAMESPACE = "flux-system"
LIFE = 1200  # seconds of a controller, should nobody end it


@contextmanager
def controllers(cluster: Cluster, folder: Path, *arguments: str) -> Iterator[None]:
    """source-controller and kustomize-controller, `arguments` for the latter; their logs are in `folder`."""
    source, kustomize = parts.need_flux()
    folder.mkdir()
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(source.parent / "crds"))
    cluster.kubectl("create", "namespace", NAMESPACE, fails=bool(cluster.get("namespace", NAMESPACE, "default")))
    with ExitStack() as stack:
        storage = f"127.0.0.1:{stack.enter_context(held_port())}"
        stored = (f"--storage-path={folder}", f"--storage-addr={storage}", f"--storage-adv-addr={storage}")
        for program, more in ((source, stored), (kustomize, arguments)):
            log = stack.enter_context((folder / f"{program.name}.log").open("w"))
            env = {
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
                "TMPDIR": str(folder),
                "KUBECONFIG": cluster.kubeconfig,
                "RUNTIME_NAMESPACE": NAMESPACE,
            }
            nowhere = ("--metrics-addr=127.0.0.1:0", "--health-addr=127.0.0.1:0", "--enable-leader-election=false")
            command = [str(program), *nowhere, *more]
            stack.enter_context(running(command, seconds=LIFE, env=env, stdout=log, stderr=subprocess.STDOUT))
        yield


@dataclass(frozen=True)
class Followed:
    """A model whose overlays Flux follows, in a repository that it reads with a deploy key."""

    place: Place
    bare: Path

    @property
    def name(self) -> str:
        return f"{self.place.model.name}-production"

    def publish(self, version: str) -> str:
        """Releases `version` by a commit; its hash."""
        self.place.release(version)
        return self.push(f"Release {version}")

    def push(self, message: str) -> str:
        """Commits whatever has changed, and has Flux look now, not within a minute."""
        root = self.place.root
        git(root, "add", "-A")
        git(root, "commit", "-q", "-m", message)
        git(root, "push", "-q", "origin", "HEAD:main")
        asked = f"reconcile.fluxcd.io/requestedAt={git(root, 'rev-parse', 'HEAD')}"
        if self.place.cluster.get("gitrepository", self.name, NAMESPACE):
            command = ("annotate", "--overwrite", "gitrepository", self.name, asked)
            self.place.cluster.kubectl("-n", NAMESPACE, *command)
        return git(root, "rev-parse", "HEAD")

    def ready(self) -> dict[str, Any]:
        """The condition of that name; empty before there is one."""
        found = self.place.cluster.get("kustomization", self.name, NAMESPACE) or {}
        conditions = found.get("status", {}).get("conditions", [])
        return next((one for one in conditions if one["type"] == "Ready"), {})

    def applied(self, commit: str, seconds: float = SECONDS) -> None:
        """Waits until Flux calls all that `commit` holds healthy."""

        def holds() -> bool:
            found = self.place.cluster.get("kustomization", self.name, NAMESPACE) or {}
            revision = found.get("status", {}).get("lastAppliedRevision", "")
            return bool(revision == f"main@sha1:{commit}" and self.ready().get("status") == "True")

        eventually(f"{self.name} is ready at {commit}", holds, seconds)


@contextmanager
def followed(place: Place, server: Sshd, folder: Path) -> Iterator[Followed]:
    """What a person does once: the deploy key's Secret, and the generated file applied."""
    bare = folder / "origin.git"
    git(folder, "init", "-q", "--bare", "-b", "main", str(bare))
    git(place.root, "init", "-q", "-b", "main")
    git(place.root, "remote", "add", "origin", str(bare))
    told, cluster = Followed(place, bare), place.cluster
    told.push("Begin")
    (folder / "known_hosts").write_text(server.known_hosts)
    files = (f"--from-file=identity={server.folder}/key", f"--from-file=known_hosts={folder}/known_hosts")
    secret = f"{place.model.name}-git"
    cluster.kubectl("-n", NAMESPACE, "create", "secret", "generic", secret, *files)
    file = place.root / "k8s/reconciler/production.yaml"
    text = file.read_text().replace(str(place.model.overlays_url), server.address(bare))
    cluster.kubectl("apply", "-f", "-", stdin=text)
    try:
        yield told
    finally:
        cluster.kubectl("-n", NAMESPACE, "delete", "kustomization,gitrepository", told.name, "--ignore-not-found")
        cluster.kubectl("-n", NAMESPACE, "delete", "secret", secret)
