"""What a cluster needs once, before it follows an overlay: the namespace, and the reconciler's own objects."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from generator.config.model import Model, Target
from generator.errors import InvalidInput, Problem
from generator.plan.files import PlannedFile

FOLDER = "k8s/reconciler"
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


FOLLOWERS = {
    "argocd": Follower("Argo CD", "Application", "/apis/argoproj.io/v1alpha1", "argocd", "applications"),
    "flux": Follower(
        "Flux", "Kustomization", "/apis/kustomize.toolkit.fluxcd.io/v1", "flux-system", "kustomizations"
    ),
}


def api_path(model: Model, target: Target) -> str | None:
    """The API's path of the object that follows an overlay; None with the engine `none`."""
    follower = FOLLOWERS.get(model.config.deploy.engine)
    if follower is None:
        return None
    return f"{follower.group}/namespaces/{follower.namespace}/{follower.plural}/{object_name(model, target)}"


def plan_reconciler(model: Model, neighbours: Iterable[Model] = ()) -> tuple[PlannedFile, ...]:
    """One file an environment, which a person, or their app of apps, applies once.

    With the engine `none` it holds the namespace alone: somebody must own that and its Pod Security labels.
    A namespace that `neighbours` share is declared by the first of them. Raises InvalidInput where
    repository.url is missing, or where two objects would have one name.
    """
    others = [other for other in neighbours if other.name != model.name]
    engine = model.config.deploy.engine
    if engine != "none":
        _check(model, others)
    files = (_file(model, target, others) for target in model.targets)
    return tuple(file for file in files if file is not None)


def _check(model: Model, others: list[Model]) -> None:
    problems = []
    if model.overlays_url is None:
        message = (
            f"repository.url is missing: {model.config.deploy.engine} must know where the overlays are; "
            "add repository: {url: https://…}"
        )
        problems.append(Problem(model.shown, 0, 0, message))
    taken = {object_name(other, target): (other, target) for other in others for target in other.targets}
    for target in model.targets:
        if (name := object_name(model, target)) in taken:
            other, its = taken[name]
            message = (
                f"{model.name} in {target.name} and {other.name} in {its.name} would both be {name} "
                "in the reconciler; rename one"
            )
            problems.append(Problem(model.shown, 0, 0, message))
    if problems:
        raise InvalidInput(problems)


def object_name(model: Model, target: Target) -> str:
    """The name of the reconciler's objects, `<model>-<environment>`, shortened with a hash where too long."""
    name = f"{model.name}-{target.name}"
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[: LONGEST_NAME - 9].rstrip('-')}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _file(model: Model, target: Target, others: list[Model]) -> PlannedFile | None:
    engine, url = model.config.deploy.engine, model.overlays_url
    declares = not any(_declares_before(other, model, target.namespace) for other in others)
    if engine == "none" and not declares:
        return None
    path = reconciler_file(model, target)
    overlay = model.overlay_path(target.name)
    values = {
        "title": f"{model.name} in {target.name}",
        "shown": model.shown,
        "path": str(PurePosixPath(model.home, path)),
        "fetched": "k8s" if model.home == "." else model.home,
        "declares_namespace": declares,
        "namespace": target.namespace,
        "keep": _KEEP_NAMESPACE[engine],
        "name": object_name(model, target),
        "overlay": overlay,
        "path_in_source": f"./{overlay}",
        "url": url,
        "branch": model.overlays_branch,
        "secret": f"{model.name}-git" if url and url.startswith("ssh://") else None,
        "deployment": f"{model.name}-inference",
        "autoscaling": target.serve.autoscaling is not None,
    }
    return PlannedFile(path, f"templates/reconciler/{engine}.yaml", values)


def reconciler_file(model: Model, target: Target) -> str:
    """What is applied once, so that an environment is followed; from the model's home."""
    alone = model.at_root or model.separate
    return f"{FOLDER}/{target.name}.yaml" if alone else f"{FOLDER}/{model.name}/{target.name}.yaml"


def applying(model: Model, target: Target) -> str:
    """What to do where a cluster has nothing that follows an environment, or is another one's."""
    where = f" in a checkout of {model.overlays_url}" if model.separate else ""
    file = PurePosixPath(model.home, reconciler_file(model, target))
    return f"run `kubectl apply -f {file}`{where}, or choose the cluster with `kubectl config use-context`"


def _declares_before(other: Model, model: Model, namespace: str) -> bool:
    return other.name < model.name and any(target.namespace == namespace for target in other.targets)
