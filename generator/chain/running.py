"""What the cluster makes of an overlay's commit: the reconciler, the Deployment, its pods, and their own word."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from generator.adapters.git import GitRepository
from generator.chain.link import Link, Standing, broken, holds, moving, unseen
from generator.config.following import known_as
from generator.config.model import Model, Target, workload
from generator.errors import GeneratorError
from generator.ledger import Entry, Ledger
from generator.plan.overlays import UNRELEASED_DIGEST
from generator.plan.reconciler import api_path, applying, members
from generator.ports import Cluster
from generator.rollouts.answer import difference, metadata
from generator.rollouts.judge import State, judge
from generator.rollouts.kinds import line
from generator.rollouts.reconciling import HEALTH, Ours, at_work, commit_in, not_applied, revision_of, tried
from generator.rollouts.snapshot import (
    Object,
    Snapshot,
    condition,
    container_status,
    digest_of,
    is_ready,
    shown_source,
    take,
)

_NAMES = ("reconciler", "deployment", "pods", "answer")


@dataclass
class History:
    """Of the branch that the reconciler follows. What a clone does not know may have been pushed since."""

    git: GitRepository
    branch: str
    current: bool = False

    def contains(self, revision: str, commit: str) -> bool | None:
        """Whether `revision` has `commit` in its history; None where the branch does not have one of them."""
        found = self.git.contains(revision, commit)
        if found is not None or self.current:
            return found
        self.git.fetch(self.branch)
        self.current = True
        return self.git.contains(revision, commit)


@dataclass(frozen=True)
class Place:
    """Where a model runs. With `member`, one of an environment's clusters: `cluster` is the reconciler's then,
    and `there` the member itself, None where none can be asked.
    """

    model: Model
    target: Target
    cluster: Cluster
    member: str | None = None
    there: Cluster | None = None

    @property
    def name(self) -> str:
        return workload(self.model.name)

    @property
    def follower(self) -> str | None:
        """The API's path of what follows the overlay."""
        return api_path(self.model, self.target, self.member)

    def look(self) -> Snapshot:
        if self.member is None:
            return take(self.cluster, self.target.namespace, self.name, self.follower)
        application = self.cluster.get(self.follower) if self.follower else None
        source = shown_source(self.cluster, application)
        if self.there is None:
            return Snapshot(None, None, (), (), (), application, source)
        there = take(self.there, self.target.namespace, self.name)
        return replace(there, application=application, source=source)


def places(
    model: Model, target: Target, cluster: Cluster, named: Callable[[str], Cluster | None]
) -> Iterator[Place]:
    """One for each cluster of the environment; `named` finds one by what it is called."""
    for member in members(target):
        there = None
        if member is not None:
            called = known_as(model.config.deploy.engine, member, target.settings.clusters[member])
            there = named(member) or named(called)
        yield Place(model, target, cluster, member, there)


def running(place: Place, ledger: Ledger, overlay_commit: str, git: GitRepository) -> Iterator[Link]:
    """The links from the overlay's commit to what /metadata answers. `ledger` has a current release."""
    history = History(git, place.model.overlays_branch)
    for link in _running(place, ledger, overlay_commit, history):
        yield replace(link, name=f"{link.name} {place.member}") if place.member else link


def _running(place: Place, ledger: Ledger, overlay_commit: str, history: History) -> Iterator[Link]:
    assert ledger.current
    entry = ledger.current
    ours: Ours = lambda revision: bool(history.contains(revision, overlay_commit))  # noqa: E731
    try:
        seen = place.look()
        if elsewhere(place, seen):
            where = f"the cluster of context {place.cluster.context()} has nothing of {place.target.name}"
            yield unseen("reconciler", f"{where}: {applying(place.model, place.target)}")
            return
        first = _reconciler(place, seen, overlay_commit, history)
    except GeneratorError as error:
        yield from (unseen(name, str(error)) for name in _NAMES)
        return
    earlier = {UNRELEASED_DIGEST, *(item.digest for item in ledger.history)}
    arriving = first.standing is Standing.MOVING and (seen.deployment is None or seen.digest in earlier)
    yield first
    if place.member and place.there is None:
        why = f"kubectl has no context called {place.member}, so the cluster is not asked"
        yield unseen("deployment", f"{why}: `kubectl config rename-context` gives one its name")
        return
    yield _deployment(place, seen, entry, arriving=arriving)
    yield _pods(seen, entry, ours, arriving=arriving)
    yield _answer(place, seen, entry, earlier_too=arriving or bool(seen.old_pods))


