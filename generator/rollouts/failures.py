"""Why a rollout fails: from what Kubernetes says of pods and their controllers to a reason and what to do.

Pure. Texts of runtimes and controllers differ between versions; what decides is a field wherever there is one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from generator.rollouts.snapshot import Object, Snapshot, condition, container_status, is_ready

LONGEST = 400  # of a cluster's message


@dataclass(frozen=True)
class Kind:
    """A way to fail. `name` is its place in docs/runbook.md, too."""

    name: str
    what: str
    fix: str
    at_once: bool = True  # False: it may pass by itself, and counts only at the rollout's deadline


IMAGE_ABSENT = Kind(
    "image-absent",
    "the registry does not have the image",
    "see whether it was deleted (`generator prune`, a lifecycle rule), and release again",
)
IMAGE_REFUSED = Kind(
    "image-refused",
    "the registry does not let the cluster pull the image",
    "give the nodes' role the right to pull, or set serve.pull_secret in model.yaml outside EKS",
)
IMAGE_UNREACHABLE = Kind(
    "image-unreachable",
    "the image cannot be pulled",
    "see whether the nodes reach the registry",
    at_once=False,
)
CRASH = Kind("crash-loop", "the server ends and is started again", "read its log: kubectl logs --previous")
CANNOT_START = Kind(
    "cannot-start",
    "the container cannot be started",
    "see what the message names: mostly a patch of the overlay, or the node",
)
OUT_OF_MEMORY = Kind(
    "out-of-memory",
    "the server needed more memory than its limit",
    "raise serve.resources.limits.memory in model.yaml",
)
ARCHITECTURE = Kind(
    "wrong-architecture",
    "the image is for another processor than the node's",
    "set image.platform in model.yaml to the nodes' own",
)
NEVER_READY = Kind(
    "never-ready",
    "the server runs, and does not become ready",
    "read its log: kubectl logs; /readyz says why it is not",
)
CONFIG_ABSENT = Kind(
    "config-absent",
    "the pod names a Secret or ConfigMap that is not there",
    "create it in the namespace, or take it out of the overlay",
)
QUOTA = Kind(
    "quota",
    "the namespace's quota does not allow another pod",
    "raise the quota, or ask for less in serve.resources",
)
POLICY = Kind(
    "policy",
    "the cluster's policy refuses the pod",
    "see what the message names, and patch the overlay or the policy",
)
UNSCHEDULABLE = Kind(
    "unschedulable",
    "no node has room for the pod",
    "add nodes, or ask for less in serve.resources",
    at_once=False,
)
SYNC = Kind(
    "sync-failed",
    "the reconciler cannot apply the overlay",
    "see what the message names; `kustomize build` of the overlay shows what it applies",
    at_once=False,
)
STUCK = Kind(
    "stuck",
    "the rollout made no progress until its deadline",
    "look at the events: kubectl describe deployment",
)
KINDS = (
    IMAGE_ABSENT,
    IMAGE_REFUSED,
    IMAGE_UNREACHABLE,
    CRASH,
    CANNOT_START,
    OUT_OF_MEMORY,
    ARCHITECTURE,
    NEVER_READY,
    CONFIG_ABSENT,
    QUOTA,
    POLICY,
    UNSCHEDULABLE,
    SYNC,
    STUCK,
)


@dataclass(frozen=True)
class Failure:
    """What was found, with the cluster's own words."""

    kind: Kind
    said: str  # by the cluster, one line
    late: bool = False  # the rollout's deadline has passed

    @property
    def final(self) -> bool:
        """Whether it counts already, although it might pass by itself."""
        return self.kind.at_once or self.late

    def __str__(self) -> str:
        return f"{self.kind.what} ({self.said}): {self.kind.fix}"


def failure(seen: Snapshot, digest: str) -> Failure | None:
    """Why `digest` does not come up, the first that is found; None while nothing says so.

    While the Deployment names another one, pods and their controllers speak of that.
    """
    same = seen.digest == digest
    looks: tuple[Callable[[Snapshot], Iterator[Failure]], ...] = (_application,)
    for look in (*looks, _creation, _pods, _deadline) if same else looks:
        for found in look(seen):
            return replace(found, late=same and _out_of_time(seen))
    return None


def not_applied(seen: Snapshot) -> Failure | None:
    """Why the reconciler does not bring what it follows; None while it does not complain."""
    return next(_application(seen), None)


def _application(seen: Snapshot) -> Iterator[Failure]:
    status = (seen.application or {}).get("status", {})
    operation = status.get("operationState", {})
    wanted, tried = status.get("sync", {}).get("revision"), revision_of(operation)
    earlier = bool(wanted and tried and wanted != tried)  # Argo CD keeps it until the next one begins
    if operation.get("phase") in ("Failed", "Error") and not earlier:
        yield _refused(operation.get("message", "")) or Failure(SYNC, _line(operation.get("message", "")))
    for one in status.get("conditions", []):
        broken = one["type"].endswith("Error") or (one["type"] == "Ready" and one.get("status") == "False")
        if broken and one.get("reason") not in ("Progressing", "DependencyNotReady", "HealthCheckFailed"):
            yield _refused(one.get("message", "")) or Failure(SYNC, _line(one.get("message", "")))


