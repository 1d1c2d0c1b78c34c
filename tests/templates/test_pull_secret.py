"""What brings ECR's login to pods outside EKS: valid, restricted, each model's own, and no more rights than it needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from generator.config.workspace import load
from generator.errors import InvalidInput
from tests import parts
from tests.generator.workspaces import model_yaml, write, write_many
from tests.templates.manifests import (
    Object,
    build,
    build_all,
    generate,
    kinds,
    matches,
    one,
    reconciler_objects,
    release_all,
    schema_problems,
)

REGISTRY = "123456789012.dkr.ecr.eu-north-1.amazonaws.com"
ENGINES = {
    "argocd": "repository: {url: https://github.com/acme/churn}\ndeploy: {engine: argocd}\n",
    "flux": "repository: {url: https://github.com/acme/churn}\ndeploy: {engine: flux}\n",
    "none": "",
}
WITH_KEY = "{through: %s, key: churn-ecr}"


def made(root: Path, pull_secret: str, engine: str = "none") -> tuple[list[Object], list[Object]]:
    """The overlay's objects and the reconciler's, all of them valid."""
    write(root, model_yaml(f"serve: {{pull_secret: {pull_secret}}}\n{ENGINES[engine]}"))
    generate(root)
    release_all(root)
    overlay = build(root, load(root).model(None), "production")
    reconciler = reconciler_objects(root / "k8s/reconciler/production.yaml")
    assert [problem for item in (*overlay, *reconciler) for problem in schema_problems(item)] == []
    return overlay, reconciler


def named(objects: list[Object], kind: str, name: str) -> Object:
    (found,) = [item for item in objects if (item["kind"], item["metadata"]["name"]) == (kind, name)]
    return found


def pod_of(item: Object) -> dict[str, Any]:
    spec = item["spec"]["jobTemplate"]["spec"] if item["kind"] == "CronJob" else item["spec"]
    return dict(spec["template"]["spec"])


def wave(item: Object) -> int:
    return int(item["metadata"].get("annotations", {}).get("argocd.argoproj.io/sync-wave", 0))


@pytest.fixture(autouse=True)
def _kustomize() -> None:
    parts.need_kustomize()


@pytest.mark.e2e
@pytest.mark.parametrize("pull_secret", ["cronjob", "external-secrets", WITH_KEY % "cronjob"])
def test_pods_name_the_secret_that_is_written(tmp_path: Path, pull_secret: str) -> None:
    overlay, _ = made(tmp_path, pull_secret)
    (named_secret,) = one(overlay, "Deployment")["spec"]["template"]["spec"]["imagePullSecrets"]
    if "cronjob" in pull_secret:
        (container,) = pod_of(one(overlay, "CronJob"))["containers"]
        written = {each["name"]: each.get("value") for each in container["env"]}["SECRET"]
    else:
        written = one(overlay, "ExternalSecret")["spec"]["target"]["name"]
    assert named_secret == {"name": written} == {"name": "churn-pull"}


@pytest.mark.e2e
def test_external_secrets_makes_a_docker_configuration_of_ecrs_login(tmp_path: Path) -> None:
    overlay, reconciler = made(tmp_path, "external-secrets")
    secret, login = one(overlay, "ExternalSecret"), one(overlay, "ECRAuthorizationToken")
    (source,) = secret["spec"]["dataFrom"]
    assert source["sourceRef"]["generatorRef"]["name"] == login["metadata"]["name"] == "churn-pull"
    assert secret["spec"]["refreshInterval"] == "1h0m0s"
    template = secret["spec"]["target"]["template"]
    assert template["type"] == "kubernetes.io/dockerconfigjson"
    text = template["data"][".dockerconfigjson"].replace("{{ .username }}", "AWS").replace("{{ .password }}", "x")
    assert json.loads(text) == {"auths": {REGISTRY: {"username": "AWS", "password": "x"}}}
    assert login["spec"]["region"] == "eu-north-1"
    account = named(overlay, "ServiceAccount", login["spec"]["auth"]["jwt"]["serviceAccountRef"]["name"])
    role = "arn:aws:iam::123456789012:role/churn-pull"
    assert account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"] == role
    assert kinds(reconciler) == ["Namespace"], "the operator has rights of its own"


@pytest.mark.e2e
def test_external_secrets_takes_an_access_key_where_the_issuer_is_out_of_reach(tmp_path: Path) -> None:
    overlay, _ = made(tmp_path, WITH_KEY % "external-secrets")
    auth = one(overlay, "ECRAuthorizationToken")["spec"]["auth"]
    assert {(each["name"], each["key"]) for each in auth["secretRef"].values()} == {
        ("churn-ecr", "AWS_ACCESS_KEY_ID"),
        ("churn-ecr", "AWS_SECRET_ACCESS_KEY"),
    }
    assert kinds(overlay).count("ServiceAccount") == 1


@pytest.mark.e2e
@pytest.mark.parametrize("engine", ENGINES)
def test_a_cron_job_may_change_its_own_secret_and_nothing_else(tmp_path: Path, engine: str) -> None:
    overlay, reconciler = made(tmp_path, "cronjob", engine)
    (rule,) = one(reconciler, "Role")["rules"]
    binding = one(reconciler, "RoleBinding")
    assert rule == {
        "apiGroups": [""],
        "resources": ["secrets"],
        "resourceNames": ["churn-pull"],
        "verbs": ["create", "patch"],
    }
    assert binding["roleRef"]["name"] == one(reconciler, "Role")["metadata"]["name"]
    (subject,) = binding["subjects"]
    account = named(overlay, "ServiceAccount", subject["name"])
    assert pod_of(one(overlay, "CronJob"))["serviceAccountName"] == subject["name"]
    assert subject["namespace"] == account["metadata"]["namespace"] == binding["metadata"]["namespace"]
    assert not {"Role", "RoleBinding"} & set(kinds(overlay)), "an overlay hands out no rights"
    assert "Secret" not in kinds([*overlay, *reconciler]), "applied again, it would take the login away"


@pytest.mark.e2e
def test_a_login_is_renewed_long_before_it_ends(tmp_path: Path) -> None:
    overlay, _ = made(tmp_path, "cronjob")
    job = one(overlay, "CronJob")["spec"]
    assert job["schedule"].split()[1:] == ["*/2", "*", "*", "*"], "a login ends after twelve hours"
    assert job["concurrencyPolicy"] == "Forbid"
    assert job["startingDeadlineSeconds"] < 6 * 3600
    assert job["jobTemplate"]["spec"]["activeDeadlineSeconds"] < 3600


@pytest.mark.e2e
@pytest.mark.parametrize("pull_secret", ["cronjob", WITH_KEY % "cronjob"])
def test_the_job_keeps_to_pod_securitys_restricted_profile(tmp_path: Path, pull_secret: str) -> None:
    overlay, _ = made(tmp_path, pull_secret, "flux")
    for item in (one(overlay, "CronJob"), one(overlay, "Job")):
        pod = pod_of(item)
        (container,) = pod["containers"]
        assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]) == (True, 10001)
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {key for volume in pod["volumes"] for key in volume} - {"name"} <= {"configMap", "projected"}
        assert container["resources"].keys() == {"requests", "limits"}
        assert container["image"].startswith("public.ecr.aws/docker/library/python@sha256:")


@pytest.mark.e2e
def test_with_a_key_the_job_proves_no_role(tmp_path: Path) -> None:
    overlay, _ = made(tmp_path, WITH_KEY % "cronjob")
    pod = pod_of(one(overlay, "CronJob"))
    env = {each["name"]: each for each in pod["containers"][0]["env"]}
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        assert env[name]["valueFrom"]["secretKeyRef"] == {"name": "churn-ecr", "key": name}
    assert "AWS_ROLE_ARN" not in env
    assert [volume["name"] for volume in pod["volumes"]] == ["script"]


@pytest.mark.e2e
def test_the_first_login_comes_before_the_first_pods(tmp_path: Path) -> None:
    """Argo CD brings lower waves first, and waits for a Job to end; what is there already it leaves alone."""
    overlay, _ = made(tmp_path, "cronjob", "argocd")
    first = one(overlay, "Job")
    assert not [name for name in first["metadata"]["annotations"] if "hook" in name], "no rollback waits for AWS"
    assert first["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] == "Force=true,Replace=true"
    needed = [
        named(overlay, kind, "churn-pull") for kind in ("ServiceAccount", "ConfigMap", "NetworkPolicy", "CronJob")
    ]
    assert all(wave(item) <= wave(first) for item in needed if item["kind"] != "CronJob")
    assert wave(first) < wave(one(overlay, "Deployment"))
    assert first["spec"] == one(overlay, "CronJob")["spec"]["jobTemplate"]["spec"], "the same job, now"


@pytest.mark.e2e
def test_flux_tries_the_first_login_again(tmp_path: Path) -> None:
    """It waits for all that it applies: a Job that failed would keep it from ever being ready."""
    overlay, _ = made(tmp_path, "cronjob", "flux")
    first = one(overlay, "Job")
    assert first["spec"]["ttlSecondsAfterFinished"] <= 3600
    assert first["metadata"]["annotations"] == {"kustomize.toolkit.fluxcd.io/force": "enabled"}
    assert pod_of(first) == pod_of(one(overlay, "CronJob"))


@pytest.mark.e2e
def test_who_applies_an_overlay_by_hand_is_told_how_to_begin(tmp_path: Path) -> None:
    overlay, _ = made(tmp_path, "cronjob")
    assert "Job" not in kinds(overlay), "a finished Job would refuse the next apply"
    text = (tmp_path / "k8s/reconciler/production.yaml").read_text()
    assert "#   kubectl -n churn create job --from=cronjob/churn-pull churn-pull-$(date +%s)\n" in text
    page = (Path(__file__).parents[2] / "docs/pull-secret.md").read_text()
    assert "kubectl -n churn create job --from=cronjob/churn-pull churn-pull-$(date +%s)\n" in page


@pytest.mark.e2e
def test_only_the_job_gets_out(tmp_path: Path) -> None:
    overlay, _ = made(tmp_path, "cronjob", "argocd")
    server, job = (
        named(overlay, "NetworkPolicy", name)["spec"] for name in ("churn-inference", "churn-pull")
    )
    labels = one(overlay, "CronJob")["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
    pods = one(overlay, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert matches(job["podSelector"]["matchLabels"], labels)
    assert not matches(job["podSelector"]["matchLabels"], pods)
    assert not matches(server["podSelector"]["matchLabels"], labels)
    assert not matches(one(overlay, "Service")["spec"]["selector"], labels), "no request reaches it"
    assert (job["policyTypes"], "ingress" in job) == (["Ingress", "Egress"], False)
    assert {each["port"] for rule in job["egress"] for each in rule["ports"]} == {53, 443, 6443}


@pytest.mark.e2e
def test_two_models_in_one_namespace_have_secrets_of_their_own(tmp_path: Path) -> None:
    shared = "deploy: {environments: {production: {namespace: ml}}}\n"
    serve = {"churn": "cronjob", "churn-eu": "cronjob", "demand": "external-secrets", "sales": "external-secrets"}
    write_many(tmp_path, {name: f"serve: {{pull_secret: {how}}}\n" for name, how in serve.items()}, shared)
    generate(tmp_path)
    release_all(tmp_path)
    objects = [item for overlay in build_all(tmp_path).values() for item in overlay]
    files = sorted((tmp_path / "k8s/reconciler").rglob("*.yaml"))
    objects += [item for path in files for item in reconciler_objects(path)]
    identities = [(item["kind"], item["metadata"]["name"]) for item in objects]
    assert len(identities) == len(set(identities))
    policies = [item for item in objects if item["kind"] == "NetworkPolicy" and "-pull" in item["metadata"]["name"]]
    jobs = [item for item in objects if item["kind"] == "CronJob"]
    for policy in policies:
        selected = [
            job["metadata"]["name"]
            for job in jobs
            if matches(
                policy["spec"]["podSelector"]["matchLabels"],
                job["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"],
            )
        ]
        assert selected == [policy["metadata"]["name"]]
    assert "set-by-the-overlay" not in str(objects)


@pytest.mark.e2e
def test_an_environment_on_eks_needs_none(tmp_path: Path) -> None:
    more = "deploy: {environments: {staging: {serve: {pull_secret: none}}, production: }}\n"
    write(tmp_path, model_yaml(f"serve: {{pull_secret: cronjob}}\n{more}"))
    generate(tmp_path)
    model = load(tmp_path).model(None)
    staging, production = build(tmp_path, model, "staging"), build(tmp_path, model, "production")
    assert "imagePullSecrets" not in one(staging, "Deployment")["spec"]["template"]["spec"]
    assert kinds(reconciler_objects(tmp_path / "k8s/reconciler/staging.yaml")) == ["Namespace"]
    assert {"CronJob"} == set(kinds(production)) - set(kinds(staging)) - {"ConfigMap"}


@pytest.mark.e2e
def test_an_image_of_ones_own_and_a_role_of_ones_own_arrive(tmp_path: Path) -> None:
    image = f"registry.example.com:5000/mirror/python:3.13@sha256:{'cd' * 32}"
    role = "arn:aws:iam::123456789012:role/pullers/ml"
    overlay, _ = made(tmp_path, f"{{through: cronjob, image: '{image}', role: '{role}'}}")
    (container,) = pod_of(one(overlay, "CronJob"))["containers"]
    assert container["image"] == image.replace(":3.13@", "@")
    assert {"name": "AWS_ROLE_ARN", "value": role} in container["env"]


REFUSED = [
    ("pull_secret: {through: cronjob, key: churn-pull}", "key: churn-pull is where the login is kept", REGISTRY),
    ("pull_secret: cronjob", "pull_secret is for ECR, and image.registry is ghcr.io", "ghcr.io"),
    ("pull_secret: {through: cronjob, image: 'python:3.13'}", "must be an image by its digest", REGISTRY),
    ("pull_secret: {through: cronjob, role: 'arn:aws:iam::1:role/r'}", "must be the ARN of an IAM role", REGISTRY),
    (
        "pull_secret: {through: cronjob, key: k, role: 'arn:aws:iam::123456789012:role/r'}",
        "give role or key, not both",
        REGISTRY,
    ),
    (
        f"pull_secret: {{through: external-secrets, image: 'python/x@sha256:{'0' * 64}'}}",
        "image is for the CronJob alone",
        REGISTRY,
    ),
    ("pull_secret: helm", "must be 'external-secrets' or 'cronjob'", REGISTRY),
    ("pull_secret: null", "is empty: give it a value, or leave the key out", REGISTRY),
]


@pytest.mark.parametrize(("serve", "message", "registry"), REFUSED)
def test_what_cannot_work_is_refused_with_its_line(
    tmp_path: Path, serve: str, message: str, registry: str
) -> None:
    text = model_yaml(f"serve:\n  {serve}\n").replace(REGISTRY, registry)
    with pytest.raises(InvalidInput) as refused:
        write(tmp_path, text)
    assert message in str(refused.value)
    assert str(refused.value).startswith("model.yaml:6:")


def test_an_environments_pull_secret_is_for_ecr_as_well(tmp_path: Path) -> None:
    more = "deploy: {environments: {production: {serve: {pull_secret: external-secrets}}}}\n"
    with pytest.raises(InvalidInput, match=r"model\.yaml:5:46: pull_secret is for ECR"):
        write(tmp_path, model_yaml(more).replace(REGISTRY, "registry.example.com"))


