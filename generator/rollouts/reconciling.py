"""What a reconciler says of a commit that it cannot apply: Argo CD's Application, Flux's Kustomization.

Both go on saying what became of an earlier commit until they have seen the next one, which may take minutes: what
they say of a commit counts for that commit alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from generator.rollouts.kinds import SYNC, Failure, foremost, line, refused
from generator.rollouts.snapshot import Object, Snapshot

# Whether a revision, as the reconciler names it, contains the commit that is meant.
Ours = Callable[[str], bool]
HEALTH = "HealthCheckFailed"  # Flux's: what it has applied is not healthy within its time
_ON_ITS_WAY = ("Progressing", "DependencyNotReady", "HealthCheckCanceled")
_OF_WHAT_WAS_TRIED = ("Ready", "SyncError")
_SKIPPED = "argocd.argoproj.io/skip-reconcile"
_TRUE = ("true", "t", "1")  # as Argo CD reads it
_BEFORE_A_TRY = "ArtifactFailed"  # Flux's: what it fetched is not there, or has no such folder


def not_applied(seen: Snapshot, ours: Ours | None = None) -> Failure | None:
    """Why the reconciler does not bring what it follows; None while it does not complain.

    Without `ours` what it says counts where it is of the newest commit that it has seen.
    """
    return foremost(complaints(seen, ours))


def revision_of(operation: Object) -> str:
    """The commit that an operation of Argo CD is about; empty where it names none."""
    asked = operation.get("operation", {}).get("sync", {})
    return str(operation.get("syncResult", {}).get("revision") or asked.get("revision") or "")


def commit_in(revision: str) -> str:
    """The commit that a revision names: Flux writes `main@sha1:…`."""
    return revision.rpartition(":")[2]


def tried(application: Object | None) -> str:
    """The commit that the reconciler applied last, or tried to; empty before the first."""
    status = (application or {}).get("status", {})
    return revision_of(status.get("operationState", {})) or commit_in(status.get("lastAttemptedRevision", ""))


@dataclass
class Since:
    """Whether a revision is `commit` or came after the first look, for who has no clone of its repository."""

    commit: str
    first: str | None = None  # what had been tried then

    def saw(self, seen: Snapshot) -> Snapshot:
        if self.first is None:
            self.first = tried(seen.application)
        return seen

    def ours(self, revision: str) -> bool:
        return revision == self.commit or (bool(revision) and revision != self.first)


def wrong(status: Object) -> list[Object]:
    """The conditions of an Application, a Kustomization or a GitRepository that complain."""
    return [
        one
        for one in status.get("conditions", [])
        if (one["type"].endswith("Error") or (one["type"] == "Ready" and one.get("status") == "False"))
        and one.get("reason") not in _ON_ITS_WAY
    ]


def complaints(seen: Snapshot, ours: Ours | None) -> Iterator[Failure]:
    """All of them; `ours` as in `not_applied`."""
    status = (seen.application or {}).get("status", {})
    said = [one for one in wrong(status) if one.get("reason") != HEALTH]  # pods say it better
    last, newest = tried(seen.application), status.get("sync", {}).get("revision")
    if ours(last) if ours else not (newest and last and newest != last):
        yield from _operation(status.get("operationState", {}))
        for message in (one.get("message", "") for one in said if _of_a_commit(one)):
            yield refused(message) or Failure(SYNC, line(message))
    # What cannot even be fetched or compared is not tried and names no commit: it counts whichever was tried last.
    fetching = wrong((seen.source or {}).get("status", {}))
    for one in (*(one for one in said if not _of_a_commit(one)), *fetching):
        yield Failure(SYNC, line(one.get("message", "")))
    if not (ours and ours(last)):
        yield from (Failure(SYNC, told) for told in suspended(seen.application, seen.source))


def _of_a_commit(told: Object) -> bool:
    return told["type"] in _OF_WHAT_WAS_TRIED and told.get("reason") != _BEFORE_A_TRY


def suspended(application: Object | None, source: Object | None) -> Iterator[str]:
    """Which of the reconciler's objects somebody has stopped, and how they go on."""
    for found, command in ((application, "kustomization"), (source, "source git")):
        if not found or "metadata" not in found:
            continue
        name = found["metadata"]["name"]
        if found["metadata"].get("deletionTimestamp"):
            yield f"{name} is being deleted: apply its file of k8s/reconciler/ again once it has gone"
        elif found.get("spec", {}).get("suspend"):
            yield f"{name} is suspended: run `flux resume {command} {name}`"
        elif found.get("kind") == "Application":
            yield from _stopped(found, name)


def _stopped(application: Object, name: str) -> Iterator[str]:
    """What keeps Argo CD from following by itself."""
    automated = application.get("spec", {}).get("syncPolicy", {}).get("automated")
    if automated is None or automated.get("enabled") is False:
        yield f"{name} is not synced by itself any more: apply its file of k8s/reconciler/ again"
    if application["metadata"].get("annotations", {}).get(_SKIPPED, "").lower() in _TRUE:
        yield f"{name} is passed over: `kubectl -n argocd annotate application {name} {_SKIPPED}-`"


def at_work(application: Object | None) -> str:
    """What Argo CD says of a sync that goes on, such as what it waits for; empty where none does."""
    operation = (application or {}).get("status", {}).get("operationState", {})
    said = operation.get("message", "") if operation.get("phase") == "Running" else ""
    return f": {line(said)}" if said else ""


def _operation(operation: Object) -> Iterator[Failure]:
    """Argo CD's sync: it tries again some times, and then no more."""
    phase = operation.get("phase")
    if phase not in ("Failed", "Error", "Running"):
        return
    resources = operation.get("syncResult", {}).get("resources") or []
    failed = [one.get("message", "") for one in resources if one.get("status") == "SyncFailed"]
    if phase == "Running":
        yield from (refused(message) or Failure(SYNC, line(message)) for message in failed)
        return
    message = next(iter(failed), operation.get("message", ""))
    yield replace(refused(message) or Failure(SYNC, line(message)), late=True)
