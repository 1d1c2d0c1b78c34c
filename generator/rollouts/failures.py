"""Why a rollout fails: from what Kubernetes says of pods and their controllers to a reason and what to do.

Pure. Texts of runtimes and controllers differ between versions; what decides is a field wherever there is one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from generator.rollouts.kinds import (
    ARCHITECTURE,
    CANNOT_START,
    CONFIG_ABSENT,
    CRASH,
    IMAGE_ABSENT,
    IMAGE_REFUSED,
    IMAGE_UNREACHABLE,
    NEVER_READY,
    OUT_OF_MEMORY,
    POLICY,
    STUCK,
    UNSCHEDULABLE,
    Failure,
    foremost,
    line,
    refused,
)
from generator.rollouts.reconciling import Ours, complaints
from generator.rollouts.snapshot import Object, Snapshot, condition, container_status, is_ready

_TRIED_STILL = re.compile(r"deadline exceeded|is reserved for")
AGAIN = 4  # times that an event was told: some ten seconds
MANY = 2  # restarts


def failure(seen: Snapshot, digest: str, ours: Ours | None = None) -> Failure | None:
    """Why `digest` does not come up, what is final first; None while nothing says so.

    While the Deployment names another one, pods and their controllers speak of that. `ours` says which of the
    reconciler's words are about the commit that names the digest.
    """
    found = [*complaints(seen, ours)]
    if seen.digest == digest:
        # It has arrived: what is refused is another object, or a later commit, and pods decide.
        found = [replace(one, late=False, passing=True) for one in found]
        if own := foremost((*_creation(seen), *_pods(seen))) or _deadline(seen):
            found.insert(0, replace(own, late=_out_of_time(seen)))
    return foremost(found)


def _creation(seen: Snapshot) -> Iterator[Failure]:
    """Pods of the newest revision that the API server does not even take."""
    message = condition(seen.replica_set, "ReplicaFailure").get("message", "") if seen.replica_set else ""
    if not message:
        return
    found = refused(message) or Failure(POLICY, line(message), passing=True)
    # A quota has room again when the pods that this rollout replaces have gone.
    replacing = seen.ending or (not seen.arrived and any(is_ready(pod) for pod in seen.pods))
    yield replace(found, passing=found.passing or (replacing and "quota" in message))


def _pods(seen: Snapshot) -> Iterator[Failure]:
    for pod in seen.pods:
        if is_ready(pod):
            continue
        if found := _pod(seen, pod):
            yield replace(found, pod=pod["metadata"]["name"])


def _pod(seen: Snapshot, pod: Object) -> Failure | None:
    """Why a pod is not ready, where something says so."""
    status = container_status(pod)
    waiting = status.get("state", {}).get("waiting", {})
    if look := _WAITING.get(waiting.get("reason", "")):
        return look(seen, pod, waiting.get("message", ""))
    if _ended(status) and not _long_ago(seen, status):
        return _crash(seen, pod, "")
    if (scheduled := condition(pod, "PodScheduled")).get("reason") == "Unschedulable":
        return Failure(UNSCHEDULABLE, line(scheduled.get("message", "")))
    if "running" not in status.get("state", {}) and (mount := _event(seen, pod, "FailedMount")):
        return Failure(CONFIG_ABSENT, line(mount), passing=not _repeated(seen, pod, "FailedMount", mount))
    return None


def _long_ago(seen: Snapshot, status: Object) -> bool:
    """Whether a server's last end is no word on why it is not ready: it has come up again, after the rollout."""
    up_again = "running" in status.get("state", {}) and status.get("started") is True
    return up_again and seen.arrived


def _image(seen: Snapshot, pod: Object, message: str) -> Failure:
    said = _event(seen, pod, "Failed", "pull") or message
    if re.search(r"not found|manifest unknown|NAME_UNKNOWN", said):
        return Failure(IMAGE_ABSENT, line(said))
    if re.search(r"\b40[13]\b|[Uu]nauthorized|[Ff]orbidden|denied|authorization failed|no basic auth", said):
        # The first login of a pull secret may come a moment after the pod.
        awaited = bool(pod.get("spec", {}).get("imagePullSecrets"))
        return Failure(IMAGE_REFUSED, line(said), passing=awaited and not _repeated(seen, pod, "Failed", said))
    return Failure(IMAGE_UNREACHABLE, line(said))


def _config(seen: Snapshot, pod: Object, message: str) -> Failure:
    return Failure(CONFIG_ABSENT, line(message), passing=not _repeated(seen, pod, "Failed", message))


def _repeated(seen: Snapshot, pod: Object, reason: str, message: str) -> bool:
    """Whether it was tried again and again; a Secret may come a moment after the pod, and a time-out passes."""
    if "timed out" in message or "deadline exceeded" in message:
        return False
    own = (one for one in seen.events if one["involvedObject"].get("uid") == pod["metadata"]["uid"])
    said = (one for one in own if one.get("reason") == reason and message in one.get("message", ""))
    return any((one.get("series") or one).get("count", 1) >= AGAIN for one in said)


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
        return Failure(ARCHITECTURE, line(ended.get("message", "") or message))
    if not ended:
        # The kubelet's first try took too long and goes on: until it ends, its name is reserved.
        return Failure(CANNOT_START, line(message), passing=bool(_TRIED_STILL.search(message)))
    if probe := _event(seen, pod, "Killing", "probe"):
        unhealthy = _event(seen, pod, "Unhealthy")
        # One liveness kill may be a moment's load; the startup probe has waited as long as it should.
        once = "liveness" in probe and container_status(pod).get("restartCount", 0) < MANY
        return Failure(NEVER_READY, line(f"{probe} {unhealthy}"), passing=once)
    last = (ended.get("message") or "").strip().splitlines()
    said = line(f"{reason}, exit code {code}" + (f": {last[-1]}" if last else ""))
    # The first restart may be the node's doing.
    back_off = container_status(pod).get("state", {}).get("waiting", {}).get("reason") == "CrashLoopBackOff"
    return Failure(CRASH, said, passing=not back_off and container_status(pod).get("restartCount", 0) < MANY)


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
    """Whether the newest revision made no progress until its deadline. The condition outlives what it is about."""
    progress = condition(seen.deployment, "Progressing") if seen.deployment else {}
    if progress.get("reason") != "ProgressDeadlineExceeded" or seen.replica_set is None:
        return False
    return seen.replica_set["metadata"]["name"] in progress.get("message", "")


def _deadline(seen: Snapshot) -> Failure | None:
    """Nothing above was found, and the controller has given up waiting."""
    if not _out_of_time(seen):
        return None
    progress = condition(seen.deployment, "Progressing") if seen.deployment else {}
    running = next((pod for pod in seen.pods if "running" in container_status(pod).get("state", {})), None)
    if running:
        said = line(_event(seen, running, "Unhealthy") or progress.get("message", ""))
        return Failure(NEVER_READY, said, pod=running["metadata"]["name"])
    return Failure(STUCK, line(progress.get("message", "")))


def _event(seen: Snapshot, about: Object, reason: str, word: str = "") -> str:
    """The newest event of this reason whose message has `word`; empty where there is none."""
    messages = (
        event.get("message", "")
        for event in reversed(seen.events)
        if event["involvedObject"].get("uid") == about["metadata"]["uid"] and event.get("reason") == reason
    )
    return next((message for message in messages if word in message), "")
