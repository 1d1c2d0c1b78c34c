"""The component `tagship/` of an overlay: each value that model.yaml gives an environment, made anew each time."""

from __future__ import annotations

import posixpath

from generator.config.exposure import Ingress
from generator.config.model import Model, Target, workload
from generator.ledger import Entry
from generator.plan.alerts import alerts
from generator.plan.dashboard import dashboard, file_name
from generator.plan.files import PlannedFile
from generator.plan.pull_secret import Pull, pull_of
from generator.plan.scaling import scaler_component, scaler_patch, scaling_values
from generator.plan.startup import startup_values
from generator.plan.variables import variables_shown

COMPONENTS = "k8s/components"
# What an overlay has only with a release in it, by kind: rules and autoscalers for pods that there are.
WITH_A_RELEASE = {
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "PodDisruptionBudget": "policy/v1",
    "PrometheusRule": "monitoring.coreos.com/v1",
    "ScaledObject": "keda.sh/v1alpha1",
}
KEYS_FOLDER = "/etc/tagship/api-keys"


def plan_component(model: Model, target: Target, folder: str, current: Entry | None) -> list[PlannedFile]:
    """The owned component: every value that model.yaml gives this environment, and what its release needs."""
    released, pull = current is not None, pull_of(model, target)
    patches = _patches(target, pull, released=released)
    resources = ["values.yaml", *(["first-pull.yaml"] if pull and pull.first else [])]
    resources += ["alerts.yaml"] if target.serve.monitoring and released else []
    files = [*resources, *(["dashboard.json"] if target.serve.monitoring else []), *patches]
    used = components(model, target, released=released)
    values = {
        "components": [posixpath.relpath(f"{COMPONENTS}/{name}", folder) for name in used],
        "files": resources,
        "patches": patches,
        "pull": pull,
        "released": released,
        "replicas": _replicas(target, released=released),
        "startup": startup_values(current),
        **_values(model, target),
    }
    return [
        PlannedFile(f"{folder}/{name}", f"templates/overlay/tagship/{name}", values)
        for name in ("kustomization.yaml", *files)
    ]


def _patches(target: Target, pull: Pull | None, *, released: bool) -> list[str]:
    """The files that give components and base their values."""
    serve = target.serve
    files = ["deployment.yaml", *(["variables.yaml"] if serve.env else []), "service.yaml"]
    if released and serve.autoscaling:
        files.append(scaler_patch(serve.autoscaling))
    if serve.tracing or serve.callers:
        files.append("network-policy.yaml")
    if _has_more(serve.ingress):
        files.append("ingress.yaml")
    if serve.gateway:
        files.append("http-route.yaml")
    return [*files, *(pull.patches if pull else ())]


def _values(model: Model, target: Target) -> dict[str, object]:
    """What model.yaml says, as the templates show it."""
    serve = target.serve
    return {
        "shown": model.shown,
        "model": model.name,
        "engine": model.config.deploy.engine,
        "arch": model.config.image.platform.removeprefix("linux/"),
        "environment": _server_environment(target),
        "variables": variables_shown(serve.env),
        "keys": {"secret": serve.api_keys, "folder": KEYS_FOLDER} if serve.api_keys else None,
        "resources": serve.resources,
        "service": serve.service,
        "ingress": serve.ingress,
        "gateway": serve.gateway,
        "tls_secret": f"{workload(model.name)}-tls",
        "autoscaling": scaling_values(model, target),
        "tracing": serve.tracing,
        "callers": serve.callers.all if serve.callers else None,
        "priority_class": serve.priority_class,
        "monitoring": _monitoring(model, target) if serve.monitoring else None,
    }


def _monitoring(model: Model, target: Target) -> dict[str, object]:
    """Complete expressions: kustomize rewrites none."""
    return {
        "name": f"{target.namespace}.{model.name}",
        "namespace": target.namespace,
        "environment": target.name,
        "alerts": alerts(model, target),
        "file": file_name(model, target),
        "dashboard": dashboard(model, target),
    }


def _has_more(ingress: Ingress | None) -> bool:
    """Whether the Ingress is more than its host."""
    return ingress is not None and (ingress.class_name is not None or ingress.issuer is not None)


def _server_environment(target: Target) -> dict[str, str]:
    """The server's settings that are not its defaults."""
    limit = target.serve.rate_limit
    serve = target.serve
    given = {
        "TAGSHIP_WORKERS": str(serve.workers) if serve.workers > 1 else None,
        "OTEL_EXPORTER_OTLP_ENDPOINT": serve.tracing.endpoint if serve.tracing else None,
        "OTEL_RESOURCE_ATTRIBUTES": f"deployment.environment.name={target.name}" if serve.tracing else None,
        "TAGSHIP_API_KEYS": KEYS_FOLDER if target.serve.api_keys else None,
        "TAGSHIP_RATE_LIMIT": limit.requests if limit else None,
        "TAGSHIP_RATE_BURST": str(limit.burst) if limit and limit.burst else None,
        "TAGSHIP_TRUSTED_PROXIES": str(limit.proxies) if limit and limit.proxies else None,
        "TAGSHIP_STRICT": "true" if target.serve.strict else None,
        "TAGSHIP_BATCHING": "false" if target.serve.batching == "off" else None,
    }
    return {name: value for name, value in given.items() if value is not None}


def _replicas(target: Target, *, released: bool) -> int | None:
    """None where an autoscaler decides: naming a number would undo its work at every sync."""
    if not released:
        return 0
    return None if target.serve.autoscaling else target.serve.replicas


def components(model: Model, target: Target, *, released: bool) -> list[str]:
    """In order: ingress-tls patches what ingress brings. What counts pods waits for the first release."""
    serve, scaling = target.serve, target.serve.autoscaling
    wanted = [
        ("ingress", serve.ingress),
        ("ingress-tls", serve.ingress and serve.ingress.tls),
        ("gateway", serve.gateway),
        ("monitoring", serve.monitoring),
        *([(scaler_component(scaling), released)] if scaling else []),
        ("disruption-budget", released and (scaling or serve.replicas > 1)),
    ]
    pull = pull_of(model, target)
    return [*(name for name, used in wanted if used), *(pull.components if pull else ())]
