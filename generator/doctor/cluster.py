"""The cluster of kubectl's current context: namespaces, and the reconciler's objects with what they follow.

Which cluster is meant is not written anywhere, so what is missing in this one is a warning, not an error.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

from generator.adapters.kubectl import Kubectl
from generator.config.model import Model, Target
from generator.doctor.finding import Finding, Findings, Severity, Subject, not_checked
from generator.errors import GeneratorError
from generator.plan.reconciler import FOLLOWERS, api_path, applying, members, object_name
from generator.rollouts.reconciling import HEALTH, suspended, wrong
from generator.rollouts.snapshot import source_of

AREA = "cluster"
OLDEST = (1, 30)  # before it a pod's preStop knows no sleep
_GATE = "CancelHealthCheckOnNewRevision"  # Flux 2.7's
_TRIES = "correct what it says; it tries again by itself"
_FIXES = {
    "SyncError": "correct what it says, then `argocd app sync`, or another commit: it tries this one no more"
}
_WARNINGS = ("ExcludedResourceWarning", "RepeatedResourceWarning", "SharedResourceWarning")  # Argo CD's
_UNHEALTHY = "look at what is not healthy there: `kubectl describe`, and `kubectl logs` of pods"


def check(subject: Subject) -> Findings:
    kubectl = Kubectl()
    context = kubectl.context()  # without one nothing is looked at; said by whoever calls this
    yield from _version(kubectl, context)
    for model in subject.models:
        for target in model.targets:
            if target.settings.clusters:
                clusters = ", ".join(target.settings.clusters)
                yield not_checked(AREA, f"namespace {target.namespace} in {clusters}: ask each", model.shown)
            elif kubectl.get(f"/api/v1/namespaces/{target.namespace}") is None:
                what = f"the cluster of context {context} has no namespace {target.namespace}"
                yield _warning(what, context, applying(model, target))
        yield from _reconciler(model, kubectl, context)
    try:
        yield from _unwanted(subject, kubectl)
    except GeneratorError as error:
        yield not_checked(AREA, f"what else follows the overlays: {error}")


def _version(kubectl: Kubectl, context: str) -> Findings:
    told = kubectl.get("/version") or {}
    found = tuple(int(re.sub(r"\D", "", str(told.get(key))) or 0) for key in ("major", "minor"))
    if told and found < OLDEST:
        what = (
            f"the cluster of context {context} is Kubernetes {found[0]}.{found[1]}, which refuses our Deployments"
        )
        yield Finding(AREA, Severity.ERROR, what, context, "upgrade it to {}.{} or newer".format(*OLDEST))


def _unwanted(subject: Subject, kubectl: Kubectl) -> Findings:
    """What follows overlays of ours, yet for no environment or cluster that a model has."""
    models = subject.workspace.models if subject.workspace else ()
    wanted = {
        api_path(model, target, member)
        for model in models
        for target in model.targets
        for member in members(target)
    }
    # With the engine `none` people point objects of their own at overlays.
    free = {model.overlay_path(one.name) for model in models for one in model.targets if not api_path(model, one)}
    homes = {(model.overlays_url, str(PurePosixPath(model.home, "k8s/overlays"))) for model in models}
    for follower in FOLLOWERS.values():
        folder = f"{follower.group}/namespaces/{follower.namespace}/{follower.plural}"
        for found in (kubectl.get(folder) or {}).get("items", []):
            name, path = found["metadata"]["name"], str(PurePosixPath(_read(found)["path"]))
            urls = {url for url, home in homes if path.startswith(f"{home}/")}
            if f"{folder}/{name}" in wanted or path in free or not urls:
                continue
            if _read(found, source_of(kubectl, found))["url"] not in urls:
                continue
            delete = f"kubectl -n {follower.namespace} delete {follower.plural}.{follower.api_group} {name}"
            then = "deletes what it brought, too" if _takes_along(found) else "leaves running what it brought"
            what = f"{follower.kind} {name} follows {path}, and no model wants that"
            yield _warning(what, name, f"delete it, which {then}: `{delete}`")


def _takes_along(follower: Any) -> bool:
    """Whether what it brought is deleted with it: ours are made so that it is not."""
    spec = follower.get("spec", {})
    if "prune" in spec:
        policy = spec.get("deletionPolicy") or "MirrorPrune"
        deletes = policy in ("Delete", "WaitForTermination") or (policy == "MirrorPrune" and spec["prune"])
        return bool(deletes and not spec.get("suspend"))
    return any("resources-finalizer" in one for one in follower["metadata"].get("finalizers", []))


def _read(follower: Any, repository: Any = None) -> dict[str, str]:
    """What is followed: path, url and branch. `repository` is Flux's, which a Kustomization names."""
    spec, fetched = follower.get("spec", {}), (repository or {}).get("spec", {})
    source = spec.get("source", {})
    found = {
        "path": source.get("path") or spec.get("path"),
        "url": source.get("repoURL") or fetched.get("url"),
        "branch": source.get("targetRevision") or fetched.get("ref", {}).get("branch"),
    }
    return {key: str(value or "").removeprefix("./") for key, value in found.items()}


