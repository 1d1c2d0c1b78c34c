"""What the cluster makes of an overlay's commit: the reconciler, the Deployment, its pods, and their own word."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from generator.adapters.git import GitRepository
from generator.chain.link import Link, Standing, broken, holds, unseen
from generator.config.model import Model, Target
from generator.errors import GeneratorError
from generator.ledger import Entry
from generator.plan.reconciler import api_path, reconciler_file
from generator.ports import Cluster
from generator.rollouts.judge import State, judge
from generator.rollouts.snapshot import Snapshot, container_status, digest_of, is_ready, take

_NAMES = ("reconciler", "deployment", "pods", "answer")


@dataclass(frozen=True)
class Place:
    """Where a model runs."""

    model: Model
    target: Target
    cluster: Cluster

    @property
    def name(self) -> str:
        return f"{self.model.name}-inference"

    def look(self) -> Snapshot:
        return take(self.cluster, self.target.namespace, self.name, api_path(self.model, self.target))


def running(place: Place, entry: Entry, overlay_commit: str, git: GitRepository) -> Iterator[Link]:
    """The links from the overlay's commit to what /metadata answers."""
    try:
        seen = place.look()
    except GeneratorError as error:
        yield from (unseen(name, str(error)) for name in _NAMES)
        return
    yield _reconciler(place, seen, overlay_commit, git)
    yield _deployment(place, seen, entry)
    yield _pods(seen, entry)
    yield _answer(place, seen, entry)


def _reconciler(place: Place, seen: Snapshot, commit: str, git: GitRepository) -> Link:
    engine, path = place.model.config.deploy.engine, api_path(place.model, place.target)
    if path is None:
        return unseen("reconciler", "deploy.engine is none: who applies the overlay is not known")
    if seen.application is None:
        file = PurePosixPath(place.model.home, reconciler_file(place.model, place.target))
        return broken("reconciler", engine, f"nothing follows the overlay: run `kubectl apply -f {file}`")
    status = seen.application.get("status", {})
    revision = status.get("sync", {}).get("revision") or status.get("lastAppliedRevision", "")
    revision = revision.rpartition(":")[2]  # Flux: main@sha1:…
    if not revision:
        return Link("reconciler", Standing.MOVING, engine, "it has not applied any commit yet")
    try:
        has_it = git.is_ancestor(commit, revision)
    except GeneratorError:
        return broken("reconciler", revision, "it follows a commit that the release branch does not have")
    if not has_it:
        return Link("reconciler", Standing.MOVING, revision, f"it has not seen {commit[:12]} yet")
    if (sync := status.get("sync", {}).get("status")) not in (None, "Synced"):
        return broken("reconciler", revision, f"it is {sync}: what runs differs from the commit")
    return holds("reconciler", revision)


def _deployment(place: Place, seen: Snapshot, entry: Entry) -> Link:
    where = f"{place.target.namespace}/{place.name}"
    if seen.deployment is None:
        return broken("deployment", where, "it is not there: does the reconciler run?")
    if seen.digest != entry.digest:
        return broken("deployment", where, f"it names {seen.digest or 'no digest'}, the overlay {entry.digest}")
    return holds("deployment", where)


def _pods(seen: Snapshot, entry: Entry) -> Link:
    found = judge(seen, entry.digest)
    if found.state is State.SERVING:
        return holds("pods", found.detail)
    odd = {
        pod["metadata"]["name"]: running
        for pod in (*seen.pods, *seen.old_pods)
        if is_ready(pod) and (running := digest_of(container_status(pod).get("imageID", ""))) != entry.digest
    }
    if found.state is State.FAILED:
        return broken("pods", "failed", found.detail)
    if odd and not seen.old_pods:
        name, running = next(iter(odd.items()))
        return broken("pods", name, f"it runs {running or 'an image without a digest'}, not {entry.digest}")
    if found.state is State.ROLLING:
        return Link("pods", Standing.MOVING, found.detail, found.detail)
    return broken("pods", "none", found.detail)


def _answer(place: Place, seen: Snapshot, entry: Entry) -> Link:
    if not any(is_ready(pod) for pod in (*seen.pods, *seen.old_pods)):
        return unseen("answer", "no pod is ready")
    path = f"/api/v1/namespaces/{place.target.namespace}/services/{place.name}:http/proxy/metadata"
    try:
        told = place.cluster.get(path)
    except GeneratorError as error:
        return unseen("answer", str(error))
    if not isinstance(told, dict):
        return broken("answer", path, "the Service leads to nothing that answers /metadata")
    wanted = {
        "name": place.model.name,
        "version": entry.version,
        "digest": entry.digest,
        "run_id": entry.run,
        "commit": entry.commit,
        "data_hash": entry.data,
    }
    for key, value in wanted.items():
        if told.get(key) != value:
            return broken(
                "answer", str(told.get(key)), f"/metadata says {key} {told.get(key)}, the ledger {value}"
            )
    return holds("answer", f"{told['name']} {told['version']}")
