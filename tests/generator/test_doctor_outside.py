"""`generator doctor` and what lies outside: an AWS account, a tracking server, a cluster's API, GitHub.

AWS is the test bed's API, GitHub and the cluster's API are stand-ins on loopback; kubectl and boto3 are the real ones.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from generator.adapters.github import connect
from generator.bootstrap.github import carry_out, propose
from generator.bootstrap.github_people import Wishes
from generator.config.workspace import load
from generator.doctor.finding import Finding, Severity
from tests import parts
from tests.generator.aws_parts import REGION, Account, account, root_model
from tests.generator.doctor_parts import (
    TRACKING,
    URL,
    Setup,
    answering,
    application,
    cluster,
    kubeconfig,
    make,
    model_text,
)
from tests.generator.github.server import TOKEN, GitHubServer
from tests.policies import without

ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE
ISSUER = "token.actions.githubusercontent.com"


def hit(found: list[Finding], severity: Severity, what: str, fix: str) -> None:
    """One finding says it, with what to do."""
    assert [item for item in found if item.severity is severity and what in item.what and fix in item.fix], found
    assert all(item.area and item.what and item.fix for item in found)


# AWS


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Account:
    return account(monkeypatch)


@pytest.fixture
def cloud(aws: Account, tmp_path: Path) -> tuple[Account, Setup]:
    """An account after `bootstrap aws --apply`, and the repository that it is for."""
    model = root_model(tmp_path, aws.number)
    aws.apply(model)
    as_aws_has_it(aws)
    return aws, Setup(tmp_path)


def as_aws_has_it(aws: Account) -> None:
    """The stand-in keeps a stack's policy as text of Python, and forgets that the repository scans."""
    rights = json.dumps(aws.rights("churn-release"))
    aws.iam.put_role_policy(RoleName="churn-release", PolicyName="push", PolicyDocument=rights)
    scans = {"scanOnPush": True}
    aws.ecr.put_image_scanning_configuration(repositoryName="churn", imageScanningConfiguration=scans)


def test_what_bootstrap_aws_makes_is_healthy(cloud: tuple[Account, Setup]) -> None:
    assert cloud[1].findings("AWS", "registry") == []


Change = Callable[[dict[str, Any]], None]


def put(operator: str, claim: str, value: Any) -> Change:
    """A statement's condition on a claim, in place of what is there."""

    def change(statement: dict[str, Any]) -> None:
        conditions, key = statement["Condition"], f"{ISSUER}:{claim}"
        for keys in conditions.values():
            keys.pop(key, None)
        conditions.setdefault(operator, {})[key] = value

    return change


def principal(value: Any) -> Change:
    return lambda statement: statement.update(Principal=value)


PUBLISH = "environment:tagship-publish"
TRUSTS = {
    "any subject of the repository": (put("StringLike", "sub", "repo:acme/churn:*"), "sub is too wide"),
    "any repository of the owner": (put("StringLike", "sub", f"repo:acme/*:{PUBLISH}"), "sub is too wide"),
    "the training job, too": (
        put("StringEquals", "sub", [f"repo:acme/churn:{PUBLISH}", "repo:acme/churn:environment:tagship-train"]),
        "environment:tagship-train lets others in",
    ),
    "another repository": (put("StringEquals", "sub", f"repo:acme/other:{PUBLISH}"), "release tags out: sub"),
    "another number": (put("StringEquals", "repository_id", "1"), "release tags out: repository_id"),
    "another audience": (put("StringEquals", "aud", "https://github.com/acme"), "release tags out: aud"),
    "branches, too": (put("StringLike", "ref", "refs/*"), "ref is too wide"),
    "any tag": (put("StringLike", "ref", "refs/tags/*"), "ref is too wide"),
    "tags of another model": (put("StringLike", "ref", "refs/tags/demand/v*"), "release tags out: ref"),
    "tags taken word for word": (put("StringEquals", "ref", "refs/tags/v*"), "release tags out: ref"),
    "audience if there": (put("StringEqualsIfExists", "aud", "sts.amazonaws.com"), "holds for a token without"),
    "every value of none": (put("ForAllValues:StringEquals", "repository_id", "456"), "holds for a token without"),
    "every issuer": (principal("*"), "every issuer"),
    "another issuer": (
        principal({"Federated": "arn:aws:iam::123456789012:oidc-provider/gitlab.com"}),
        "another issuer",
    ),
    "an account's users": (principal({"AWS": "arn:aws:iam::123456789012:root"}), "may also be assumed by"),
}


