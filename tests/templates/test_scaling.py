"""What decides the number of pods: a HorizontalPodAutoscaler, or KEDA, which makes one; never both, never flapping."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from generator.config.workspace import load
from generator.errors import InvalidInput
from generator.plan.scaling import METRIC
from generator.yamlio import parse
from tests import parts
from tests.generator.workspaces import model_yaml, write
from tests.templates.manifests import Object, build, generate, kinds, one, release_all, schema_problems

pytestmark = pytest.mark.e2e
ARGOCD = "repository: {url: https://github.com/acme/churn}\ndeploy: {engine: argocd}\n"
KEDA = "requests: {per_second: 12.5, through: keda, prometheus: 'http://prometheus-operated.monitoring:9090'}"
ADAPTER = "requests: {per_second: 12.5, through: prometheus-adapter}"


def made(root: Path, autoscaling: str, *, released: bool = True, name: str = "churn") -> list[Object]:
    """The overlay's objects, all of them valid."""
    parts.need_kustomize()
    write(root, model_yaml(f"serve: {{autoscaling: {{{autoscaling}}}}}\n{ARGOCD}", name=name))
    generate(root)
    if released:
        release_all(root)
    objects = build(root, load(root).model(None), "production")
    assert [problem for item in objects for problem in schema_problems(item)] == []
    return objects


def test_cpu_memory_and_requests_count_together(tmp_path: Path) -> None:
    spec = one(made(tmp_path, f"memory: 80, {ADAPTER}"), "HorizontalPodAutoscaler")["spec"]
    cpu, memory, requests = spec["metrics"]
    assert (cpu["resource"]["name"], cpu["resource"]["target"]["averageUtilization"]) == ("cpu", 70)
    assert (memory["resource"]["name"], memory["resource"]["target"]["averageUtilization"]) == ("memory", 80)
    assert requests == {
        "type": "Pods",
        "pods": {"metric": {"name": METRIC}, "target": {"type": "AverageValue", "averageValue": "12500m"}},
    }


def test_cpu_may_be_left_out(tmp_path: Path) -> None:
    spec = one(made(tmp_path, f"cpu: , {ADAPTER}"), "HorizontalPodAutoscaler")["spec"]
    assert [metric["type"] for metric in spec["metrics"]] == ["Pods"]


def test_keda_asks_prometheus_for_this_models_requests(tmp_path: Path) -> None:
    objects = made(tmp_path, f"min: 3, max: 9, memory: 80, {KEDA}")
    assert "HorizontalPodAutoscaler" not in kinds(objects), "KEDA makes it; two would fight"
    scaled = one(objects, "ScaledObject")["spec"]
    assert scaled["scaleTargetRef"]["name"] == one(objects, "Deployment")["metadata"]["name"] == "churn-inference"
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (3, 9)
    requests, cpu, memory = scaled["triggers"]
    assert [(each["type"], each["metricType"], each["metadata"]) for each in (cpu, memory)] == [
        ("cpu", "Utilization", {"value": "70"}),
        ("memory", "Utilization", {"value": "80"}),
    ]
    assert requests["metadata"]["serverAddress"] == "http://prometheus-operated.monitoring:9090"
    assert (requests["metricType"], requests["metadata"]["threshold"]) == ("AverageValue", "12.5")
    assert requests["metadata"]["ignoreNullValues"] == "false", "no figures must take no pods away"


@pytest.mark.parametrize(
    ("pod", "counts"),
    [
        ("churn-inference-5d8f7c9b6-x2x4z", True),
        ("churn-inference-inference-5d8f7c9b6-x2x4z", False),  # a model called churn-inference
        ("big-churn-inference-5d8f7c9b6-x2x4z", False),
        ("churn-pull-29384756-abcde", False),
    ],
)
def test_no_other_models_pods_count(tmp_path: Path, pod: str, counts: bool) -> None:
    objects = made(tmp_path, KEDA)
    query = one(objects, "ScaledObject")["spec"]["triggers"][0]["metadata"]["query"]
    found = re.fullmatch(
        r'sum\(rate\(prediction_requests_total\{namespace="(.+)",pod=~"(.+)"\}\[2m\]\)\)', query
    )
    assert found is not None
    assert found[1] == one(objects, "Deployment")["metadata"]["namespace"]
    assert (re.fullmatch(found[2], pod) is not None) is counts, "Prometheus matches whole values"


