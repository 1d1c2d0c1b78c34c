"""The rest of the Deployment and its policy: who may ask, how important it is, how long it may take to load."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.config.workspace import load
from generator.disk import write_atomically
from generator.errors import InvalidInput
from generator.ledger import Ledger
from generator.plan.startup import BASE_SECONDS, DEADLINE, PERIOD, startup_seconds
from generator.render import data_text
from generator.yamlio import parse
from tests import parts
from tests.generator.workspaces import model_yaml, write
from tests.templates.manifests import ENTRY, Object, build, generate, one, schema_problems, server

pytestmark = pytest.mark.e2e


def made(root: Path, serve: str, *, environments: str = "", load_seconds: float | None = None) -> list[Object]:
    """The overlay's objects after a release, all of them valid."""
    parts.need_kustomize()
    more = f"deploy: {{environments: {{{environments}}}}}\n" if environments else ""
    write(root, model_yaml(f"serve: {{{serve}}}\n{more}"))
    generate(root)
    model = load(root).model(None)
    overlay = root / model.overlay("production")
    entry = ENTRY.model_copy(update={"load_seconds": load_seconds})
    write_atomically(overlay / "release.yaml", Ledger(model="churn", environment="production").with_release(entry).text())
    generate(root)
    objects = build(root, model, "production")
    assert [problem for item in objects for problem in schema_problems(item)] == []
    return objects


def let_in(objects: list[Object]) -> list[str] | None:
    """The namespaces whose pods get in; None: all."""
    (rule,) = one(objects, "NetworkPolicy")["spec"]["ingress"]
    assert rule["ports"] == [{"port": "http", "protocol": "TCP"}], "the one port"
    if "from" not in rule:
        return None
    labels = [peer["namespaceSelector"]["matchLabels"] for peer in rule["from"]]
    assert all(set(peer) == {"namespaceSelector"} for peer in rule["from"])
    return [label["kubernetes.io/metadata.name"] for label in labels]


def test_everybody_in_the_cluster_may_ask_by_default(tmp_path: Path) -> None:
    objects = made(tmp_path, "replicas: 1")
    assert let_in(objects) is None
    policy = one(objects, "NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"], "what is not allowed is denied"
    assert "egress" not in policy


@pytest.mark.parametrize("callers", ["[shop, ingress-nginx]", "{namespaces: [shop, ingress-nginx]}"])
def test_only_callers_may_ask(tmp_path: Path, callers: str) -> None:
    assert let_in(made(tmp_path, f"callers: {callers}")) == ["shop", "ingress-nginx"]


def test_prometheus_stays_let_in(tmp_path: Path) -> None:
    objects = made(tmp_path, "monitoring: true, callers: {namespaces: [shop], prometheus: monitoring}")
    assert let_in(objects) == ["shop", "monitoring"]


def test_callers_and_spans_are_one_policy(tmp_path: Path) -> None:
    objects = made(tmp_path, "callers: [shop], tracing: {endpoint: 'http://otel.tracing:4318'}")
    assert let_in(objects) == ["shop"]
    ports = [port["port"] for rule in one(objects, "NetworkPolicy")["spec"]["egress"] for port in rule["ports"]]
    assert ports == [53, 53, 4318]


def test_an_environment_may_have_other_callers(tmp_path: Path) -> None:
    objects = made(tmp_path, "callers: [shop]", environments="production: {serve: {callers: [till]}}")
    assert let_in(objects) == ["till"]


def test_pods_have_the_priority_that_is_named(tmp_path: Path) -> None:
    pod = one(made(tmp_path, "priority_class: serving"), "Deployment")["spec"]["template"]["spec"]
    assert pod["priorityClassName"] == "serving"


def test_pods_have_no_priority_unasked(tmp_path: Path) -> None:
    pod = one(made(tmp_path, "replicas: 1"), "Deployment")["spec"]["template"]["spec"]
    assert "priorityClassName" not in pod


@pytest.mark.parametrize(
    ("measured", "seconds"), [(None, 300), (0.0, 300), (30.0, 300), (30.1, 360), (45.5, 480), (600.0, 6000)]
)
def test_a_pod_has_ten_times_as_long_to_load_as_its_image_took(
    tmp_path: Path, measured: float | None, seconds: int
) -> None:
    objects = made(tmp_path, "replicas: 1", load_seconds=measured)
    probe, spec = server(objects)["startupProbe"], one(objects, "Deployment")["spec"]
    assert probe["periodSeconds"] * probe["failureThreshold"] == seconds
    assert probe["httpGet"] == {"path": "/readyz", "port": "http"}, "the base's own fields stay"
    assert spec["progressDeadlineSeconds"] == seconds + 300, "the rollout outlasts the probe"


def test_the_numbers_are_the_bases() -> None:
    spec = parse(data_text("k8s/base/deployment.yaml"), "deployment.yaml").data["spec"]
    probe = spec["template"]["spec"]["containers"][0]["startupProbe"]
    assert (probe["periodSeconds"], probe["periodSeconds"] * probe["failureThreshold"]) == (PERIOD, BASE_SECONDS)
    assert spec["progressDeadlineSeconds"] == DEADLINE
    assert startup_seconds(None) == BASE_SECONDS


@pytest.mark.parametrize(
    ("more", "where", "message"),
    [
        ("serve: {callers: []}", "5:18", "at least 1 item"),
        ("serve: {callers: [Shop]}", "5:19", "a Kubernetes namespace"),
        ("serve: {callers: {prometheus: monitoring}}", "5:18", "serve.callers.namespaces is missing"),
        (
            "serve: {callers: [shop]}\ndeploy: {environments: {a: {serve: {callers: null}}}}",
            "6:46",
            "is empty: give it a value",  # a slip must not open a server
        ),
        ("serve: {priority_class: 'a b'}", "5:25", "the name of a Kubernetes object"),
        ("serve: {monitoring: true, callers: [shop]}", "5:27", "callers leaves Prometheus out"),
        (
            "serve: {callers: [shop]}\ndeploy: {environments: {a: , b: {serve: {monitoring: true}}}}",
            "6:34",
            "callers leaves Prometheus out",
        ),
    ],
)
def test_what_would_shut_out_is_refused_with_its_line(
    tmp_path: Path, more: str, where: str, message: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        write(tmp_path, model_yaml(f"{more}\n"))
    assert message in str(refused.value)
    assert str(refused.value).startswith(f"model.yaml:{where}:")


def test_where_an_environment_is_not_scraped_callers_need_no_prometheus(tmp_path: Path) -> None:
    more = "serve: {monitoring: true, callers: [shop]}\ndeploy: {environments: {a: {serve: {monitoring: false}}}}\n"
    assert write(tmp_path, model_yaml(more))