def elsewhere(place: Place, seen: Snapshot) -> bool:
    """Whether nothing of the environment is here: the context may be another environment's cluster."""
    if seen.application is not None or seen.deployment is not None:
        return False
    return place.follower is not None or place.cluster.get(f"/api/v1/namespaces/{place.target.namespace}") is None


def _reconciler(place: Place, seen: Snapshot, commit: str, history: History) -> Link:
    engine = place.model.config.deploy.engine
    if place.follower is None:
        return unseen("reconciler", "deploy.engine is none: who applies the overlay is not known")
    if seen.application is None:
        why = f"nothing follows the overlay: {applying(place.model, place.target)}"
        # The context may be that of one of the clusters, not of the reconciler's.
        return unseen("reconciler", why) if place.member else broken("reconciler", engine, why)
    status = seen.application.get("status", {})
    revision = status.get("sync", {}).get("revision") or status.get("lastAppliedRevision", "")
    revision = commit_in(revision)
    has_it = history.contains(revision, commit)
    sync, operation = status.get("sync", {}).get("status"), status.get("operationState", {})
    refused = not_applied(seen, lambda named: bool(history.contains(named, commit)))
    # Flux goes on naming the commit that it applied last, whatever became of a later one.
    if has_it and (sync == "Synced" or (sync is None and not refused)):
        return holds("reconciler", revision)
    if refused:
        return broken("reconciler", revision or engine, str(refused))
    if has_it is None:
        return broken("reconciler", revision, "it follows a commit that the release branch does not have")
    if not has_it:
        known = history.contains(tried(seen.application), commit)
        # What pods are to blame for their own link tells, and Flux says it on until it tries again.
        pods = f"Deployment/{place.target.namespace}/{place.name}"
        return _not_yet(seen.application, revision or engine, commit, known=bool(known), blames=pods)
    if operation.get("phase") == "Running" or not history.contains(revision_of(operation), commit):
        doing = at_work(seen.application)
        return moving("reconciler", revision, f"it has not applied {commit[:12]} yet{doing}")
    return broken("reconciler", revision, f"it is {sync}: what runs differs from the commit")


def _not_yet(application: Object, revision: str, commit: str, *, known: bool, blames: str) -> Link:
    """`known`: it works on the commit; `blames` the pods. Flux calls one applied once all of it is healthy."""
    ready = condition(application, "Ready")
    if not known or not ready:
        doing = at_work(application)
        return moving("reconciler", revision, f"it has not seen {commit[:12]} yet{doing}")
    said = ready.get("message", "")
    unhealthy = ready.get("reason") == HEALTH and blames not in said
    why = f"it is at {commit[:12]}: {line(said)}"
    return (broken if unhealthy else moving)("reconciler", revision, why)


def _deployment(place: Place, seen: Snapshot, entry: Entry, *, arriving: bool) -> Link:
    """`arriving`: the reconciler still has to bring the release."""
    where, differs = f"{place.target.namespace}/{place.name}", moving if arriving else broken
    if seen.deployment is None:
        return differs("deployment", where, "it is not there: does the reconciler run?")
    if seen.digest != entry.digest:
        return differs("deployment", where, f"it names {seen.digest or 'no digest'}, the overlay {entry.digest}")
    return holds("deployment", where)


def _pods(seen: Snapshot, entry: Entry, ours: Ours, *, arriving: bool) -> Link:
    found = judge(seen, entry.digest, ours)
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
    if not place.target.tells:
        why = "/metadata asks for an API key, or answers to named callers alone (docs/access.md)"
        return unseen("answer", why)
    if not any(is_ready(pod) for pod in (*seen.pods, *seen.old_pods)):
        return unseen("answer", "no pod is ready")
    try:
        told = metadata(place.there or place.cluster, place.target.namespace, place.name)
    except GeneratorError as error:
        return unseen("answer", str(error))
    if not isinstance(told, dict):
        return broken("answer", place.name, "the Service leads to nothing that answers /metadata")
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
    if odd := difference(told, wanted):
        return broken("answer", f"{told.get('name')} {told.get('version')}", f"{odd}, as the ledger says")
    return holds("answer", f"{told['name']} {told['version']}")