def revision_of(operation: Object) -> str:
    """The commit that an operation of Argo CD is about; empty where it names none."""
    asked = operation.get("operation", {}).get("sync", {})
    return str(operation.get("syncResult", {}).get("revision") or asked.get("revision") or "")


def _creation(seen: Snapshot) -> Iterator[Failure]:
    """Pods that the API server does not even take."""
    for one in (seen.deployment, seen.replica_set):
        refused = condition(one, "ReplicaFailure") if one else {}
        if refused.get("status") == "True":
            message = refused.get("message", "")
            yield _refused(message) or Failure(POLICY, _line(message))


def _refused(message: str) -> Failure | None:
    if "exceeded quota" in message or "failed quota" in message:
        return Failure(QUOTA, _line(message))
    if re.search(r"violates PodSecurity|admission webhook|ValidatingAdmissionPolicy|denied the request", message):
        return Failure(POLICY, _line(message))
    return None


def _pods(seen: Snapshot) -> Iterator[Failure]:
    for pod in seen.pods:
        if is_ready(pod):
            continue
        status = container_status(pod)
        waiting = status.get("state", {}).get("waiting", {})
        if look := _WAITING.get(waiting.get("reason", "")):
            yield look(seen, pod, waiting.get("message", ""))
        elif _ended(status):
            yield _crash(seen, pod, "")
        elif (scheduled := condition(pod, "PodScheduled")).get("reason") == "Unschedulable":
            yield Failure(UNSCHEDULABLE, _line(scheduled.get("message", "")))
        elif mount := _event(seen, pod, "FailedMount"):
            yield Failure(CONFIG_ABSENT, _line(mount))


def _image(seen: Snapshot, pod: Object, message: str) -> Failure:
    said = _event(seen, pod, "Failed", "pull") or message
    if re.search(r"not found|manifest unknown|NAME_UNKNOWN", said):
        return Failure(IMAGE_ABSENT, _line(said))
    if re.search(r"\b40[13]\b|[Uu]nauthorized|[Ff]orbidden|denied|authorization failed|no basic auth", said):
        return Failure(IMAGE_REFUSED, _line(said))
    return Failure(IMAGE_UNREACHABLE, _line(said))


def _config(seen: Snapshot, pod: Object, message: str) -> Failure:  # noqa: ARG001 - all looks are alike
    return Failure(CONFIG_ABSENT, _line(message))


def _ended(status: Object) -> Object:
    """How the server ended, where it has at least once."""
    found: Object = (
        status.get("state", {}).get("terminated") or status.get("lastState", {}).get("terminated") or {}
    )
    return found


def _crash(seen: Snapshot, pod: Object, message: str) -> Failure:
    ended = _ended(container_status(pod))
    reason, code = ended.get("reason", "Error"), ended.get("exitCode")
    if reason == "OOMKilled":
        return Failure(OUT_OF_MEMORY, f"OOMKilled, exit code {code}")
    if "exec format error" in ended.get("message", "") + message:
        return Failure(ARCHITECTURE, _line(ended.get("message", "") or message))
    if not ended:
        return Failure(CANNOT_START, _line(message))
    if probe := _event(seen, pod, "Killing", "probe"):
        unhealthy = _event(seen, pod, "Unhealthy")
        return Failure(NEVER_READY, _line(f"{probe} {unhealthy}"))
    last = (ended.get("message") or "").strip().splitlines()
    return Failure(CRASH, _line(f"{reason}, exit code {code}" + (f": {last[-1]}" if last else "")))


_WAITING: dict[str, Callable[[Snapshot, Object, str], Failure]] = {
    "ErrImagePull": _image,
    "ImagePullBackOff": _image,
    "ErrImageNeverPull": _image,
    "InvalidImageName": _image,
    "CreateContainerConfigError": _config,
    "CreateContainerError": _crash,
    "RunContainerError": _crash,
    "CrashLoopBackOff": _crash,
}


def _out_of_time(seen: Snapshot) -> bool:
    """Whether the Deployment's rollout made no progress until its deadline."""
    progress = condition(seen.deployment, "Progressing") if seen.deployment else {}
    return progress.get("reason") == "ProgressDeadlineExceeded"


def _deadline(seen: Snapshot) -> Iterator[Failure]:
    """Nothing above was found, and the controller has given up waiting."""
    if not _out_of_time(seen):
        return
    progress = condition(seen.deployment, "Progressing") if seen.deployment else {}
    running = next((pod for pod in seen.pods if "running" in container_status(pod).get("state", {})), None)
    if running:
        yield Failure(NEVER_READY, _line(_event(seen, running, "Unhealthy") or progress.get("message", "")))
    else:
        yield Failure(STUCK, _line(progress.get("message", "")))


def _event(seen: Snapshot, about: Object, reason: str, word: str = "") -> str:
    """The newest event of this reason whose message has `word`; empty where there is none."""
    messages = (
        event.get("message", "")
        for event in reversed(seen.events)
        if event["involvedObject"].get("uid") == about["metadata"]["uid"] and event.get("reason") == reason
    )
    return next((message for message in messages if word in message), "")


def _line(text: str) -> str:
    return " ".join(text.split())[:LONGEST] or "no reason given"
