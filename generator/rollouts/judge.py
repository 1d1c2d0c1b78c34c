"""Where a rollout stands: whether the cluster runs exactly the digest that was committed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from generator.rollouts.failures import failure
from generator.rollouts.kinds import Failure
from generator.rollouts.reconciling import Ours, at_work
from generator.rollouts.snapshot import Snapshot, container_status, digest_of, is_ready


class State(StrEnum):
    """Of one environment."""

    WAITING = "waiting"  # the reconciler has not brought it yet
    ROLLING = "rolling"  # pods are being replaced
    SERVING = "serving"  # all pods are ready and run it
    FAILED = "failed"


@dataclass(frozen=True)
class Seen:
    """One judgement. `failure` may be there while the rollout goes on, where it may pass by itself, and while all
    pods serve, where the reconciler complains of another object.
    """

    state: State
    detail: str
    failure: Failure | None = None
    complete: bool = False  # the rollout was over, and pods serve still: a drain or scaling takes some, too


def judge(seen: Snapshot, digest: str, ours: Ours | None = None) -> Seen:
    """`seen` against the digest that its overlay names; `ours` as in `failure`."""
    found = failure(seen, digest, ours)
    if seen.deployment is None:
        return _or_failed(found, State.WAITING, f"there is no Deployment yet{at_work(seen.application)}")
    if seen.digest != digest:
        running = seen.digest or "an image without a digest"
        doing = at_work(seen.application)
        return _or_failed(found, State.WAITING, f"the Deployment names {running[:19]} still{doing}")
    wanted = seen.deployment["spec"].get("replicas", 1)
    ready = [pod for pod in seen.pods if is_ready(pod)]
    others = {digest_of(container_status(pod).get("imageID", "")) or "nothing" for pod in ready} - {digest}
    if others:
        return Seen(State.ROLLING, f"a ready pod runs {min(others)[:19]}", found)
    if seen.replica_set is None or len(ready) < wanted or seen.old_pods:
        leaving = f", {len(seen.old_pods)} of an earlier revision" if seen.old_pods else ""
        judged = _or_failed(found, State.ROLLING, f"{len(ready)} of {wanted} pods ready{leaving}")
        complete = seen.arrived and bool(ready) and seen.replica_set is not None and not seen.old_pods
        return replace(judged, complete=complete and judged.state is State.ROLLING)
    if not wanted:
        return Seen(State.WAITING, "the Deployment asks for no pods", complete=seen.arrived)
    return Seen(State.SERVING, f"{wanted} of {wanted} pods ready", found)


def _or_failed(found: Failure | None, state: State, detail: str) -> Seen:
    if found and found.final:
        return Seen(State.FAILED, str(found), found)
    return Seen(state, f"{detail}; {found}" if found else detail, found)
