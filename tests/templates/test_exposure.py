"""How a service is reached from outside: Ingress with TLS, a Gateway's route, a load balancer that a patch shapes."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.config.workspace import load
from generator.errors import InvalidInput
from tests import parts
from tests.generator.workspaces import model_yaml, write, write_many
from tests.templates.manifests import Object, build, build_all, generate, kinds, one, release_all, schema_problems

pytestmark = pytest.mark.e2e
GATEWAY = "gateway: {host: churn.example.com, name: public, namespace: gateways}"


def made(root: Path, serve: str) -> list[Object]:
    """The overlay's objects, all of them valid."""
    parts.need_kustomize()
    write(root, model_yaml(f"serve: {{{serve}}}\n"))
    generate(root)
    release_all(root)
    objects = build(root, load(root).model(None), "production")
    assert [problem for item in objects for problem in schema_problems(item)] == []
    return objects


def test_an_ingress_takes_the_clusters_class_and_a_persons_secret(tmp_path: Path) -> None:
    ingress = one(made(tmp_path, "ingress: {host: churn.example.com}"), "Ingress")
    assert "ingressClassName" not in ingress["spec"]
    assert "annotations" not in ingress["metadata"]
    assert ingress["spec"]["tls"] == [{"hosts": ["churn.example.com"], "secretName": "churn-inference-tls"}]


@pytest.mark.parametrize(
    ("issuer", "annotations"),
    [
        ("letsencrypt", {"cert-manager.io/cluster-issuer": "letsencrypt"}),
        ("{name: letsencrypt}", {"cert-manager.io/cluster-issuer": "letsencrypt"}),
        ("{name: ours, kind: Issuer}", {"cert-manager.io/issuer": "ours"}),
    ],
)
def test_cert_manager_fills_the_secret(tmp_path: Path, issuer: str, annotations: dict[str, str]) -> None:
    ingress = one(made(tmp_path, f"ingress: {{host: churn.example.com, class: nginx, issuer: {issuer}}}"), "Ingress")
    assert ingress["metadata"]["annotations"] == annotations
    assert ingress["spec"]["ingressClassName"] == "nginx"
    assert ingress["spec"]["rules"][0]["host"] == "churn.example.com", "the component's own fields stay"
    assert ingress["spec"]["tls"][0]["secretName"] == "churn-inference-tls"


def test_a_gateways_route_leads_to_the_service(tmp_path: Path) -> None:
    objects = made(tmp_path, GATEWAY)
    spec, service = one(objects, "HTTPRoute")["spec"], one(objects, "Service")
    (parent,) = spec["parentRefs"]
    assert (parent["name"], parent["namespace"], "sectionName" in parent) == ("public", "gateways", False)
    assert spec["hostnames"] == ["churn.example.com"]
    (rule,) = spec["rules"]
    (backend,) = rule["backendRefs"]
    assert backend["name"] == service["metadata"]["name"] == "churn-inference"
    assert backend["port"] in [port["port"] for port in service["spec"]["ports"]]
    assert "Ingress" not in kinds(objects)


def test_a_route_may_ask_for_one_listener(tmp_path: Path) -> None:
    route = one(made(tmp_path, GATEWAY.replace("}", ", listener: https}")), "HTTPRoute")
    assert route["spec"]["parentRefs"][0]["sectionName"] == "https"


def test_two_models_in_one_namespace_have_routes_and_certificates_of_their_own(tmp_path: Path) -> None:
    parts.need_kustomize()
    shared = "deploy: {environments: {production: {namespace: ml}}}\n"
    serve = "serve: {{ingress: {{host: {0}.example.com, issuer: ca}}, gateway: {{host: {0}.example.org, name: g, namespace: g}}}}\n"
    write_many(tmp_path, {name: serve.format(name) for name in ("churn", "churn-eu")}, shared)
    generate(tmp_path)
    rendered = list(build_all(tmp_path).values())
    secrets = {one(objects, "Ingress")["spec"]["tls"][0]["secretName"] for objects in rendered}
    backends = {one(objects, "HTTPRoute")["spec"]["rules"][0]["backendRefs"][0]["name"] for objects in rendered}
    assert secrets == {"churn-inference-tls", "churn-eu-inference-tls"}
    assert backends == {"churn-inference", "churn-eu-inference"}


