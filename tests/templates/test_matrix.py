"""A matrix of models as a cluster sees them: nothing to say for kubeconform, kube-score and a real API server.

tests/data/cluster_matrix.yaml has what is varied. Each test looks at all models at once, by the tool's own name.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest
import yaml

from generator.config.schema import Deploy, Environment, Image, Serve
from generator.config.types import Section
from tests import parts
from tests.checks.cluster_tools import IGNORED, Kubectl, custom_resources, dry_run, kube_score, kubeconform
from tests.templates.manifests import NEWEST_KUBERNETES, Object
from tests.templates.matrix import ELSEWHERE, FEWEST, THINGS, choices, model_of, rendered, workspace

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> list[Object]:
    """What the clusters of all models get."""
    parts.need_kustomize()
    root = tmp_path_factory.mktemp("matrix")
    return rendered(root, workspace(root, [model_of(*numbered) for numbered in enumerate(choices())]))


def test_any_two_things_meet_in_at_least_forty_models() -> None:
    found = choices()
    assert len(found) >= FEWEST > 40
    for one, other in combinations(THINGS, 2):
        met = {(choice[one], choice[other]) for choice in found}
        assert len(met) == len(THINGS[one]) * len(THINGS[other]), f"{one} and {other}"


@pytest.mark.parametrize(
    ("place", "section"), [("serve", Serve), ("image", Image), ("deploy", Deploy), ("environment", Environment)]
)
def test_no_key_is_forgotten(place: str, section: type[Section]) -> None:
    varied: set[str] = set()
    for way in (way for ways in THINGS.values() for way in ways):
        environments = [one or {} for one in way.get("deploy", {}).get("environments", {}).values()]
        places = [*environments, way.get("last", {})] if place == "environment" else [way.get(place, {})]
        varied.update(*places)
    assert varied | ELSEWHERE[place].keys() == section.model_fields.keys(), "see tests/data/cluster_matrix.yaml"


@pytest.mark.parametrize("version", NEWEST_KUBERNETES)
def test_kubeconform_finds_nothing(version: str, objects: list[Object], tmp_path: Path) -> None:
    assert kubeconform(objects, version, tmp_path) == []


def test_kubeconform_finds_what_is_wrong(objects: list[Object], tmp_path: Path) -> None:
    """Or else it would say nothing of schemas that it cannot read."""
    wrong = [{**item, "surplus": True} for item in objects]
    found = kubeconform(wrong, NEWEST_KUBERNETES[-1], tmp_path)
    assert len(found) == len(objects)
    assert [one for one in found if "'surplus'" not in one] == []


def test_kube_score_finds_nothing(objects: list[Object], tmp_path: Path) -> None:
    assert all(IGNORED.values()), "each with its reason"
    assert kube_score(objects, tmp_path) == []


def test_kube_score_finds_what_is_wrong(objects: list[Object], tmp_path: Path) -> None:
    opened = [item for item in objects if item["kind"] != "NetworkPolicy"]
    found = kube_score(opened, tmp_path)
    assert len(found) >= sum(item["kind"] == "Deployment" for item in objects)
    assert all("NetworkPolicy" in line for line in found)


@pytest.fixture(scope="module")
def namespace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Kubectl, str]]:
    """One of our own on the real API server, which then knows all custom resources."""
    kubectl = Kubectl(parts.need_cluster(), tmp_path_factory.mktemp("home"))
    name = f"tagship-matrix-{os.getpid()}"
    restricted = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    ours = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": restricted}}
    known = kubectl("get", "crd", "--output=name").stdout
    new = [one for one in custom_resources() if one["metadata"]["name"] not in known]
    text = yaml.dump_all([ours, *new], Dumper=yaml.CSafeDumper)
    try:
        made = kubectl("apply", "--server-side", "--filename=-", stdin=text)
        assert made.returncode == 0, made.stderr
        if new:
            names = [f"crd/{one['metadata']['name']}" for one in new]
            ready = kubectl("wait", "--for=condition=Established", "--timeout=60s", *names)
            assert ready.returncode == 0, ready.stderr
        yield kubectl, name
    finally:
        kubectl("delete", "--wait=false", "--ignore-not-found", "--filename=-", stdin=text)


def test_a_real_api_server_would_take_them(
    objects: list[Object], namespace: tuple[Kubectl, str], tmp_path: Path
) -> None:
    assert dry_run(objects, *namespace, tmp_path) == []


def test_a_real_api_server_says_what_is_wrong(
    objects: list[Object], namespace: tuple[Kubectl, str], tmp_path: Path
) -> None:
    deployment = copy.deepcopy(next(item for item in objects if item["kind"] == "Deployment"))
    deployment["spec"]["template"]["spec"]["hostNetwork"] = True
    (warning,) = dry_run([deployment], *namespace, tmp_path)
    assert "would violate PodSecurity" in warning
    rule = copy.deepcopy(next(item for item in objects if item["kind"] == "PrometheusRule"))
    rule["spec"]["groups"][0]["rules"][0]["severity"] = "high"
    assert any("severity" in line for line in dry_run([rule], *namespace, tmp_path))
