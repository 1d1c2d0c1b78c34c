"""Repositories with generated manifests, brought to every state a release brings them to, and rendered."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
from kubernetes_validate.utils import all_versions
from packaging.version import Version

from generator.adapters.kustomize import Kustomize
from generator.config.model import Model
from generator.config.workspace import Workspace, load
from generator.disk import write_atomically
from generator.files import apply
from generator.generate import compare_kubernetes
from generator.ledger import Entry, Ledger
from generator.overlay import with_image
from generator.yamlio import parse

DIGEST = "sha256:" + "ab" * 32
NO_DIGEST = "sha256:" + "0" * 64
CRDS = Path(__file__).parents[1] / "data" / "crds"
NEWEST_KUBERNETES = tuple(sorted({*all_versions()}, key=Version)[-3:])

Object = dict[str, Any]

ENTRY = Entry(
    version="1.2.3",
    digest=DIGEST,
    run="0123456789abcdef",
    commit="c" * 40,
    metrics={"accuracy": 0.9},
    at="2026-01-31T12:00:00Z",
    by="ada",
)


def generate(root: Path) -> Workspace:
    """`generator generate` for everything but workflows."""
    workspace = load(root)
    apply(root, compare_kubernetes(workspace))
    return workspace


def release(root: Path, model: Model, environment: str) -> None:
    """What `deploy` does to a branch: the digest, the ledger, and whatever follows from it."""
    note_release(root, model, environment)
    generate(root)


def note_release(root: Path, model: Model, environment: str) -> None:
    """The same without what follows."""
    overlay = root / model.overlay(environment)
    ledger = Ledger(model=model.name, environment=environment).with_release(ENTRY)
    write_atomically(overlay / "release.yaml", ledger.text())
    text = (overlay / "kustomization.yaml").read_text()
    text = with_image(text, "kustomization.yaml", repository=model.image_repository, digest=DIGEST)
    write_atomically(overlay / "kustomization.yaml", text)


def release_all(root: Path) -> None:
    for model in load(root):
        for target in model.targets:
            note_release(root, model, target.name)
    generate(root)


def build(root: Path, model: Model, environment: str) -> list[Object]:
    """The overlay's objects, by the real kustomize."""
    return Kustomize().build(root / model.overlay(environment))


def build_all(root: Path) -> dict[str, list[Object]]:
    """The objects of every overlay, by its path."""
    return {
        model.overlay(target.name): build(root, model, target.name)
        for model in load(root)
        for target in model.targets
    }


def reconciler_objects(path: Path) -> list[Object]:
    return [parse(part, path.name).data for part in path.read_text().split("\n---\n")]


def one(objects: list[Object], kind: str) -> Object:
    """The only object of its kind."""
    found = [item for item in objects if item["kind"] == kind]
    assert len(found) == 1, f"{len(found)} objects of kind {kind}, not one: {kinds(objects)}"
    return found[0]


def serving(objects: list[Object]) -> list[Object]:
    """The objects of the server, without those that fetch its pull secret."""
    return [item for item in objects if item["metadata"]["labels"]["app.kubernetes.io/name"] == "inference"]


def kinds(objects: list[Object]) -> list[str]:
    return sorted(item["kind"] for item in objects)


def server(objects: list[Object]) -> Object:
    """The one container of the one Deployment."""
    (container,) = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["name"] == "server"
    return dict(container)


def schema_problems(item: Object) -> list[str]:
    """What the last three Kubernetes versions, or the custom resource's own schema, have against an object."""
    return list(_schema_problems(json.dumps(item, sort_keys=True)))


