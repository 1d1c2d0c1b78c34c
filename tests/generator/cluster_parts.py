"""A cluster behind our own protocol: objects as an API server gives them, by their paths."""

from __future__ import annotations

import copy
from typing import Any

from generator.errors import GeneratorError

NAMESPACE = "churn"
NAME = "churn-inference"
LABELS = {"app.kubernetes.io/name": "inference", "app.kubernetes.io/instance": "churn"}
_REVISION = "deployment.kubernetes.io/revision"
REPOSITORY = "123456789012.dkr.ecr.eu-north-1.amazonaws.com/churn"


def digest(digit: str) -> str:
    return "sha256:" + digit * 64


def deployment(wanted: str, *, replicas: int = 2, revision: int = 2) -> dict[str, Any]:
    """A Deployment whose controller has seen it."""
    return {
        "metadata": {"uid": "d", "name": NAME, "generation": 3, "annotations": {_REVISION: str(revision)}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": LABELS},
            "template": {"spec": {"containers": [{"name": "server", "image": f"{REPOSITORY}@{wanted}"}]}},
        },
        "status": {
            "observedGeneration": 3,
            "conditions": [{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}],
        },
    }


def replica_set(uid: str, revision: int) -> dict[str, Any]:
    owner = {"uid": "d", "controller": True}
    return {
        "metadata": {
            "uid": uid,
            "name": uid,
            "annotations": {_REVISION: str(revision)},
            "ownerReferences": [owner],
        }
    }


def pod(
    name: str, image: str | None = None, *, owner: str = "new", state: Any = None, last: Any = None
) -> dict[str, Any]:
    """A pod; ready if it has an `image`'s digest and no `state`."""
    ready = image is not None and state is None
    status = {"name": "server", "state": state or {"running": {}}, "lastState": last or {}, "restartCount": 0}
    if image:
        status["imageID"] = f"{REPOSITORY}@{image}"
    return {
        "metadata": {"uid": name, "name": name, "ownerReferences": [{"uid": owner, "controller": True}]},
        "status": {
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": [status],
        },
    }


def event(about: str, reason: str, message: str, at: str = "2026-11-22T00:00:00Z") -> dict[str, Any]:
    return {"involvedObject": {"uid": about}, "reason": reason, "message": message, "lastTimestamp": at}


class FakeCluster:
    """What it holds may be changed by hand: `deployment`, `sets`, `pods`, `events`, `application`, `told`."""

    def __init__(self, running: str, *, revision: str = "") -> None:
        self.deployment: dict[str, Any] | None = deployment(running)
        self.sets = [replica_set("old", 1), replica_set("new", 2)]
        self.pods = [pod("one", running), pod("two", running)]
        self.events: list[dict[str, Any]] = []
        self.application: dict[str, Any] | None = {
            "status": {
                "sync": {"revision": revision, "status": "Synced"},
                "health": {"status": "Healthy"},
                "operationState": {"phase": "Succeeded", "syncResult": {"revision": revision}},
            }
        }
        self.namespace: dict[str, Any] | None = {"kind": "Namespace"}
        self.told: Any = None
        self.named = "test"
        self.refuses: str | None = None
        self.hides: dict[str, str] = {}  # why, by a part of the path
        self.more: dict[str, Any] = {}  # by path

    def followed_by_flux(self, *, source: dict[str, Any] | None = None, **application: Any) -> None:
        """The reconciler's object is a Kustomization like `application`, which reads the GitRepository `source`."""
        reads = {"sourceRef": {"kind": "GitRepository", "name": "churn-production"}}
        self.application = {
            "kind": "Kustomization",
            "metadata": {"name": "churn-production"},
            "spec": {**reads, **application.pop("spec", {})},
            **application,
        }
        path = "/apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/gitrepositories/churn-production"
        self.more[path] = {"kind": "GitRepository", "metadata": {"name": "churn-production"}, **(source or {})}

    def held(self) -> dict[str, Any]:
        """All objects, by their paths; None for one that is not there."""
        return {
            f"/api/v1/namespaces/{NAMESPACE}": self.namespace,
            f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{NAME}": self.deployment,
            f"/apis/apps/v1/namespaces/{NAMESPACE}/replicasets": {"items": self.sets},
            f"/api/v1/namespaces/{NAMESPACE}/pods": {"items": self.pods},
            f"/api/v1/namespaces/{NAMESPACE}/events": {"items": self.events},
            "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/churn-production": self.application,
            f"/api/v1/namespaces/{NAMESPACE}/services/{NAME}:http/proxy/metadata": self.told,
            **self.more,
        }

    def context(self) -> str:
        return self.named

    def get(self, path: str) -> Any:
        if self.refuses:
            raise GeneratorError(self.refuses)
        for part, why in self.hides.items():
            if part in path:
                raise GeneratorError(why)
        plain, known = path.partition("?")[0], self.held()
        if plain not in known:
            raise AssertionError(f"nobody should ask for {path}")
        return copy.deepcopy(known[plain])
