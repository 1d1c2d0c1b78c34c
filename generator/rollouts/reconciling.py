"""What a reconciler says of a commit that it cannot apply: Argo CD's Application, Flux's Kustomization.

Both go on saying what became of an earlier commit until they have seen the next one, which may take minutes: what
they say counts for the commit alone that it is about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from generator.rollouts.kinds import SYNC, Failure, foremost, line, refused
from generator.rollouts.snapshot import Object, Snapshot

# Whether a revision, as the reconciler names it, contains the commit that is meant.
Ours = Callable[[str], bool]
_ON_ITS_WAY = ("Progressing", "DependencyNotReady", "HealthCheckFailed")


def not_applied(seen: Snapshot, ours: Ours | None = None) -> Failure | None:
    """Why the reconciler does not bring what it follows; None while it does not complain.

    Without `ours` what it says counts where it is of the newest commit that it has seen.
    """
    return foremost(complaints(seen, ours))


def revision_of(operation: Object) -> str:
    """The commit that an operation of Argo CD is about; empty where it names none."""
    asked = operation.get("operation", {}).get("sync", {})
    return str(operation.get("syncResult", {}).get("revision") or asked.get("revision") or "")


def complaints(seen: Snapshot, ours: Ours | None) -> Iterator[Failure]:
    """All of them; `ours` as in `not_applied`."""
    status = (seen.application or {}).get("status", {})
    operation = status.get("operationState", {})
    tried = revision_of(operation) or status.get("lastAttemptedRevision", "").rpartition(":")[2]
    newest = status.get("sync", {}).get("revision")
    if not (ours(tried) if ours else not (newest and tried and newest != tried)):
        return
    yield from _operation(operation)
    for one in status.get("conditions", []):
        broken = one["type"].endswith("Error") or (one["type"] == "Ready" and one.get("status") == "False")
        if broken and one.get("reason") not in _ON_ITS_WAY:
            message = one.get("message", "")
            yield refused(message) or Failure(SYNC, line(message))


def _operation(operation: Object) -> Iterator[Failure]:
    """Argo CD's sync: it tries again some times, and then no more."""
    phase = operation.get("phase")
    if phase not in ("Failed", "Error", "Running"):
        return
    resources = operation.get("syncResult", {}).get("resources") or []
    wrong = [one.get("message", "") for one in resources if one.get("status") == "SyncFailed"]
    if phase == "Running":
        yield from (refused(message) or Failure(SYNC, line(message)) for message in wrong)
        return
    message = next(iter(wrong), operation.get("message", ""))
    yield replace(refused(message) or Failure(SYNC, line(message)), late=True)
