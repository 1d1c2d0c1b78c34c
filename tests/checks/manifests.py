"""This repository's own overlays: rendered by kustomize, each object checked against the last Kubernetes versions."""

from __future__ import annotations

from pathlib import Path

from generator.adapters.kustomize import installed
from generator.config.workspace import load
from tests.templates.manifests import build_all, reconciler_objects, schema_problems


def problems(root: Path) -> dict[str, str]:
    """What was found, by checker; without kustomize only the reconciler's objects are looked at."""
    objects = [
        item for path in sorted((root / "k8s/reconciler").rglob("*.yaml")) for item in reconciler_objects(path)
    ]
    found = {}
    if installed():
        rendered = build_all(root)
        objects += [item for overlay in rendered.values() for item in overlay]
        wanted = sum(len(model.targets) for model in load(root))
        found["kustomize build"] = "" if len(rendered) == wanted else f"{len(rendered)} overlays, not {wanted}"
    found["kubernetes-validate"] = "\n".join(problem for item in objects for problem in schema_problems(item))
    return found
