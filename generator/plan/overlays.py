"""The Kubernetes files of a model: its overlays, and the shared base and components that they build on."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping

from generator.config.model import Model, Target
from generator.ledger import Ledger
from generator.plan.files import Owner, PlannedFile
from generator.plan.reconciler import plan_reconciler

BASE = "k8s/base"
COMPONENTS = "k8s/components"
KEYS_FOLDER = "/etc/tagship/api-keys"
UNRELEASED_DIGEST = "sha256:" + "0" * 64

# Spelled out, since a plan reads no folder; a test holds them against the folders.
BASE_FILES = (
    "deployment.yaml",
    "kustomization.yaml",
    "network-policy.yaml",
    "service-account.yaml",
    "service.yaml",
)
COMPONENT_FILES: dict[str, tuple[str, ...]] = {
    "autoscaling": ("autoscaler.yaml", "kustomization.yaml"),
    "disruption-budget": ("disruption-budget.yaml", "kustomization.yaml"),
    "ingress": ("ingress.yaml", "kustomization.yaml"),
    "ingress-tls": ("kustomization.yaml", "tls.yaml"),
    "monitoring": ("kustomization.yaml", "service-monitor.yaml"),
}


def plan_base(models: Iterable[Model]) -> tuple[PlannedFile, ...]:
    """The base, and each component that a model uses once it is released."""
    used = {
        component
        for model in models
        for target in model.targets
        for component in _components(target, released=True)
    }
    paths = [f"{BASE}/{name}" for name in BASE_FILES]
    paths += [f"{COMPONENTS}/{folder}/{name}" for folder in sorted(used) for name in COMPONENT_FILES[folder]]
    return tuple(PlannedFile(path, path) for path in paths)


def plan_kubernetes(
    model: Model, ledgers: Mapping[str, Ledger], neighbours: Iterable[Model] = ()
) -> tuple[PlannedFile, ...]:
    """The overlays and the reconciler's objects of one model.

    `ledgers` are by environment; one that is absent was never released. `neighbours` are the workspace's
    models, among which a shared namespace is declared once. Raises InvalidInput where model.yaml lacks
    what the reconciler needs.
    """
    overlays = [
        file
        for target in model.targets
        for file in _overlay(model, target, ledgers.get(target.name) or _never_released(model, target))
    ]
    return (*overlays, *plan_reconciler(model, neighbours))


def _never_released(model: Model, target: Target) -> Ledger:
    return Ledger(model=model.name, environment=target.name)


def _overlay(model: Model, target: Target, ledger: Ledger) -> list[PlannedFile]:
    folder = model.overlay(target.name)
    values = {
        "title": f"{model.name} in {target.name}",
        "model": model.name,
        "prefix": f"{model.name}-",
        "namespace": target.namespace,
        "base": posixpath.relpath(BASE, folder),
        "repository": model.image_repository,
        "digest": ledger.current.digest if ledger.current else UNRELEASED_DIGEST,
    }
    return [
        PlannedFile(f"{folder}/kustomization.yaml", "templates/overlay/kustomization.yaml", values, Owner.SHARED),
        PlannedFile(
            f"{folder}/release.yaml", "templates/overlay/release.yaml", {"ledger": ledger.text()}, Owner.SHARED
        ),
        *_tagship(model, target, f"{folder}/tagship", released=ledger.released),
    ]


def _tagship(model: Model, target: Target, folder: str, *, released: bool) -> list[PlannedFile]:
    """The owned component: every value that model.yaml gives this environment."""
    components = _components(target, released=released)
    names = ["deployment.yaml", "service.yaml", *(["autoscaler.yaml"] if "autoscaling" in components else [])]
    names += ["network-policy.yaml"] if target.serve.tracing else []
    values = {
        "shown": model.shown,
        "model": model.name,
        "components": [posixpath.relpath(f"{COMPONENTS}/{name}", folder) for name in components],
        "patches": names,
        "released": released,
        "replicas": _replicas(target, released=released),
        "arch": model.config.image.platform.removeprefix("linux/"),
        "environment": _server_environment(target),
        "keys": {"secret": target.serve.api_keys, "folder": KEYS_FOLDER} if target.serve.api_keys else None,
        "resources": target.serve.resources,
        "service": target.serve.service,
        "ingress": target.serve.ingress,
        "tls_secret": f"{model.name}-inference-tls",
        "autoscaling": target.serve.autoscaling,
        "tracing": target.serve.tracing,
    }
    return [
        PlannedFile(f"{folder}/{name}", f"templates/overlay/tagship/{name}", values)
        for name in ("kustomization.yaml", "values.yaml", *names)
    ]


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


def _components(target: Target, *, released: bool) -> list[str]:
    """In order: ingress-tls patches what ingress brings. What counts pods waits for the first release."""
    serve = target.serve
    wanted = {
        "ingress": serve.ingress is not None,
        "ingress-tls": serve.ingress is not None and serve.ingress.tls,
        "monitoring": serve.monitoring,
        "autoscaling": released and serve.autoscaling is not None,
        "disruption-budget": released and (serve.autoscaling is not None or serve.replicas > 1),
    }
    return [name for name, used in wanted.items() if used]
