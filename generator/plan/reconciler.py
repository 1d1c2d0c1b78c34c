"""What a cluster needs once, before it follows an overlay: the namespace, and the reconciler's own objects.

An environment with several clusters gets an object of the reconciler for each, in the cluster that the
reconciler runs in, and its namespace in a file of its own, for the others. Not an ApplicationSet: its list could
only repeat what model.yaml says, through one more controller with rights over all projects; each Application is
here to be read, and has a project that opens one namespace of one cluster.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from generator.config.following import known_as
from generator.config.model import Model, Target, workload
from generator.errors import InvalidInput, Problem
from generator.plan.files import PlannedFile
from generator.plan.pull_secret import pull_of

FOLDER = "k8s/reconciler"
# Kubernetes' groups of those who watch rollouts, one an environment: an EKS access entry brings a role into it.
OBSERVER = "tagship-observer:{}"
LONGEST_NAME = 63  # both engines write the name of their object into a label

# Removing a file must not take a namespace, and every other model in it, along.
_KEEP_NAMESPACE = {
    "argocd": "argocd.argoproj.io/sync-options: Prune=false,Delete=false",
    "flux": "kustomize.toolkit.fluxcd.io/prune: disabled",
    "none": None,
}


@dataclass(frozen=True)
class Follower:
    """The kind of object by which an engine follows an overlay."""

    title: str
    kind: str
    group: str  # the API's path of its group and version
    namespace: str
    plural: str
    source: str | None = None  # the plural of what it fetches from, where that is an object of its own

    @property
    def api_group(self) -> str:
        return self.group.split("/")[2]


FOLLOWERS = {
    "argocd": Follower("Argo CD", "Application", "/apis/argoproj.io/v1alpha1", "argocd", "applications"),
    "flux": Follower(
        "Flux",
        "Kustomization",
        "/apis/kustomize.toolkit.fluxcd.io/v1",
        "flux-system",
        "kustomizations",
        "gitrepositories",
    ),
}


def members(target: Target) -> tuple[str | None, ...]:
    """The clusters of an environment by their keys; None is the one that the reconciler runs in."""
    return tuple(target.settings.clusters) or (None,)


def api_path(model: Model, target: Target, cluster: str | None = None) -> str | None:
    """The API's path of the object that follows an overlay; None with the engine `none`.

    It is in the cluster that the reconciler runs in, whichever `cluster` it brings the overlay to.
    """
    follower = FOLLOWERS.get(model.config.deploy.engine)
    if follower is None:
        return None
    name = object_name(model, target, cluster)
    return f"{follower.group}/namespaces/{follower.namespace}/{follower.plural}/{name}"


def plan_reconciler(model: Model, neighbours: Iterable[Model] = ()) -> tuple[PlannedFile, ...]:
    """One file an environment, which a person, or their app of apps, applies once; with clusters two.

    With the engine `none` it holds the namespace, whose Pod Security labels somebody must own, and the right to
    write a pull secret: nothing else.
    A namespace that `neighbours` share is declared by the first of them. Raises InvalidInput where
    repository.url is missing, or where two objects would have one name.
    """
    others = [other for other in neighbours if other.name != model.name]
    engine = model.config.deploy.engine
    if engine != "none":
        _check(model, others)
    return tuple(file for target in model.targets for file in _files(model, target, others))


def _check(model: Model, others: list[Model]) -> None:
    problems = []
    if model.overlays_url is None:
        message = (
            f"repository.url is missing: {model.config.deploy.engine} must know where the overlays are; "
            "add repository: {url: https://…}"
        )
        problems.append(Problem(model.shown, 0, 0, message))
    owners = ((other, target) for other in others for target in other.targets)
    taken = {name: owner for owner in owners for name in _names(*owner)}
    for target in model.targets:
        for name in _names(model, target):
            other, its = taken.setdefault(name, (model, target))
            if (other.name, its.name) != (model.name, target.name):
                message = (
                    f"{model.name} in {target.name} and {other.name} in {its.name} would both be {name} "
                    "in the reconciler; rename one"
                )
                problems.append(Problem(model.shown, 0, 0, message))
    if problems:
        raise InvalidInput(problems)


def _names(model: Model, target: Target) -> set[str]:
    """Of all that follows an environment, or is its source."""
    return {object_name(model, target), *(object_name(model, target, cluster) for cluster in members(target))}


def object_name(model: Model, target: Target, cluster: str | None = None) -> str:
    """The name of the reconciler's objects: `<model>-<environment>`, and `-<cluster>` where there are several."""
    return _short("-".join(filter(None, (model.name, target.name, cluster))))