def trust(aws: Account, document: Any) -> None:
    aws.iam.update_assume_role_policy(RoleName="churn-release", PolicyDocument=json.dumps(document))


@pytest.mark.parametrize(("change", "what"), TRUSTS.values(), ids=TRUSTS)
def test_a_trust_policy_that_is_not_ours_is_found(cloud: tuple[Account, Setup], change: Change, what: str) -> None:
    aws, setup = cloud
    document = copy.deepcopy(aws.trust("churn-release"))
    change(document["Statement"][0])
    trust(aws, document)
    hit(setup.findings("AWS"), ERROR, what, "generator bootstrap aws --apply")


@pytest.mark.parametrize(
    ("operator", "claim"),
    [("StringEquals", "aud"), ("StringEquals", "sub"), ("StringEquals", "repository_id"), ("StringLike", "ref")],
)
def test_a_trust_policy_that_lacks_a_condition_is_found(
    cloud: tuple[Account, Setup], operator: str, claim: str
) -> None:
    aws, setup = cloud
    trust(aws, without(aws.trust("churn-release"), [("Statement", 0, "Condition", operator, f"{ISSUER}:{claim}")]))
    hit(setup.findings("AWS"), ERROR, f"does not ask for the claim {claim}", "generator bootstrap aws --apply")


def test_one_form_of_the_subject_is_a_warning(cloud: tuple[Account, Setup]) -> None:
    aws, setup = cloud
    document = aws.trust("churn-release")
    put("StringEquals", "sub", f"repo:acme/churn:{PUBLISH}")(document["Statement"][0])
    trust(aws, document)
    hit(setup.findings("AWS"), WARNING, "repo:acme@123/churn@456", "generator bootstrap aws --apply")


@pytest.mark.parametrize(
    "change",
    [put("StringNotEquals", "sub", "repo:mallory/churn"), lambda statement: statement.update(Effect="Deny")],
)
def test_what_is_not_understood_is_never_passed_over(cloud: tuple[Account, Setup], change: Change) -> None:
    aws, setup = cloud
    document = aws.trust("churn-release")
    change(document["Statement"][0])
    trust(aws, document)
    assert any(item.what.startswith("not checked: the trust policy") for item in setup.findings("AWS"))


def test_a_role_that_may_not_push_is_found(cloud: tuple[Account, Setup]) -> None:
    aws, setup = cloud
    rights = aws.rights("churn-release")
    rights["Statement"][1]["Action"].remove("ecr:PutImage")
    aws.iam.put_role_policy(RoleName="churn-release", PolicyName="push", PolicyDocument=json.dumps(rights))
    hit(setup.findings("AWS"), ERROR, "the role may not ecr:PutImage", "repository/churn in the role's policy")


def test_a_role_for_another_repository_is_found(cloud: tuple[Account, Setup]) -> None:
    aws, setup = cloud
    rights = aws.rights("churn-release")
    rights["Statement"][1]["Resource"] += "-old"
    aws.iam.put_role_policy(RoleName="churn-release", PolicyName="push", PolicyDocument=json.dumps(rights))
    hit(setup.findings("AWS"), ERROR, "the role may not ecr:BatchCheckLayerAvailability", "bootstrap aws")


def test_a_role_that_may_do_all_is_found(cloud: tuple[Account, Setup]) -> None:
    aws, setup = cloud
    document = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    made = aws.iam.create_policy(PolicyName="all", PolicyDocument=json.dumps(document))["Policy"]["Arn"]
    aws.iam.attach_role_policy(RoleName="churn-release", PolicyArn=made)
    hit(setup.findings("AWS"), ERROR, "may change the rights of roles", "push to one repository")


def test_no_role_is_found(cloud: tuple[Account, Setup]) -> None:
    aws, setup = cloud
    aws.iam.delete_role_policy(RoleName="churn-release", PolicyName="push")
    aws.iam.delete_role(RoleName="churn-release")
    hit(setup.findings("AWS"), ERROR, "there is no role churn-release", "correct image.role")


