"""The Kubernetes files of a model: its overlays, and the shared base and components that they build on."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping

from generator.config.model import Model, Target
from generator.ledger import Ledger
from generator.plan.component import COMPONENTS, components, plan_component
from generator.plan.files import Owner, PlannedFile
from generator.plan.reconciler import plan_reconciler

BASE = "k8s/base"
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
    "autoscaling-keda": ("kustomization.yaml", "name-reference.yaml", "scaled-object.yaml"),
    "disruption-budget": ("disruption-budget.yaml", "kustomization.yaml"),
    "gateway": ("http-route.yaml", "kustomization.yaml", "name-reference.yaml"),
    "ingress": ("ingress.yaml", "kustomization.yaml"),
    "ingress-tls": ("kustomization.yaml", "tls.yaml"),
    "monitoring": ("kustomization.yaml", "service-monitor.yaml"),
    "pull-account": ("kustomization.yaml", "service-account.yaml"),
    "pull-cronjob": ("cron-job.yaml", "kustomization.yaml", "network-policy.yaml", "refresh.py"),
    "pull-external-secret": ("external-secret.yaml", "kustomization.yaml", "login.yaml"),
}


def plan_base(models: Iterable[Model]) -> tuple[PlannedFile, ...]:
    """The base, and each component that a model uses once it is released."""
    used = {
        component
        for model in models
        for target in model.targets
        for component in components(model, target, released=True)
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
        *plan_component(model, target, f"{folder}/tagship", ledger.current),
    ]
