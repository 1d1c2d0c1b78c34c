"""The ways in which a rollout fails: what each means and what to do. docs/runbook.md has a section for each."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

LONGEST = 400  # of a cluster's message


@dataclass(frozen=True)
class Kind:
    """A way to fail. `name` is its place in docs/runbook.md, too; `{pod}` in `fix` is the one that shows it."""

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
CRASH = Kind("crash-loop", "the server ends and is started again", "read its log: kubectl logs --previous {pod}")
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
    "read its log: kubectl logs {pod}; /readyz says why it is not",
)
CONFIG_ABSENT = Kind(
    "config-absent",
    "the pod names a Secret, ConfigMap or priority class that is not there",
    "create it, or take it out of the overlay",
)
QUOTA = Kind(
    "quota",
    "the namespace's quota or limit range does not allow another pod",
    "raise it, or ask for less in serve.resources",
)
POLICY = Kind(
    "policy",
    "the cluster's policy refuses the pod, or another object",
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
    late: bool = False  # the rollout's deadline has passed, or nothing tries again
    pod: str = "POD"  # whose failure it is
    passing: bool = False  # so far it may be a moment's: a time-out, a first restart, a Secret on its way

    @property
    def final(self) -> bool:
        """Whether it counts already, although it might pass by itself."""
        return self.late or (self.kind.at_once and not self.passing)

    def __str__(self) -> str:
        return f"{self.kind.what} ({self.said}): {self.kind.fix.replace('{pod}', self.pod)}"


def foremost(found: Iterable[Failure]) -> Failure | None:
    """The first that is final, else the first: what may pass hides nothing that does not."""
    known = tuple(found)
    return next((one for one in known if one.final), next(iter(known), None))


# Of ResourceQuota and of LimitRange: "maximum memory usage per Container is 512Mi, but limit is 1Gi".
_QUOTA = re.compile(r"exceeded quota|failed quota|(maximum|minimum) \S+ usage per|max limit to request ratio per")


def refused(message: str) -> Failure | None:
    """The refusal that a message of the API server tells, if it does; none by a webhook that did not answer."""
    if _QUOTA.search(message):
        return Failure(QUOTA, line(message))
    if "no PriorityClass with name" in message:
        return Failure(CONFIG_ABSENT, line(message))
    if "failed calling webhook" in message:
        return None
    if re.search(r"violates PodSecurity|admission webhook|ValidatingAdmissionPolicy|denied the request", message):
        return Failure(POLICY, line(message))
    return None


def line(text: str) -> str:
    """One line of bounded length. A reason stands at the end, after names that are told again and again."""
    whole = " ".join(text.split()) or "no reason given"
    if len(whole) <= LONGEST:
        return whole
    return f"{whole[: LONGEST // 3]} … {whole[-(LONGEST - LONGEST // 3 - 3) :]}"