def test_no_provider_and_one_for_others_are_found(cloud: tuple[Account, Setup]) -> None:
    aws, setup = cloud
    aws.iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=aws.provider)
    hit(setup.findings("AWS"), ERROR, "has no OIDC provider", "generator bootstrap aws --apply")
    aws.make_provider("another-audience")
    hit(setup.findings("AWS"), ERROR, "does not accept the audience", "add-client-id-to-open-id-connect-provider")


def test_the_wrong_account_is_found(aws: Account, tmp_path: Path) -> None:
    root_model(tmp_path, "210987654321")
    found = Setup(tmp_path).findings("AWS", "registry")
    hit(found, ERROR, f"are of account {aws.number}", "AWS_PROFILE")
    hit(found, NOTE, "not checked", "AWS_PROFILE")


def test_no_repository_is_found(aws: Account, tmp_path: Path) -> None:
    root_model(tmp_path, aws.number)
    hit(Setup(tmp_path).findings("registry"), ERROR, "no ECR repository churn", "generator bootstrap aws --apply")


def test_a_repository_that_loses_images_is_found(aws: Account, tmp_path: Path) -> None:
    root_model(tmp_path, aws.number)
    aws.ecr.create_repository(repositoryName="churn", imageTagMutability="MUTABLE")
    selection = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 9}
    rule = {"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}
    aws.ecr.put_lifecycle_policy(repositoryName="churn", lifecyclePolicyText=json.dumps({"rules": [rule]}))
    found = Setup(tmp_path).findings("registry")
    hit(found, WARNING, "tags can be moved", "put-image-tag-mutability --repository-name churn")
    hit(
        found,
        WARNING,
        "does not scan on push",
        f"--region {REGION} --image-scanning-configuration scanOnPush=true",
    )
    hit(found, ERROR, "expires tagged images", "delete-lifecycle-policy")


def test_no_credentials_are_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3

    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    root_model(tmp_path, "123456789012")
    found = Setup(tmp_path).findings("AWS", "registry")
    assert {item.severity for item in found} == {NOTE}
    hit(found, NOTE, "not checked: no usable AWS credentials", "AWS_PROFILE")


# the tracking server


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Setup:
    return make(tmp_path_factory.mktemp("healthy") / "churn")


@pytest.fixture
def setup(original: Setup, tmp_path: Path) -> Setup:
    from tests.generator.doctor_parts import copy as copied

    return copied(original, tmp_path / "churn")


def tracked(setup: Setup, address: str) -> list[Finding]:
    setup.rewrite("https://mlflow.example.com", address)
    return setup.findings("tracking server")


def test_a_server_that_fits_is_healthy(setup: Setup) -> None:
    with answering(TRACKING) as address:
        assert tracked(setup, address) == []


OLD = "Fri, 01 Jan 2021 00:00:00 GMT"
SERVERS: dict[str, tuple[dict[str, Any], str | None, Severity, str, str]] = {
    "no tracking server": ({"/": (200, "hello")}, None, ERROR, "/health answers 404", "tracking.uri"),
    "an older one": (
        {**TRACKING, "/version": (200, "2.22.0")},
        None,
        ERROR,
        "the server is MLflow 2.22.0",
        "mlflow<3",
    ),
    "one that asks": ({**TRACKING, "/version": (401, "no")}, None, WARNING, "asks for a login", "tracking.secret"),
    "another time": (dict(TRACKING), OLD, WARNING, "clock", "timedatectl set-ntp true"),
    "no version": ({"/health": (200, "OK")}, None, NOTE, "does not tell its version", "look at the server"),
}


@pytest.mark.parametrize(("answers", "date", "severity", "what", "fix"), SERVERS.values(), ids=SERVERS)
def test_a_server_that_does_not_fit_is_found(
    setup: Setup, answers: Any, date: str | None, severity: Severity, what: str, fix: str
) -> None:
    with answering(answers, date=date) as address:
        hit(tracked(setup, address), severity, what, fix)


def test_no_server_is_found(setup: Setup) -> None:
    with answering(TRACKING) as address:
        pass
    hit(tracked(setup, address), ERROR, "does not answer", "check tracking.uri")
    setup.rewrite(address, "http://mlflow.invalid")
    hit(setup.findings("tracking server"), ERROR, "name does not resolve", "check tracking.uri")


# the cluster


SOURCES = "/apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/gitrepositories"
KUSTOMIZATIONS = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations"


def use_cluster(patch: pytest.MonkeyPatch, folder: Path, address: str) -> None:
    patch.setenv("HOME", str(folder))  # kubectl caches there
    patch.setenv("KUBECONFIG", str(kubeconfig(folder, address)))


def in_cluster(setup: Setup, patch: pytest.MonkeyPatch, answers: Any) -> list[Finding]:
    parts.need_program("kubectl", "install kubectl")
    with answering(answers) as address:
        use_cluster(patch, setup.root.parent, address)
        return setup.findings("cluster")


def test_a_cluster_that_has_all_is_healthy(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    assert in_cluster(setup, monkeypatch, cluster()) == []


def flux(url: str = URL, branch: str = "main", **status: Any) -> dict[str, Any]:
    """The same cluster with Flux; `status` is that of the repository that it fetches."""
    follower = "/apis/kustomize.toolkit.fluxcd.io/v1"
    found = {key: value for key, value in cluster().items() if key.startswith("/api/v1")} | {follower: (200, {})}
    for name in ("churn-staging", "churn-production"):
        told = {"metadata": {"name": name}, "kind": "GitRepository", "status": status}
        spec = {
            "sourceRef": {"kind": "GitRepository", "name": name},
            "path": f"./k8s/overlays/{name.removeprefix('churn-')}",
        }
        found |= {
            f"{SOURCES}/{name}": (200, {**told, "spec": {"url": url, "ref": {"branch": branch}}}),
            f"{KUSTOMIZATIONS}/{name}": (200, {"metadata": {"name": name}, "kind": "Kustomization", "spec": spec}),
        }
    return found


def with_spec(path: str, **more: Any) -> dict[str, Any]:
    code, found = flux()[path]
    return {path: (code, {**found, "spec": {**found["spec"], **more}})}


UNREADABLE = {"type": "Ready", "status": "False", "reason": "GitOperationFailed", "message": "unable to clone"}
FLUX: dict[str, tuple[dict[str, Any], Severity, str, str]] = {
    "another branch": (flux(branch="dev"), ERROR, "follows branch dev, not main", "kubectl apply"),
    "another repository": (flux(f"{URL}-old"), ERROR, f"follows url {URL}-old", "kubectl apply"),
    "no repository": (
        {key: value for key, value in flux().items() if key != f"{SOURCES}/churn-staging"},
        ERROR,
        "follows url nothing",
        "kubectl apply -f k8s/reconciler/staging.yaml",
    ),
    "who may not see the repository": (
        {**flux(), f"{SOURCES}/churn-staging": (403, "no")},
        NOTE,
        "not checked: what Kustomization churn-staging reads",
        "may `get` it",
    ),
    "suspended": (
        {**flux(), **with_spec(f"{KUSTOMIZATIONS}/churn-staging", suspend=True)},
        WARNING,
        "churn-staging is suspended: run `flux resume kustomization churn-staging`",
        "only after that",
    ),
    "it cannot read": (flux(conditions=[UNREADABLE]), WARNING, "reports Ready: unable to clone", "correct"),
}


@pytest.mark.parametrize(
    ("spec", "then"),
    [
        ({"prune": True}, "deletes what it brought"),
        ({"prune": False}, "leaves running"),
        ({"prune": True, "deletionPolicy": "Orphan"}, "leaves running"),
        ({"prune": False, "deletionPolicy": "Delete"}, "deletes what it brought"),
        ({"prune": False, "deletionPolicy": "WaitForTermination"}, "deletes what it brought"),
        ({"prune": True, "suspend": True}, "leaves running"),
    ],
)
def test_what_deleting_a_kustomization_takes_along_is_told(
    setup: Setup, monkeypatch: pytest.MonkeyPatch, spec: dict[str, Any], then: str
) -> None:
    found = kustomization_of("churn-staging", "./k8s/overlays/staging")
    found["spec"] |= spec
    findings = in_cluster(setup, monkeypatch, with_more(KUSTOMIZATIONS, found, **fetched(URL)))
    hit(findings, WARNING, "Kustomization churn-staging follows k8s/overlays/staging", then)


@pytest.mark.parametrize(
    ("gates", "waits"),
    [
        ([], True),
        (["--feature-gates=CancelHealthCheckOnNewRevision=false"], True),
        (["--feature-gates=GroupChangeLog=true,CancelHealthCheckOnNewRevision=true"], False),
    ],
)
@pytest.mark.parametrize("back", [False, True])
def test_a_rollback_that_flux_lets_wait_is_found(
    setup: Setup, monkeypatch: pytest.MonkeyPatch, gates: list[str], waits: bool, back: bool
) -> None:
    setup.rewrite("engine: argocd", "engine: flux")
    if back:
        setup.rewrite("staging: {}", "staging: {observe: {kubeconfig: CLUSTER}, rollback_on_failure: true}")
    containers = [{"name": "manager", "args": ["--watch-all-namespaces=true", *gates]}]
    path = "/apis/apps/v1/namespaces/flux-system/deployments/kustomize-controller"
    controller = {path: (200, {"spec": {"template": {"spec": {"containers": containers}}}})}
    found = in_cluster(setup, monkeypatch, {**flux(), **controller})
    assert bool(found) == (waits and back), found
    if found:
        hit(found, WARNING, "a rollback waits", "--feature-gates=CancelHealthCheckOnNewRevision=true")


def test_a_cluster_with_flux_that_has_all_is_healthy(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    setup.rewrite("engine: argocd", "engine: flux")
    assert in_cluster(setup, monkeypatch, flux()) == []


@pytest.mark.parametrize(("answers", "severity", "what", "fix"), FLUX.values(), ids=FLUX)
def test_a_repository_that_flux_does_not_follow_is_found(
    setup: Setup, monkeypatch: pytest.MonkeyPatch, answers: Any, severity: Severity, what: str, fix: str
) -> None:
    setup.rewrite("engine: argocd", "engine: flux")
    hit(in_cluster(setup, monkeypatch, answers), severity, what, fix)


def elsewhere(key: str, value: str) -> dict[str, Any]:
    found = copy.deepcopy(cluster())
    found[application("staging")][1]["spec"]["source"][key] = value
    return found


def ignoring(path: str) -> dict[str, Any]:
    found = copy.deepcopy(cluster())
    found[application("staging")][1]["spec"]["ignoreDifferences"] = [
        {"group": "apps", "kind": "Deployment", "name": "churn-inference", "jqPathExpressions": [path]}
    ]
    return found


def state(**status: Any) -> dict[str, Any]:
    found = copy.deepcopy(cluster())
    found[application("staging")][1]["status"] = status
    return found


def stopped() -> dict[str, Any]:
    found = copy.deepcopy(cluster())
    del found[application("staging")][1]["spec"]["syncPolicy"]["automated"]
    return found


def lacking(path: str) -> dict[str, Any]:
    return {key: value for key, value in cluster().items() if key != path}


def with_more(folder: str, *objects: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {**cluster(), folder: (200, {"items": list(objects)}), **others}


def application_of(name: str, path: str, url: str = URL) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"source": {"repoURL": url, "path": path}}}


def kustomization_of(name: str, path: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {"sourceRef": {"kind": "GitRepository", "name": "churn"}, "path": path},
    }


def taking_along(found: dict[str, Any]) -> dict[str, Any]:
    found["metadata"]["finalizers"] = ["resources-finalizer.argocd.argoproj.io"]
    return found


def fetched(url: str) -> dict[str, Any]:
    return {f"{SOURCES}/churn": (200, {"spec": {"url": url}})}


APPLICATIONS = application("x").rpartition("/")[0]
COMPARED = {"type": "ComparisonError", "message": "repository not accessible"}
UNHEALTHY = {"type": "Ready", "status": "False", "reason": "HealthCheckFailed", "message": "timeout waiting for"}
CLUSTERS: dict[str, tuple[dict[str, Any], Severity, str, str]] = {
    "no namespace": (
        lacking("/api/v1/namespaces/churn-staging"), WARNING, "no namespace churn-staging",
        "kubectl apply -f k8s/reconciler/staging.yaml",
    ),
    "no Argo CD": (lacking("/apis/argoproj.io/v1alpha1"), WARNING, "has no Argo CD", "install Argo CD there"),
    "no Application": (
        lacking(application("production")), WARNING, "no Application churn-production",
        "kubectl apply -f k8s/reconciler/production.yaml",
    ),
    "an autoscaler that was switched off": (
        ignoring(".spec.replicas | select(. > 0)"), WARNING, "no autoscaler owns it any more", "kubectl apply",
    ),
    "another path": (elsewhere("path", "k8s/overlays/old"), ERROR, "follows path k8s/overlays/old", "kubectl apply"),
    "another branch": (elsewhere("targetRevision", "dev"), ERROR, "follows branch dev", "kubectl apply"),
    "another repository": (elsewhere("repoURL", f"{URL}-old"), ERROR, "follows url", "kubectl apply"),
    "it cannot read": (state(conditions=[COMPARED]), WARNING, "repository not accessible", "correct what it says"),
    "nothing tries it again": (
        state(conditions=[{"type": "SyncError", "message": "field is immutable"}]), WARNING, "field is immutable",
        "`argocd app sync`",
    ),
    "an object of two": (
        state(conditions=[{"type": "SharedResourceWarning", "message": "is part of applications"}]), WARNING,
        "reports SharedResourceWarning", "correct what it says",
    ),
    "no automatic sync": (
        stopped(), WARNING, "churn-staging is not synced by itself any more: apply its file", "only after that",
    ),
    "unhealthy": (state(conditions=[UNHEALTHY]), WARNING, "timeout waiting for", "kubectl describe"),
    "an environment that has gone": (
        with_more(APPLICATIONS, application_of("churn-old", "k8s/overlays/old")), WARNING,
        "Application churn-old follows k8s/overlays/old", "kubectl -n argocd delete applications.argoproj.io churn-old",
    ),
    "one that takes its objects along": (
        with_more(APPLICATIONS, taking_along(application_of("churn-old", "k8s/overlays/old"))), WARNING,
        "Application churn-old follows", "which deletes what it brought, too",
    ),
    "a cluster that has gone": (
        with_more(APPLICATIONS, application_of("churn-staging-us", "k8s/overlays/staging")), WARNING,
        "Application churn-staging-us follows k8s/overlays/staging", "delete applications.argoproj.io churn-staging-us",
    ),
    "another engine": (
        with_more(KUSTOMIZATIONS, kustomization_of("churn-staging", "./k8s/overlays/staging"), **fetched(URL)), WARNING,
        "Kustomization churn-staging follows k8s/overlays/staging", "kubectl -n flux-system delete kustomizations.",
    ),
    "who may not list": (
        {**cluster(), APPLICATIONS: (403, "no")}, NOTE, "not checked: what else follows the overlays", "may `get` it",
    ),
    "an old Kubernetes": (
        {**cluster(), "/version": (200, {"major": "1", "minor": "29+"})}, ERROR, "is Kubernetes 1.29", "1.30 or newer",
    ),
    "degraded": (state(health={"status": "Degraded"}), WARNING, "is Degraded", "kubectl describe"),
}  # fmt: skip


@pytest.mark.parametrize(("answers", "severity", "what", "fix"), CLUSTERS.values(), ids=CLUSTERS)
def test_a_cluster_that_lacks_something_is_found(
    setup: Setup, monkeypatch: pytest.MonkeyPatch, answers: Any, severity: Severity, what: str, fix: str
) -> None:
    hit(in_cluster(setup, monkeypatch, answers), severity, what, fix)


@pytest.mark.parametrize(
    "answers",
    [
        with_more(APPLICATIONS, application_of("churn-staging", "k8s/overlays/staging")),
        with_more(APPLICATIONS, application_of("shop", "k8s/overlays/old", f"{URL}-2")),
        with_more(APPLICATIONS, application_of("shop", "deploy/staging")),
        with_more(APPLICATIONS, {"metadata": {"name": "many"}, "spec": {"sources": [{"repoURL": URL}]}}),
        with_more(KUSTOMIZATIONS, kustomization_of("shop", "./k8s/overlays/x"), **fetched(f"{URL}-2")),
        {**cluster(), "/version": (200, {"major": "1", "minor": "30"})},
    ],
)
def test_what_follows_something_else_is_nobodys_finding(
    setup: Setup, monkeypatch: pytest.MonkeyPatch, answers: Any
) -> None:
    assert in_cluster(setup, monkeypatch, answers) == []


def test_with_no_engine_people_point_their_own_at_an_overlay(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup.rewrite("engine: argocd", "engine: none")
    answers = with_more(APPLICATIONS, application_of("my-own", "k8s/overlays/staging"))
    assert not [one for one in in_cluster(setup, monkeypatch, answers) if "my-own" in one.what]


def test_who_owns_the_number_of_pods_is_asked_of_the_application(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A patch of one's own may ignore other things, and an autoscaler must be known to Argo CD."""
    assert in_cluster(setup, monkeypatch, ignoring(".spec.template.metadata.annotations")) == []
    path = setup.root / "model.yaml"
    path.write_text(path.read_text() + "serve: {autoscaling: {}}\n")
    found = in_cluster(setup, monkeypatch, ignoring(".spec.replicas | select(. > 0)"))
    hit(found, WARNING, "Application churn-production does not know who owns the number of pods", "kubectl apply")
    assert not [one for one in found if "churn-staging" in one.what]


@pytest.mark.parametrize("reason", ["Progressing", "DependencyNotReady", "HealthCheckCanceled"])
def test_a_rollout_on_its_way_is_no_finding(setup: Setup, monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    moving = {"type": "Ready", "status": "False", "reason": reason, "message": "New revision detected"}
    answers = state(conditions=[moving])
    assert not [one for one in in_cluster(setup, monkeypatch, answers) if one.severity is not NOTE]


def test_no_cluster_is_a_note(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    parts.need_program("kubectl", "install kubectl")
    monkeypatch.setenv("HOME", str(setup.root.parent))
    hit(setup.findings("cluster"), NOTE, "not checked: kubectl has no cluster to ask", "KUBECONFIG")
    with answering({}) as address:
        pass
    use_cluster(monkeypatch, setup.root.parent, address)
    hit(setup.findings("cluster"), NOTE, "not checked: the cluster does not answer", "KUBECONFIG")


# GitHub


APPROVAL = "tagship-churn-production"


@pytest.fixture
def hub(github: GitHubServer, setup: Setup, monkeypatch: pytest.MonkeyPatch) -> GitHubServer:
    """A repository after `bootstrap github --apply`, with the variable that a job reads."""
    for name, value in github.variables.items():
        monkeypatch.setenv(name, value)
    connected, workspace = connect("acme/churn", github.variables), load(setup.root)
    assert carry_out(connected, propose(connected, workspace, Wishes(("ada",))), lambda _line: None) == []
    github.repository.environments["tagship-publish"]["variables"]["TAGSHIP_PUBLISH_ROLE"] = (
        "arn:aws:iam::1:role/x"
    )
    return github


def test_what_bootstrap_github_makes_is_healthy(hub: GitHubServer, setup: Setup) -> None:
    writes = len(hub.writes)
    assert setup.findings("GitHub") == []
    assert len(hub.writes) == writes


def open_to_all(hub: GitHubServer) -> None:
    hub.repository.environments["tagship-publish"]["deployment_branch_policy"] = None


def blocked(hub: GitHubServer) -> None:
    refs = {"ref_name": {"include": ["refs/heads/main"], "exclude": []}}
    hub.repository.add_ruleset(name="theirs", conditions=refs, rules=[{"type": "required_signatures"}])


def checked_by_anybody(hub: GitHubServer) -> None:
    refs = {"ref_name": {"include": ["refs/heads/main"], "exclude": []}}
    checks = {"required_status_checks": [{"context": "Validate"}], "strict_required_status_checks_policy": True}
    rule = {"type": "required_status_checks", "parameters": checks}
    hub.repository.add_ruleset(name="theirs", conditions=refs, rules=[rule])


GITHUBS: dict[str, tuple[Callable[[GitHubServer], object], Severity, str, str]] = {
    "no environment": (
        lambda hub: hub.repository.environments.pop("tagship-publish"), ERROR, "environment tagship-publish: missing",
        "generator bootstrap github --apply",
    ),
    "an open environment": (open_to_all, ERROR, "any branch or tag", "generator bootstrap github --apply"),
    "nobody approves": (
        lambda hub: hub.repository.environments[APPROVAL].update(reviewers=[]), ERROR, "nobody is asked",
        "--reviewer",
    ),
    "no variable": (
        lambda hub: hub.repository.environments["tagship-publish"]["variables"].clear(), ERROR,
        "no variable TAGSHIP_PUBLISH_ROLE", "gh variable set TAGSHIP_PUBLISH_ROLE --env tagship-publish",
    ),
    "no rules": (
        lambda hub: hub.repository.rulesets.clear(), ERROR, 'ruleset "tagship: release tags"',
        "generator bootstrap github --apply",
    ),
    "Actions are off": (
        lambda hub: hub.repository.actions.update(enabled=False), ERROR, "Actions are switched off", "Settings, Actions",
    ),
    "some actions": (
        lambda hub: hub.repository.actions.update(allowed_actions="local_only"), WARNING, "not all actions", "checkout",
    ),
    "workflows approve": (
        lambda hub: hub.repository.workflow_permissions.update(can_approve_pull_request_reviews=True), WARNING,
        "approve pull requests", "switch it off",
    ),
    "jobs may write": (
        lambda hub: hub.repository.workflow_permissions.update(default_workflow_permissions="write"), WARNING,
        "may write", "make `read",
    ),
    "a rule in the way": (blocked, ERROR, "required_signatures", "deploy.push.mode to app"),
    "a check by anybody": (checked_by_anybody, WARNING, "requires Validate from anybody", "choose GitHub Actions"),
    "another default branch": (
        lambda hub: setattr(hub.repository, "default_branch", "dev"), WARNING, "default branch is dev", "Settings",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("how", "severity", "what", "fix"), GITHUBS.values(), ids=GITHUBS)
def test_settings_that_stand_in_the_way_are_found(
    hub: GitHubServer, setup: Setup, how: Callable[[GitHubServer], object], severity: Severity, what: str, fix: str
) -> None:
    how(hub)
    found = setup.findings("GitHub")
    hit(found, severity, what, fix)
    assert TOKEN not in repr(found)


def test_a_deploy_key_that_is_not_there_is_found(hub: GitHubServer, setup: Setup) -> None:
    setup.rewrite("deploy:\n", "deploy:\n  push: {mode: deploy-key}\n")
    hub.repository.add_deploy_key("reader", read_only=True)
    found = setup.findings("GitHub")
    hit(found, ERROR, "no deploy key may write", "--allow-write")
    hit(found, ERROR, "no secret TAGSHIP_DEPLOY_KEY", "gh secret set TAGSHIP_DEPLOY_KEY --env tagship-deploy")
    hub.repository.add_deploy_key("tagship")
    assert not [item for item in setup.findings("GitHub") if "deploy key may" in item.what]
    hub.repository.add_deploy_key("another")
    hit(setup.findings("GitHub"), WARNING, "2 deploy keys may write", "delete those")
    hub.repository.admin = False
    hit(setup.findings("GitHub"), NOTE, "not checked: deploy keys", "")


def test_another_repository_on_github_is_found(hub: GitHubServer, setup: Setup) -> None:
    setup.rewrite("id: 456789", "id: 1")
    hit(setup.findings("GitHub"), ERROR, "GitHub says 456789", "write id: 456789")
    setup.rewrite("acme/churn", "acme/other")
    hit(setup.findings("GitHub"), ERROR, "no such repository", "repository.url")


def test_no_token_is_a_note(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GH_TOKEN", "GITHUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    assert [item.severity for item in setup.findings("GitHub")] == [NOTE]
    hit(setup.findings("GitHub"), NOTE, "not checked: no token", "GH_TOKEN")


# all of it


def test_a_healthy_set_up_has_no_errors_anywhere(
    aws: Account, github: GitHubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts.need_program("kubectl", "install kubectl")
    with answering(TRACKING) as tracking, answering(cluster()) as address:
        setup = make(tmp_path / "churn", model_text(aws.number, tracking=tracking))
        use_cluster(monkeypatch, tmp_path, address)
        for name, value in github.variables.items():
            monkeypatch.setenv(name, value)
        workspace, connected = load(setup.root), connect("acme/churn", github.variables)
        carry_out(connected, propose(connected, workspace, Wishes(("ada",))), lambda _line: None)
        variables = github.repository.environments["tagship-publish"]["variables"]
        variables["TAGSHIP_PUBLISH_ROLE"] = f"arn:aws:iam::{aws.number}:role/churn-release"
        assert aws.apply(workspace.models[0]) is not None
        as_aws_has_it(aws)
        assert [item for item in setup.findings() if item.area != "machine"] == []
        assert [item for item in setup.findings("machine") if item.severity is ERROR] == []
