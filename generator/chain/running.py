"""What the cluster makes of an overlay's commit: the reconciler, the Deployment, its pods, and their own word."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from generator.adapters.git import GitRepository
from generator.chain.link import Link, Standing, broken, holds, moving, unseen
from generator.config.model import Model, Target
from generator.errors import GeneratorError
from generator.ledger import Entry, Ledger
from generator.plan.overlays import UNRELEASED_DIGEST
from generator.plan.reconciler import api_path, applying
from generator.ports import Cluster
from generator.rollouts.failures import not_applied, revision_of
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


def running(place: Place, ledger: Ledger, overlay_commit: str, git: GitRepository) -> Iterator[Link]:
    """The links from the overlay's commit to what /metadata answers. `ledger` has a current release."""
    assert ledger.current
    entry = ledger.current
    try:
        seen = place.look()
        if _elsewhere(place, seen):
            where = f"the cluster of context {place.cluster.context()} has nothing of {place.target.name}"
            yield unseen("reconciler", f"{where}: {applying(place.model, place.target)}")
            return
    except GeneratorError as error:
        yield from (unseen(name, str(error)) for name in _NAMES)
        return
    first = _reconciler(place, seen, overlay_commit, git)
    earlier = {UNRELEASED_DIGEST, *(item.digest for item in ledger.history)}
    arriving = first.standing is Standing.MOVING and (seen.deployment is None or seen.digest in earlier)
    yield first
    yield _deployment(place, seen, entry, arriving=arriving)
    yield _pods(seen, entry, arriving=arriving)
    yield _answer(place, seen, entry, earlier_too=arriving or bool(seen.old_pods))


def _elsewhere(place: Place, seen: Snapshot) -> bool:
    """Whether nothing of the environment is here: the context may be another environment's cluster."""
    if seen.application is not None or seen.deployment is not None:
        return False
    followed = api_path(place.model, place.target) is not None
    return followed or place.cluster.get(f"/api/v1/namespaces/{place.target.namespace}") is None


def _reconciler(place: Place, seen: Snapshot, commit: str, git: GitRepository) -> Link:
    engine, path = place.model.config.deploy.engine, api_path(place.model, place.target)
    if path is None:
        return unseen("reconciler", "deploy.engine is none: who applies the overlay is not known")
    if seen.application is None:
        return broken("reconciler", engine, f"nothing follows the overlay: {applying(place.model, place.target)}")
    status = seen.application.get("status", {})
    revision = status.get("sync", {}).get("revision") or status.get("lastAppliedRevision", "")
    revision = revision.rpartition(":")[2]  # Flux: main@sha1:…
    has_it = _has(git, revision, commit)
    sync, operation = status.get("sync", {}).get("status"), status.get("operationState", {})
    if has_it and sync in (None, "Synced"):
        return holds("reconciler", revision)
    if refused := not_applied(seen):
        return broken("reconciler", revision or engine, str(refused))
    if not revision:
        return moving("reconciler", engine, "it has not applied any commit yet")
    if has_it is None:
        return broken("reconciler", revision, "it follows a commit that the release branch does not have")
    if not has_it:
        return moving("reconciler", revision, f"it has not seen {commit[:12]} yet")
    if operation.get("phase") == "Running" or not _has(git, revision_of(operation), commit):
        return moving("reconciler", revision, f"it has not applied {commit[:12]} yet")
    return broken("reconciler", revision, f"it is {sync}: what runs differs from the commit")


def _has(git: GitRepository, revision: str, commit: str) -> bool | None:
    """Whether `revision` contains `commit`; None where the release branch does not have it."""
    try:
        return git.is_ancestor(commit, revision) if revision else False
    except GeneratorError:
        return None


def _deployment(place: Place, seen: Snapshot, entry: Entry, *, arriving: bool) -> Link:
    """`arriving`: the reconciler still has to bring the release."""
    where, differs = f"{place.target.namespace}/{place.name}", moving if arriving else broken
    if seen.deployment is None:
        return differs("deployment", where, "it is not there: does the reconciler run?")
    if seen.digest != entry.digest:
        return differs("deployment", where, f"it names {seen.digest or 'no digest'}, the overlay {entry.digest}")
    return holds("deployment", where)


def _pods(seen: Snapshot, entry: Entry, *, arriving: bool) -> Link:
    found = judge(seen, entry.digest)
    if found.state is State.SERVING:
        return holds("pods", found.detail)
    if found.state is State.FAILED:
        return broken("pods", "failed", found.detail)
    if arriving:
        return moving("pods", found.detail, found.detail)
    odd = {
        pod["metadata"]["name"]: running
        for pod in (*seen.pods, *seen.old_pods)
        if is_ready(pod) and (running := digest_of(container_status(pod).get("imageID", ""))) != entry.digest
    }
    if odd and not seen.old_pods:
        name, running = next(iter(odd.items()))
        return broken("pods", name, f"it runs {running or 'an image without a digest'}, not {entry.digest}")
    if found.state is State.ROLLING:
        return moving("pods", found.detail, found.detail)
    return broken("pods", "none", found.detail)


def _answer(place: Place, seen: Snapshot, entry: Entry, *, earlier_too: bool) -> Link:
    """`earlier_too`: pods of an earlier release may answer."""
    if place.target.serve.api_keys:
        return unseen("answer", "/metadata asks for an API key, and this command has none (docs/access.md)")
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
    if earlier_too and told.get("digest") != entry.digest:
        return moving("answer", f"{told.get('name')} {told.get('version')}", "an earlier release still answers")
    for key, value in wanted.items():
        if told.get(key) != value:
            return broken(
                "answer", str(told.get(key)), f"/metadata says {key} {told.get(key)}, the ledger {value}"
            )
    return holds("answer", f"{told['name']} {told['version']}")
