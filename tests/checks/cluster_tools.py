"""What judges rendered objects besides our own tests: kubeconform, kube-score and an API server's dry run.

Each takes the objects of many overlays at once, since a start costs more than the looking, and returns what it found.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

from tests import parts
from tests.templates.manifests import CRDS, Object, closed_schema

SCHEMAS = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
KUBERNETES = "v1.34"  # whose conventions kube-score goes by

# What kube-score would have otherwise, and why it is as it is.
IGNORED = {
    "container-image-pull-policy": "an image is named by its digest: what is on the node cannot be another one",
    "container-ephemeral-storage-request-and-limit": "the root is read-only, and /tmp has a limit of its own",
    "deployment-has-host-podantiaffinity": "topology spread constraints do the same without blocking a small cluster",
    "deployment-replicas": "model.yaml says how many, and nothing runs before the first release",
    "horizontalpodautoscaler-replicas": "model.yaml says how many",
}
ENABLED = ("container-seccomp-profile", "container-ports-check")


def written(objects: Iterable[Object], path: Path) -> Path:
    path.write_text(yaml.dump_all(objects, Dumper=yaml.CSafeDumper), encoding="utf-8")
    return path


def kubeconform(objects: list[Object], version: str, scratch: Path) -> list[str]:
    """Against the schemas of a Kubernetes version such as 1.34.0, and those of the custom resources."""
    program = parts.need_kubeconform()
    folder = scratch / version
    folder.mkdir()
    source = SCHEMAS / f"v{version}-local-strict"
    parts_of_all = json.loads((source / "_definitions.json").read_text(encoding="utf-8"))["$defs"]
    for name in {_schema_name(item) for item in objects}:
        if (source / name).is_file():  # else it is a custom resource
            text = _complete((source / name).read_text(encoding="utf-8"), parts_of_all)
            (folder / name).write_text(text, encoding="utf-8")
    for path in CRDS.glob("*.json"):
        (folder / path.name).write_text(json.dumps(closed_schema(path)), encoding="utf-8")
    file = written(objects, folder / "objects.yaml")
    ended = subprocess.run(
        [
            program,
            "-strict",
            "-output=json",
            f"-schema-location={folder}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json",
            f"-schema-location={folder}/{{{{.ResourceKind}}}}.{{{{.Group}}}}.json",
            file,
        ],
        capture_output=True,
        text=True,
    )
    found = json.loads(ended.stdout)["resources"]
    return [f"{one['kind']} {one['name']} on {version}: {one['msg']}" for one in found]


def kube_score(objects: list[Object], scratch: Path) -> list[str]:
    """Critical findings and warnings, by object."""
    program = parts.need_kube_score()
    ended = subprocess.run(
        [
            program,
            "score",
            "--output-format=ci",
            f"--kubernetes-version={KUBERNETES}",
            "--ignore-container-cpu-limit",  # it only throttles; serve.resources.limits.cpu sets one
            *(f"--ignore-test={name}" for name in IGNORED),
            *(f"--enable-optional-test={name}" for name in ENABLED),
            written(objects, scratch / "scored.yaml"),
        ],
        capture_output=True,
        text=True,
    )
    lines = ended.stdout.splitlines()
    if not any(line.startswith("[OK]") for line in lines):
        raise AssertionError(f"kube-score says nothing: {ended.stderr}")
    return [line for line in lines if not line.startswith(("[OK]", "[SKIPPED]"))]


class Kubectl:
    """The command, with a cluster's administrator and a HOME of its own."""

    def __init__(self, kubeconfig: str, home: Path) -> None:
        self._environment = {"PATH": os.environ["PATH"], "HOME": str(home), "KUBECONFIG": kubeconfig}

    def __call__(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["kubectl", *arguments], input=stdin, env=self._environment, capture_output=True, text=True
        )


def dry_run(objects: list[Object], kubectl: Kubectl, namespace: str, scratch: Path) -> list[str]:
    """What an API server, its admission and its custom resources' rules have against them; nothing is kept."""
    placed = [
        {**item, "metadata": {**item["metadata"], "namespace": namespace}} if item["kind"] != "Namespace" else item
        for item in objects
    ]
    ended = kubectl(
        "apply",
        "--server-side",
        "--dry-run=server",
        "--field-manager=tagship-tests",
        f"--filename={written(placed, scratch / 'applied.yaml')}",
    )
    done = len(ended.stdout.splitlines())
    problems = ended.stderr.splitlines()
    return problems if problems or done == len(objects) else [f"{done} of {len(objects)} objects were looked at"]


def custom_resources() -> list[Object]:
    """CustomResourceDefinitions of the schemas that tests have; without what only their operators need."""
    return [_definition(json.loads(path.read_text(encoding="utf-8"))) for path in sorted(CRDS.glob("*.json"))]


def _definition(crd: dict[str, Any]) -> Object:
    singular = crd["kind"].lower()
    plural = singular.removesuffix("y") + "ies" if singular.endswith("y") else f"{singular}s"
    version = {
        "name": crd["version"],
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": crd["schema"]},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{crd['group']}",
            # Groups of the Kubernetes project itself want to know who approved them.
            "annotations": {"api-approved.kubernetes.io": "unapproved, for tests"},
        },
        "spec": {
            "group": crd["group"],
            "scope": crd.get("scope", "Namespaced"),
            "names": {"kind": crd["kind"], "plural": plural, "singular": singular},
            "versions": [version],
        },
    }


def _complete(schema: str, parts_of_all: dict[str, Any]) -> str:
    """A schema with the parts that it refers to inside, and no others: there are some thousand."""
    needed: dict[str, Any] = {}
    texts = [schema]
    while texts:
        for name in re.findall(r'#/\$defs/([^"]+)"', texts.pop()):
            if name not in needed:
                needed[name] = parts_of_all[name]
                texts.append(json.dumps(needed[name]))
    whole = {**json.loads(schema), "$defs": needed}
    del whole["$id"]  # an address in the web, from which references would be looked up
    return re.sub(r'"[^"]*_definitions\.json#', '"#', json.dumps(whole))


def _schema_name(item: Object) -> str:
    group, _, version = item["apiVersion"].rpartition("/")
    parts_of_group = [group.split(".")[0]] if group else []
    return "-".join([item["kind"].lower(), *parts_of_group, version]) + ".json"