def test_an_environment_may_take_its_route_away(tmp_path: Path) -> None:
    parts.need_kustomize()
    more = f"serve: {{{GATEWAY}}}\ndeploy: {{environments: {{staging: {{serve: {{gateway: }}}}, production: }}}}\n"
    write(tmp_path, model_yaml(more))
    generate(tmp_path)
    model = load(tmp_path).model(None)
    assert "HTTPRoute" not in kinds(build(tmp_path, model, "staging"))
    assert "HTTPRoute" in kinds(build(tmp_path, model, "production"))


PATCH = """\
apiVersion: v1
kind: Service
metadata:
  name: inference
  annotations:
    service.beta.kubernetes.io/aws-load-balancer-type: external
spec:
  externalTrafficPolicy: Local
  loadBalancerSourceRanges:
    - 203.0.113.0/24
"""


def test_a_load_balancers_annotations_and_sources_are_a_patch_that_stays(tmp_path: Path) -> None:
    """docs/exposure.md shows this patch."""
    made(tmp_path, "service: LoadBalancer")
    model = load(tmp_path).model(None)
    overlay = tmp_path / model.overlay("production")
    (overlay / "patches").mkdir()
    (overlay / "patches/service.yaml").write_text(PATCH)
    kustomization = overlay / "kustomization.yaml"
    kustomization.write_text(kustomization.read_text() + "patches:\n  - path: patches/service.yaml\n")
    generate(tmp_path)
    release_all(tmp_path)
    service = one(build(tmp_path, model, "production"), "Service")
    assert service["metadata"]["annotations"] == {"service.beta.kubernetes.io/aws-load-balancer-type": "external"}
    assert service["spec"]["type"] == "LoadBalancer"
    assert service["spec"]["externalTrafficPolicy"] == "Local"
    assert service["spec"]["loadBalancerSourceRanges"] == ["203.0.113.0/24"]
    assert schema_problems(service) == []
    assert PATCH in (Path(__file__).parents[2] / "docs/exposure.md").read_text()


@pytest.mark.parametrize(("service", "last"), [("ClusterIP", 10), ("LoadBalancer", 60)])
def test_a_pod_serves_until_whoever_sends_requests_knows_that_it_goes(
    tmp_path: Path, service: str, last: int
) -> None:
    pod = one(made(tmp_path, f"service: {service}"), "Deployment")["spec"]["template"]["spec"]
    assert pod["containers"][0]["lifecycle"]["preStop"] == {"sleep": {"seconds": last}}
    assert pod["terminationGracePeriodSeconds"] == last + 30, "its open requests, and a margin"


@pytest.mark.parametrize(
    ("serve", "message"),
    [
        ("ingress: {host: a.example.com, tls: false, issuer: ca}", "issuer is for tls"),
        ("ingress: {host: a.example.com, class: 'a b'}", "serve.ingress.class must be the name of a Kubernetes object"),
        ("ingress: {host: a.example.com, issuer: null}", "is empty: give it a value"),
        ("ingress: {host: a.example.com, issuer: {name: ca, kind: Cluster}}", "must be 'ClusterIssuer' or 'Issuer'"),
        ("ingress: {host: a.example.com, clas: nginx}", "unknown key 'clas'; did you mean 'class'?"),
        ("ingress: {host: a.example.com, class_name: nginx}", "unknown key 'class_name'"),
        ("gateway: {host: a.example.com, name: public}", "serve.gateway.namespace is missing"),
        ("gateway: {host: localhost, name: public, namespace: g}", "a lower-case host name with a dot"),
    ],
)
def test_what_cannot_be_reached_is_refused_with_its_line(tmp_path: Path, serve: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        write(tmp_path, model_yaml(f"serve:\n  {serve}\n"))
    assert message in str(refused.value)
    assert str(refused.value).startswith("model.yaml:6:")