def _reconciler(model: Model, kubectl: Kubectl, context: str) -> Findings:
    engine = model.config.deploy.engine
    if engine == "none":
        yield not_checked(
            AREA, "who brings overlays to the cluster: set deploy.engine to argocd or flux", model.shown
        )
        return
    follower = FOLLOWERS[engine]
    title, kind, namespace = follower.title, follower.kind, follower.namespace
    if kubectl.get(follower.group) is None:
        what = f"the cluster of context {context} has no {title}, which deploy.engine names"
        yield _warning(
            what, context, f"install {title} there, or choose the cluster with `kubectl config use-context`"
        )
        return
    for target, cluster in ((one, member) for one in model.targets for member in members(one)):
        name = object_name(model, target, cluster)
        path = api_path(model, target, cluster)
        found = kubectl.get(path) if path else None
        if found is None:
            what = (
                f"{namespace} in {context} has no {kind} {name}: nothing follows {model.overlay_path(target.name)}"
            )
            yield _warning(what, context, applying(model, target))
            continue
        yield from _following(model, target, kubectl, found)
    if engine == "flux":
        try:
            yield from _waiting(model, kubectl)
        except GeneratorError as error:
            yield not_checked(AREA, f"whether Flux lets a rollback wait: {error}")


def _following(model: Model, target: Target, kubectl: Kubectl, found: Any) -> Findings:
    """What the object follows, what it complains about, and whether somebody has stopped it."""
    yield from _state(found)
    repository = None
    try:
        repository = source_of(kubectl, found)
        yield from _follows(model, target, found, _read(found, repository))
        yield from _state(repository or {})
    except GeneratorError as error:
        yield not_checked(AREA, f"what {_called(found)} reads: {error}")
    for stopped in suspended(found, repository):
        yield _warning(stopped, _called(found), "its releases arrive only after that")


def _waiting(model: Model, kubectl: Kubectl) -> Findings:
    """Whether Flux lets a rollback wait for the health of what it undoes."""
    if not any(target.settings.rollback_on_failure for target in model.targets):
        return
    controller = kubectl.get("/apis/apps/v1/namespaces/flux-system/deployments/kustomize-controller")
    pod = (controller or {}).get("spec", {}).get("template", {}).get("spec", {})
    given = [argument for container in pod.get("containers", []) for argument in container.get("args", [])]
    if controller and not any(f"{_GATE}=true" in argument for argument in given):
        what = (
            f"kustomize-controller runs without {_GATE}: a rollback waits minutes for the health of what it undoes"
        )
        fix = f"with Flux 2.7 or newer give it --feature-gates={_GATE}=true (docs/reconcilers.md)"
        yield _warning(what, "flux-system", fix)


def _follows(model: Model, target: Target, found: Any, read: dict[str, str]) -> Findings:
    """Whether the object follows this repository, branch and overlay."""
    name = _called(found)
    wanted = {
        "path": model.overlay_path(target.name),
        "url": model.overlays_url or "",
        "branch": model.overlays_branch,
    }
    for key, value in wanted.items():
        if read[key] != value:
            what = f"{name} follows {key} {read[key] or 'nothing'}, not {value}"
            yield Finding(AREA, Severity.ERROR, what, name, applying(model, target))
    scaled = target.serve.autoscaling is not None
    if model.config.deploy.engine == "argocd" and _leaves_replicas(found.get("spec", {})) != scaled:
        who = "an autoscaler owns it, which Argo CD would undo" if scaled else "no autoscaler owns it any more"
        yield _warning(f"{name} does not know who owns the number of pods: {who}", name, applying(model, target))


def _called(found: Any) -> str:
    return f"{found['kind']} {found['metadata']['name']}"


def _leaves_replicas(spec: Any) -> bool:
    """Whether an Application compares no number of pods."""
    paths = (path for one in spec.get("ignoreDifferences", []) for path in one.get("jqPathExpressions", []))
    return any(path.startswith(".spec.replicas") for path in paths)


def _state(found: Any) -> Findings:
    """What the reconciler itself complains about."""
    status = found.get("status", {})
    warnings = (one for one in status.get("conditions", []) if one["type"] in _WARNINGS)
    for condition in (*wrong(status), *warnings):
        name, kind, message = _called(found), condition["type"], str(condition.get("message", ""))[:300]
        fix = _UNHEALTHY if condition.get("reason") == HEALTH else _FIXES.get(kind, _TRIES)
        yield _warning(f"{name} reports {kind}: {message}", name, fix)
    health = status.get("health", {}).get("status")
    if health in ("Degraded", "Missing", "Unknown"):
        yield _warning(f"{_called(found)} is {health}", _called(found), _UNHEALTHY)


def _warning(what: str, where: str, fix: str) -> Finding:
    return Finding(AREA, Severity.WARNING, what, where, fix)