@cache
def _schema_problems(text: str) -> tuple[str, ...]:
    item = json.loads(text)
    shown = f"{item['kind']}/{item['metadata']['name']}"
    group = item["apiVersion"].rpartition("/")[0]
    crd = CRDS / f"{item['kind'].lower()}.{group}.json"
    if crd.is_file():
        errors = _crd(crd).iter_errors(item)
        return tuple(f"{shown}: {error.json_path}: {error.message}" for error in errors)
    found = []
    for version in NEWEST_KUBERNETES:
        try:
            kubernetes_validate.validate(item, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            found.append(f"{shown} on {version}: {'.'.join(map(str, error.path))}: {error.message}")
        except kubernetes_validate.SchemaNotFoundError as error:
            found.append(f"{shown} on {version}: {error.message}")
    return tuple(found)


@cache
def _crd(path: Path) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(closed_schema(path))


def closed_schema(path: Path) -> Any:
    """The schema of a custom resource, of one of the files in CRDS."""
    crd = json.loads(path.read_text())
    schema = _closed(crd["schema"])
    schema["properties"]["apiVersion"] = {"const": f"{crd['group']}/{crd['version']}"}
    schema["properties"]["metadata"] = {"type": "object", "required": ["name"]}
    return schema


def _closed(schema: Any) -> Any:
    """A structural schema as an API server reads it: what is not listed is unknown."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items() if key != "format"}
    named = isinstance(schema.get("properties"), dict) and "type" in schema
    if named and not schema.get("x-kubernetes-preserve-unknown-fields"):
        closed.setdefault("additionalProperties", False)
    return closed


def matches(selector: dict[str, str], labels: dict[str, str]) -> bool:
    """Whether a label selector picks an object with `labels`; an empty selector picks everything."""
    return selector.items() <= labels.items()


def selectors(objects: list[Object]) -> list[tuple[str, dict[str, str], str]]:
    """(where it stands, the selector, the kind that it picks from), for everything that selects by labels."""
    found = []
    for item in objects:
        for path, selector, picked in _selectors_of(item):
            found.append((f"{item['kind']} {path}", selector, picked))
    return found


def _selectors_of(item: Object) -> list[tuple[str, dict[str, str], str]]:
    kind, spec = item["kind"], item.get("spec", {})
    if kind == "Service":
        return [("selector", spec["selector"], "Pod")]
    if kind == "NetworkPolicy":
        return [("podSelector", spec["podSelector"]["matchLabels"], "Pod")]
    if kind == "PodDisruptionBudget":
        return [("selector", spec["selector"]["matchLabels"], "Pod")]
    if kind == "ServiceMonitor":
        return [("selector", spec["selector"]["matchLabels"], "Service")]
    if kind == "Deployment":
        spread = spec["template"]["spec"]["topologySpreadConstraints"]
        return [("selector", spec["selector"]["matchLabels"], "Pod")] + [
            ("topologySpreadConstraints", constraint["labelSelector"]["matchLabels"], "Pod")
            for constraint in spread
        ]
    return []


def labels_of(objects: list[Object], kind: str) -> dict[str, str]:
    """The labels of the model's pods, or of its one object of another kind."""
    item = one(objects, "Deployment")["spec"]["template"] if kind == "Pod" else one(objects, kind)
    return dict(item["metadata"]["labels"])


def references(objects: list[Object]) -> set[tuple[str, str]]:
    """The (kind, name) pairs that the objects expect beside them."""
    found = set()
    for item in objects:
        spec = item.get("spec", {})
        if item["kind"] == "Deployment":
            found.add(("ServiceAccount", spec["template"]["spec"]["serviceAccountName"]))
        if item["kind"] in ("HorizontalPodAutoscaler", "ScaledObject"):
            found.add((spec["scaleTargetRef"]["kind"], spec["scaleTargetRef"]["name"]))
        if item["kind"] == "HTTPRoute":
            found |= {("Service", each["name"]) for rule in spec["rules"] for each in rule["backendRefs"]}
        if item["kind"] == "Ingress":
            for rule in spec["rules"]:
                found |= {("Service", path["backend"]["service"]["name"]) for path in rule["http"]["paths"]}
    return found
