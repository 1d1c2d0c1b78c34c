"""Overlays rendered by the real kustomize: valid, restricted, and theirs alone, in every shape of model.yaml."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from yamllint import linter
from yamllint.config import YamlLintConfig

from generator.config.workspace import load
from generator.overlay import image_problems
from tests import parts
from tests.generator.workspaces import SMALLEST, model_yaml, write, write_many
from tests.templates import manifests
from tests.templates.manifests import (
    DIGEST,
    NO_DIGEST,
    build,
    build_all,
    generate,
    one,
    release_all,
    schema_problems,
    server,
    serving,
)

EVERYTHING = """\
serve:
  resources: {requests: {cpu: "1", memory: 1Gi}, limits: {cpu: "2", memory: 2Gi}}
  autoscaling: {min: 3, max: 9, cpu: 60}
  ingress: {host: "{name}.example.com"}
  service: LoadBalancer
  monitoring: true
  strict: true
  batching: off
  workers: 3
  tracing: {endpoint: "http://otel-collector.observability:4319"}
  api_keys: churn-keys
  rate_limit: {requests: 6000/m, burst: 200, proxies: 1}
"""
ENVIRONMENTS = """\
serve: {replicas: 2, autoscaling: {}, monitoring: true}
repository: {url: https://github.com/acme/churn, branch: trunk}
deploy:
  engine: argocd
  environments:
    staging: {serve: {replicas: 1, autoscaling: null, monitoring: false}}
    production: {namespace: live, serve: {ingress: {host: churn.example.com, tls: false}}}
"""
FLUX = """\
repository: {url: "ssh://git@github.com/acme/churn"}
deploy: {engine: flux, environments: {production: {namespace: ml}}}
"""
KEDA = """\
serve:
  autoscaling: {requests: {per_second: 50, through: keda, prometheus: "http://prometheus.monitoring:9090"}}
  gateway: {host: churn.example.com, name: public, namespace: gateways, listener: https}
"""
VARIANTS: dict[str, dict[str, str]] = {
    "smallest": {"": SMALLEST},
    "one-pod": {"": model_yaml("serve: {replicas: 1}\n")},
    "everything": {"": model_yaml(EVERYTHING).replace("amazonaws.com}", "amazonaws.com, platform: linux/arm64}")},
    "environments": {"": model_yaml(ENVIRONMENTS)},
    "pulled": {"": model_yaml(f"serve: {{pull_secret: cronjob}}\n{FLUX}")},
    "keda-gateway": {"": model_yaml(KEDA)},
    "many": {"churn": EVERYTHING, "churn-eu": FLUX, "demand": "serve: {replicas: 10}\n"},
}
YAMLLINT = YamlLintConfig("extends: default\nrules: {line-length: {max: 120}, document-start: disable}\n")

pytestmark = pytest.mark.e2e


@pytest.fixture(autouse=True)
def _kustomize() -> None:
    parts.need_kustomize()


def make(root: Path, variant: str, *, released: bool) -> Path:
    models = VARIANTS[variant]
    if "" in models:
        write(root, models[""])
    else:
        write_many(root, models)
    generate(root)
    if released:
        release_all(root)
    return root


@pytest.fixture(params=[f"{name}-{state}" for name in VARIANTS for state in ("fresh", "released")], scope="module")
def repository(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each variant, before and after its first release."""
    variant, _, state = request.param.rpartition("-")
    return make(tmp_path_factory.mktemp(request.param), variant, released=state == "released")


@pytest.fixture(scope="module")
def overlays(repository: Path) -> dict[str, list[manifests.Object]]:
    parts.need_kustomize()
    return build_all(repository)


def test_every_object_is_valid_on_the_last_three_kubernetes_versions(
    overlays: dict[str, list[manifests.Object]],
) -> None:
    problems = [problem for objects in overlays.values() for item in objects for problem in schema_problems(item)]
    assert problems == []


def test_pods_keep_to_pod_securitys_restricted_profile(overlays: dict[str, list[manifests.Object]]) -> None:
    for overlay, objects in overlays.items():
        pod = one(objects, "Deployment")["spec"]["template"]["spec"]
        security, container = pod["securityContext"], server(objects)["securityContext"]
        assert security["runAsNonRoot"] is True, overlay
        assert security["runAsUser"] == security["runAsGroup"] == 10001, overlay
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, overlay
        assert container == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, overlay
        assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & pod.keys(), overlay
        kinds = {volume["name"]: volume.keys() - {"name"} for volume in pod["volumes"]}
        assert kinds in ({"tmp": {"emptyDir"}}, {"tmp": {"emptyDir"}, "api-keys": {"secret"}}), overlay
        sizes = [volume["emptyDir"]["sizeLimit"] for volume in pod["volumes"] if volume["name"] == "tmp"]
        assert sizes == ["256Mi"], overlay
        assert all("hostPort" not in port for port in server(objects)["ports"]), overlay
        assert pod["automountServiceAccountToken"] is False, overlay
        assert one(serving(objects), "ServiceAccount")["automountServiceAccountToken"] is False, overlay


def test_the_digest_stands_once_in_the_image_and_once_in_the_environment(
    repository: Path, overlays: dict[str, list[manifests.Object]]
) -> None:
    for model in load(repository):
        for target in model.targets:
            objects = overlays[model.overlay(target.name)]
            replicas = one(objects, "Deployment")["spec"].get("replicas")
            digest = NO_DIGEST if replicas == 0 else DIGEST
            problems = image_problems(
                objects,
                name=f"{model.name}-inference",
                repository=model.image_repository,
                digest=digest,
            )
            assert problems == []
            assert re.findall(r"sha256:[0-9a-f]{64}", str(serving(objects))) == [digest] * 2


def test_every_object_is_named_placed_and_labelled(
    repository: Path, overlays: dict[str, list[manifests.Object]]
) -> None:
    for model in load(repository):
        for target in model.targets:
            for item in serving(overlays[model.overlay(target.name)]):
                metadata = item["metadata"]
                board = item["kind"] == "ConfigMap"
                assert metadata["name"] == f"{model.name}-inference{'-dashboard' * board}", item["kind"]
                assert metadata["namespace"] == target.namespace, item["kind"]
                assert metadata["labels"] == {
                    **({"grafana_dashboard": "1"} if board else {}),
                    "app.kubernetes.io/name": "inference",
                    "app.kubernetes.io/instance": model.name,
                    "app.kubernetes.io/component": "model-server",
                    "app.kubernetes.io/part-of": model.name,
                    "app.kubernetes.io/managed-by": "tagship",
                }, item["kind"]


def test_references_between_objects_hold(overlays: dict[str, list[manifests.Object]]) -> None:
    for overlay, objects in overlays.items():
        named = {(item["kind"], item["metadata"]["name"]) for item in objects}
        assert manifests.references(objects) <= named, overlay
        assert "set-by-the-overlay" not in str(objects), overlay


def test_nothing_is_left_for_yamllint_to_say(repository: Path) -> None:
    found = [
        f"{path.relative_to(repository)}: {problem}"
        for path in sorted((repository / "k8s").rglob("*.yaml"))
        if path.name != "release.yaml"  # one line an entry, so that branches conflict
        for problem in linter.run(path.read_text(), YAMLLINT)
    ]
    assert found == []


def test_generating_again_changes_nothing(repository: Path) -> None:
    before = {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()}
    generate(repository)
    assert {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()} == before


def test_the_first_release_switches_on_pods_autoscaler_and_budget(tmp_path: Path) -> None:
    root = make(tmp_path, "everything", released=False)
    model = load(root).model(None)
    before = build(root, model, "production")
    assert one(before, "Deployment")["spec"]["replicas"] == 0
    assert not {"HorizontalPodAutoscaler", "PodDisruptionBudget"} & set(manifests.kinds(before))
    release_all(root)
    after = build(root, model, "production")
    assert "replicas" not in one(after, "Deployment")["spec"], "the autoscaler owns it"
    autoscaler = one(after, "HorizontalPodAutoscaler")["spec"]
    assert (autoscaler["minReplicas"], autoscaler["maxReplicas"]) == (3, 9)
    assert autoscaler["metrics"][0]["resource"]["target"] == {"type": "Utilization", "averageUtilization": 60}
    budget = one(after, "PodDisruptionBudget")["spec"]
    assert (budget["maxUnavailable"], budget["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")


def test_one_pod_gets_no_budget_that_would_hold_up_a_drain(tmp_path: Path) -> None:
    root = make(tmp_path, "one-pod", released=True)
    objects = build(root, load(root).model(None), "production")
    assert one(objects, "Deployment")["spec"]["replicas"] == 1
    assert "PodDisruptionBudget" not in manifests.kinds(objects)


def test_what_model_yaml_says_of_serving_arrives(tmp_path: Path) -> None:
    root = make(tmp_path, "everything", released=True)
    objects = build(root, load(root).model(None), "production")
    container, pod = server(objects), one(objects, "Deployment")["spec"]["template"]["spec"]
    assert container["resources"] == {
        "requests": {"cpu": "1", "memory": "1Gi"},
        "limits": {"cpu": "2", "memory": "2Gi"},
    }
    assert {"name": "TAGSHIP_STRICT", "value": "true"} in container["env"]
    assert {"name": "TAGSHIP_BATCHING", "value": "false"} in container["env"]
    assert {"name": "TAGSHIP_RATE_LIMIT", "value": "6000/m"} in container["env"]
    assert {"name": "TAGSHIP_RATE_BURST", "value": "200"} in container["env"]
    assert {"name": "TAGSHIP_TRUSTED_PROXIES", "value": "1"} in container["env"]
    assert {"name": "TAGSHIP_WORKERS", "value": "3"} in container["env"]
    collector = "http://otel-collector.observability:4319"
    assert {"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": collector} in container["env"]
    assert one(objects, "NetworkPolicy")["spec"]["egress"] == [
        {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]},
        {"ports": [{"port": 4319, "protocol": "TCP"}]},
    ]
    assert pod["nodeSelector"] == {"kubernetes.io/arch": "arm64"}
    assert one(objects, "Service")["spec"]["type"] == "LoadBalancer"
    ingress = one(objects, "Ingress")["spec"]
    assert ingress["rules"][0]["host"] == "churn.example.com"
    assert ingress["tls"] == [{"hosts": ["churn.example.com"], "secretName": "churn-inference-tls"}]


def test_the_secret_with_the_keys_is_mounted_under_its_own_name(tmp_path: Path) -> None:
    root = make(tmp_path, "everything", released=True)
    objects = build(root, load(root).model(None), "production")
    container, pod = server(objects), one(objects, "Deployment")["spec"]["template"]["spec"]
    (mount,) = [mount for mount in container["volumeMounts"] if mount["name"] == "api-keys"]
    assert mount == {"name": "api-keys", "mountPath": "/etc/tagship/api-keys", "readOnly": True}
    assert {"name": "TAGSHIP_API_KEYS", "value": mount["mountPath"]} in container["env"]
    (volume,) = [volume for volume in pod["volumes"] if volume["name"] == "api-keys"]
    # 0444, since the server is not root; no prefix, since kustomize does not make this Secret; not optional.
    assert volume["secret"] == {"secretName": "churn-keys", "defaultMode": 0o444}
    assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"]


def test_a_secret_that_the_overlay_itself_has_is_found(tmp_path: Path) -> None:
    """A prefix changes its name, and with it what the pod mounts."""
    root = make(tmp_path, "everything", released=True)
    model = load(root).model(None)
    overlay = root / model.overlay("production")
    path = overlay / "kustomization.yaml"
    path.write_text(path.read_text().replace("resources:\n", "resources:\n  - keys.yaml\n", 1))
    (overlay / "keys.yaml").write_text("apiVersion: v1\nkind: Secret\nmetadata: {name: churn-keys}\n")
    objects = build(root, model, "production")
    volumes = one(objects, "Deployment")["spec"]["template"]["spec"]["volumes"]
    (mounted,) = [volume["secret"]["secretName"] for volume in volumes if volume["name"] == "api-keys"]
    assert one(objects, "Secret")["metadata"]["name"] == mounted == "churn-churn-keys"


def test_keys_and_a_limit_can_be_one_environments_own(tmp_path: Path) -> None:
    more = """\
deploy:
  environments:
    staging:
    production: {serve: {api_keys: churn-keys, rate_limit: 100/s}}
"""
    write(tmp_path, model_yaml(more))
    generate(tmp_path)
    model = load(tmp_path).model(None)
    names = {
        environment: {one["name"] for one in server(build(tmp_path, model, environment))["env"]}
        for environment in ("staging", "production")
    }
    assert names["production"] - names["staging"] == {"TAGSHIP_API_KEYS", "TAGSHIP_RATE_LIMIT"}
    assert names["staging"] == {"TAGSHIP_DIGEST"}


def test_an_environment_differs_only_in_what_it_says(tmp_path: Path) -> None:
    root = make(tmp_path, "environments", released=True)
    model = load(root).model(None)
    staging, production = build(root, model, "staging"), build(root, model, "production")
    plain = ["Deployment", "NetworkPolicy", "Service", "ServiceAccount"]
    assert manifests.kinds(staging) == plain
    assert one(staging, "Deployment")["spec"]["replicas"] == 1
    more = ["HorizontalPodAutoscaler", "Ingress", "PodDisruptionBudget"]
    more += ["ConfigMap", "PrometheusRule", "ServiceMonitor"]  # monitoring
    assert manifests.kinds(production) == sorted(plain + more)
    assert "tls" not in one(production, "Ingress")["spec"]


def test_probes_and_shutdown_fit_together(tmp_path: Path) -> None:
    root = make(tmp_path, "smallest", released=True)
    objects = build(root, load(root).model(None), "production")
    container, pod = server(objects), one(objects, "Deployment")["spec"]["template"]["spec"]
    startup = container["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] == 300, "five minutes to load the model"
    assert one(objects, "Deployment")["spec"]["progressDeadlineSeconds"] > 300
    drain = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] > drain + 20, "the server's own limit for open requests is 20 s"
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert container["readinessProbe"]["httpGet"]["path"] == startup["httpGet"]["path"] == "/readyz"


def test_what_a_person_adds_to_an_overlay_survives_a_release_and_generate(tmp_path: Path) -> None:
    root = make(tmp_path, "everything", released=False)
    model = load(root).model(None)
    overlay = root / model.overlay("production")
    path = overlay / "kustomization.yaml"
    text = path.read_text().replace("resources:\n", "resources:\n  - settings.yaml  # ours\n")
    path.write_text(text + "patches:\n  - path: mine.yaml\n")
    (overlay / "settings.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n")
    (overlay / "mine.yaml").write_text(
        "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\n"
        "metadata: {name: inference}\nspec: {maxReplicas: 4}\n"
    )
    release_all(root)
    expected = (text + "patches:\n  - path: mine.yaml\n").replace(NO_DIGEST, DIGEST)
    assert path.read_text().replace('"', "") == expected.replace('"', ""), "only the digest may change"
    objects = build(root, model, "production")
    settings = [item["metadata"]["name"] for item in objects if item["kind"] == "ConfigMap"]
    assert sorted(settings) == ["churn-inference-dashboard", "churn-settings"]
    assert one(objects, "HorizontalPodAutoscaler")["spec"]["maxReplicas"] == 4


def test_two_models_in_one_namespace_never_select_each_other(tmp_path: Path) -> None:
    shared = "deploy: {environments: {production: {namespace: ml}}}\n"
    write_many(tmp_path, {"churn": EVERYTHING, "churn-eu": EVERYTHING}, shared)
    generate(tmp_path)
    release_all(tmp_path)
    first, second = build_all(tmp_path).values()
    names = [{(item["kind"], item["metadata"]["name"]) for item in objects} for objects in (first, second)]
    assert names[0] & names[1] == set()
    assert {item["metadata"]["namespace"] for item in first + second} == {"ml"}
    for mine, others in ((first, second), (second, first)):
        selectors = manifests.selectors(mine)
        assert {where.split(" ")[0] for where, _, _ in selectors} == {
            "Deployment",
            "NetworkPolicy",
            "PodDisruptionBudget",
            "Service",
            "ServiceMonitor",
        }
        for where, selector, kind in selectors:
            assert manifests.matches(selector, manifests.labels_of(mine, kind)), f"{where} misses its own {kind}"
            assert not manifests.matches(selector, manifests.labels_of(others, kind)), f"{where} takes another's"
        assert manifests.references(mine) <= names[0 if mine is first else 1]
