"""One look at a model in a cluster: its Deployment, the pods of its newest revision, and their events.

The objects stay as the API server gave them (https://kubernetes.io/docs/reference/kubernetes-api/).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from generator.errors import GeneratorError
from generator.ports import Cluster

CONTAINER = "server"
_REPOSITORY = "/apis/source.toolkit.fluxcd.io/v1/namespaces/{}/gitrepositories/{}"  # Flux's
_REVISION = "deployment.kubernetes.io/revision"
Object = dict[str, Any]


@dataclass(frozen=True)
class Snapshot:
    """What was there at one moment."""

    deployment: Object | None
    replica_set: Object | None  # of the newest revision; None before its controller made one
    pods: tuple[Object, ...]  # of that revision, neither on their way out nor ended (evicted, node gone)
    old_pods: tuple[Object, ...]  # of other revisions, likewise
    events: tuple[Object, ...]  # of the objects above, oldest first
    application: Object | None = None  # Argo CD's, or Flux's Kustomization
    source: Object | None = None  # the GitRepository that a Kustomization reads
    ending: bool = False  # whether pods are on their way out: a quota counts them until they have gone

    @property
    def digest(self) -> str | None:
        """That the Deployment's container names."""
        return digest_of(container_spec(self.deployment).get("image", "")) if self.deployment else None

    @property
    def arrived(self) -> bool:
        """Whether the newest revision had all its pods once."""
        progress = condition(self.deployment, "Progressing") if self.deployment else {}
        return bool(progress.get("reason") == "NewReplicaSetAvailable")


def digest_of(image: str) -> str | None:
    """The digest in an image's name or ID."""
    found = re.search(r"@?(sha256:[0-9a-f]{64})$", image)
    return found[1] if found else None


def container_spec(workload: Object) -> Object:
    """The server's container in a Deployment or ReplicaSet."""
    containers = workload["spec"]["template"]["spec"]["containers"]
    found: Object = next((one for one in containers if one["name"] == CONTAINER), containers[0])
    return found


def container_status(pod: Object) -> Object:
    """What the kubelet says of a pod's server; empty before it says anything."""
    statuses = pod.get("status", {}).get("containerStatuses", [])
    found: Object = next((one for one in statuses if one["name"] == CONTAINER), {})
    return found


def condition(found: Object, kind: str) -> Object:
    """A condition of an object's status by its type; empty where it has none."""
    conditions = found.get("status", {}).get("conditions", [])
    wanted: Object = next((one for one in conditions if one["type"] == kind), {})
    return wanted


def is_ready(pod: Object) -> bool:
    return bool(condition(pod, "Ready").get("status") == "True")


def other_digest(seen: Snapshot, digest: str) -> str | None:
    """The one that pods serve besides `digest`; None where there is none, or more than one."""
    ready = (pod for pod in (*seen.pods, *seen.old_pods) if is_ready(pod))
    found = {digest_of(container_status(pod).get("imageID", "")) for pod in ready} - {digest, None}
    return found.pop() if len(found) == 1 else None


def take(cluster: Cluster, namespace: str, name: str, application: str | None = None) -> Snapshot:
    """Looks at the Deployment `name`; `application` is the API's path of the reconciler's object.

    Raises GeneratorError where the cluster does not answer, or does not show what is asked.
    """
    follower = cluster.get(application) if application else None
    source = shown_source(cluster, follower)
    deployment = cluster.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")
    if deployment is None:
        return Snapshot(None, None, (), (), (), follower, source)
    selector = ",".join(f"{key}={value}" for key, value in deployment["spec"]["selector"]["matchLabels"].items())
    query = f"?labelSelector={quote(selector)}"
    owned = list(_owned(cluster, f"/apis/apps/v1/namespaces/{namespace}/replicasets{query}", {_uid(deployment)}))
    pods = list(_owned(cluster, f"/api/v1/namespaces/{namespace}/pods{query}", {_uid(one) for one in owned}))
    newest = _newest(deployment, owned)
    staying = [pod for pod in pods if _stays(pod)]
    new = tuple(pod for pod in staying if newest and _owner(pod) == _uid(newest))
    about = {_uid(one) for one in (deployment, *([newest] if newest else []), *new)}
    events = cluster.get(f"/api/v1/namespaces/{namespace}/events") or {}
    told = [event for event in events.get("items", []) if event["involvedObject"].get("uid") in about]
    return Snapshot(
        deployment,
        newest,
        new,
        tuple(pod for pod in staying if pod not in new),
        tuple(sorted(told, key=_when)),
        follower,
        source,
        ending=any("deletionTimestamp" in pod["metadata"] for pod in pods),
    )


def source_of(cluster: Cluster, follower: Object | None) -> Object | None:
    """The GitRepository that a Kustomization reads. Raises GeneratorError as `take`."""
    read = (follower or {}).get("spec", {}).get("sourceRef", {})
    if read.get("kind") != "GitRepository":
        return None
    found: Object | None = cluster.get(_REPOSITORY.format(read.get("namespace", "flux-system"), read["name"]))
    return found


def shown_source(cluster: Cluster, follower: Object | None) -> Object | None:
    """The same; None where somebody may not see it, too: it only explains why nothing arrives."""
    try:
        return source_of(cluster, follower)
    except GeneratorError:
        return None


def _owned(cluster: Cluster, path: str, owners: set[str]) -> Iterator[Object]:
    found = cluster.get(path) or {}
    return (one for one in found.get("items", []) if _owner(one) in owners)


def _newest(deployment: Object, sets: list[Object]) -> Object | None:
    """The ReplicaSet with the Deployment's own template, once its controller has seen that."""
    if deployment.get("status", {}).get("observedGeneration", 0) < deployment["metadata"]["generation"]:
        return None
    revision = deployment["metadata"].get("annotations", {}).get(_REVISION)
    same = (one for one in sets if one["metadata"].get("annotations", {}).get(_REVISION) == revision)
    return next(same, None) if revision else None


def _stays(pod: Object) -> bool:
    ended = pod.get("status", {}).get("phase") in ("Failed", "Succeeded")
    return not ended and "deletionTimestamp" not in pod["metadata"]


def _uid(found: Object) -> str:
    return str(found["metadata"]["uid"])


def _owner(found: Object) -> str | None:
    owners = found["metadata"].get("ownerReferences", [])
    return next((str(one["uid"]) for one in owners if one.get("controller")), None)


def _when(event: Object) -> str:
    series = event.get("series") or {}
    known = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    return next((str(time) for time in known if time), "")