def _short(name: str) -> str:
    """Shortened with a hash where too long."""
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[: LONGEST_NAME - 9].rstrip('-')}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _files(model: Model, target: Target, others: list[Model]) -> Iterator[PlannedFile]:
    engine, clusters = model.config.deploy.engine, target.settings.clusters
    path, values = reconciler_file(model, target), _values(model, target)
    pull = pull_of(model, target)
    # What is applied where the model runs: in its clusters, where those are not the reconciler's own.
    there = {
        "declares_namespace": not any(_declares_before(other, model, target) for other in others),
        "pull": pull if pull and pull.by_cronjob else None,
    }
    nothing = dict.fromkeys(there)
    if clusters and any(there.values()):
        file = path.replace(".yaml", ".namespace.yaml")
        shown = {"path": str(PurePosixPath(model.home, file)), "clusters": ", ".join(clusters)}
        yield PlannedFile(file, "templates/reconciler/namespace.yaml", {**values, **there, **shown})
    here = nothing if clusters else there
    if engine != "none" or any(here.values()) or values["observer"]:
        yield PlannedFile(path, f"templates/reconciler/{engine}.yaml", {**values, **here})


def _values(model: Model, target: Target) -> dict[str, object]:
    engine, url = model.config.deploy.engine, model.overlays_url
    overlay, clusters = model.overlay_path(target.name), target.settings.clusters
    name, told = object_name(model, target), model.config.deploy.notifications
    return {
        "title": f"{model.name} in {target.name}",
        "shown": model.shown,
        "path": str(PurePosixPath(model.home, reconciler_file(model, target))),
        "fetched": "k8s" if model.home == "." else model.home,
        "namespace": target.namespace,
        "keep": _KEEP_NAMESPACE[engine],
        "name": name,
        "followers": [
            {
                "name": object_name(model, target, cluster),
                "cluster": known_as(engine, cluster, clusters[cluster]) if cluster else None,
            }
            for cluster in members(target)
        ],
        "clusters": ", ".join(clusters),
        "alerts": {_short(f"{name}-{provider}"): provider for provider in told},
        "notifications": told,
        "overlay": overlay,
        "path_in_source": f"./{overlay}",
        "url": url,
        "branch": model.overlays_branch,
        "secret": f"{model.name}-git" if url and url.startswith("ssh://") else None,
        "deployment": workload(model.name),
        "autoscaling": target.serve.autoscaling is not None,
        "patience": f"{_minutes(target)}m",
        "first_pull": (pull := pull_of(model, target)) is not None and pull.first,
        "model": model.name,
        "observer": _observer(model, target),
    }


def _minutes(target: Target) -> int:
    """For Flux to see a release healthy: its pods come one after the other, mostly within a minute each."""
    scaling = target.serve.autoscaling
    return min(10, 1 + max(1, scaling.max if scaling else target.serve.replicas))


def _observer(model: Model, target: Target) -> dict[str, object] | None:
    """The rights of who watches rollouts; None where nobody does."""
    if target.observe is None:
        return None
    return {
        "name": f"{object_name(model, target)}-observer",
        "group": OBSERVER.format(object_name(model, target)),
        "follower": FOLLOWERS.get(model.config.deploy.engine),
    }


def reconciler_file(model: Model, target: Target) -> str:
    """What is applied once, so that an environment is followed; from the model's home."""
    alone = model.at_root or model.separate
    return f"{FOLDER}/{target.name}.yaml" if alone else f"{FOLDER}/{model.name}/{target.name}.yaml"


def applying(model: Model, target: Target) -> str:
    """What to do where a cluster has nothing that follows an environment, or is another one's."""
    where = f" in a checkout of {model.overlays_url}" if model.separate else ""
    file = PurePosixPath(model.home, reconciler_file(model, target))
    return f"run `kubectl apply -f {file}`{where}, or choose the cluster with `kubectl config use-context`"


def _declares_before(other: Model, model: Model, target: Target) -> bool:
    """Whether `other` comes first, and declares the namespace wherever `target` wants it."""
    return other.name < model.name and any(
        one.namespace == target.namespace and set(members(target)) <= set(members(one)) for one in other.targets
    )