@pytest.mark.parametrize("length", [36, 37, 40])
def test_the_pods_of_a_long_name_count(tmp_path: Path, length: int) -> None:
    """The API server cuts what a pod's name begins with at 58 characters."""
    name = "m" * length
    query = one(made(tmp_path, KEDA, name=name), "ScaledObject")["spec"]["triggers"][0]["metadata"]["query"]
    found = re.search(r'pod=~"(.+)"', query)
    pod = f"{name}-inference-5d8f7c9b64-"[:58] + "x2x4z"
    assert found is not None
    assert re.fullmatch(found[1], pod), pod


@pytest.mark.parametrize("how", ["cpu: 70", KEDA])
def test_the_number_of_pods_is_the_autoscalers(tmp_path: Path, how: str) -> None:
    """Left out of the Deployment, and of what Argo CD compares; pods are drained one at a time."""
    objects = made(tmp_path, how)
    assert "replicas" not in one(objects, "Deployment")["spec"]
    assert one(objects, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    reconciler = (tmp_path / "k8s/reconciler/production.yaml").read_text()
    assert "RespectIgnoreDifferences=true" in reconciler
    assert ".spec.replicas | select(. > 0)" in reconciler


@pytest.mark.parametrize("how", ["cpu: 70", KEDA])
def test_nothing_scales_what_was_never_released(tmp_path: Path, how: str) -> None:
    objects = made(tmp_path, how, released=False)
    assert not {"HorizontalPodAutoscaler", "ScaledObject"} & set(kinds(objects))
    assert one(objects, "Deployment")["spec"]["replicas"] == 0


@pytest.mark.parametrize("how", ["cpu: 70", KEDA])
def test_pods_go_slowly_and_come_at_once(tmp_path: Path, how: str) -> None:
    objects = made(tmp_path, how)
    if "keda" in how:
        behavior = one(objects, "ScaledObject")["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    else:
        behavior = one(objects, "HorizontalPodAutoscaler")["spec"]["behavior"]
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] >= 300
    assert behavior["scaleUp"]["stabilizationWindowSeconds"] == 0
    assert [each["value"] for each in behavior["scaleDown"]["policies"] if each["type"] == "Percent"] == [50]


def test_the_adapters_rule_in_the_docs_names_what_the_autoscaler_asks_for() -> None:
    page = (Path(__file__).parents[2] / "docs/scaling.md").read_text()
    (block,) = [text for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "seriesQuery" in text]
    (rule,) = parse(block, "docs/scaling.md").data["rules"]
    assert rule["name"]["as"] == METRIC
    assert re.fullmatch(rule["name"]["matches"], "prediction_requests_total")
    assert {key: value["resource"] for key, value in rule["resources"]["overrides"].items()} == {
        "namespace": "namespace",
        "pod": "pod",
    }


@pytest.mark.parametrize(
    ("autoscaling", "message"),
    [
        ("requests: {per_second: 5, through: keda}", "give prometheus, the address"),
        (
            "requests: {per_second: 5, through: prometheus-adapter, prometheus: 'http://p:9090'}",
            "prometheus is for keda",
        ),
        ("requests: {per_second: 0, through: prometheus-adapter}", "must be greater than or equal to 0.01"),
        ("requests: {per_second: 5, through: hpa}", "must be 'keda' or 'prometheus-adapter'"),
        ("cpu: null", "give cpu, memory or requests"),
        ("memory: 0", "must be greater than or equal to 1"),
        ("requests: null", "is empty: give it a value"),
    ],
)
def test_what_cannot_scale_is_refused_with_its_line(tmp_path: Path, autoscaling: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        write(tmp_path, model_yaml(f"serve:\n  autoscaling: {{{autoscaling}}}\n"))
    assert message in str(refused.value)
    assert str(refused.value).startswith("model.yaml:6:")
