"""What Argo CD and Flux are told: valid by their own schemas, narrow, and unambiguous."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from generator.adapters.shell import run
from generator.errors import InvalidInput
from generator.plan.overlays import plan_kubernetes
from generator.plan.reconciler import object_name
from tests import parts
from tests.generator.workspaces import model_yaml, write, write_many
from tests.templates.manifests import Object, generate, kinds, one, reconciler_objects, schema_problems

URL = "https://github.com/acme/churn"


def deploy(engine: str, *, more: str = "", url: str | None = URL, environments: str = "") -> str:
    repository = f"repository: {{url: '{url}', branch: trunk}}\n" if url else ""
    return (
        f"{repository}deploy: {{engine: {engine}, environments: {{{environments}}}}}\n".replace(
            ", environments: {}", ""
        )
        + more
    )


def written(root: Path, name: str = "production") -> list[Object]:
    """The reconciler's objects, valid ones."""
    objects = reconciler_objects(root / f"k8s/reconciler/{name}.yaml")
    assert [problem for item in objects for problem in schema_problems(item)] == []
    return objects


def test_argo_cd_follows_one_overlay_into_one_namespace_with_the_least_rights(tmp_path: Path) -> None:
    write(tmp_path, model_yaml(deploy("argocd")))
    generate(tmp_path)
    objects = written(tmp_path)
    assert kinds(objects) == ["AppProject", "Application", "Namespace"]
    application, project = one(objects, "Application"), one(objects, "AppProject")["spec"]
    spec = application["spec"]
    assert application["metadata"] == {"name": "churn-production", "namespace": "argocd"}
    assert spec["source"] == {"repoURL": URL, "targetRevision": "trunk", "path": "k8s/overlays/production"}
    assert spec["project"] == one(objects, "AppProject")["metadata"]["name"]
    assert project["sourceRepos"] == [URL]
    assert project["destinations"] == [spec["destination"]]
    assert spec["destination"]["namespace"] == one(objects, "Namespace")["metadata"]["name"] == "churn"
    assert project["clusterResourceWhitelist"] == []
    assert spec["syncPolicy"]["automated"] == {"prune": True, "selfHeal": True}
    options = spec["syncPolicy"]["syncOptions"]
    assert {"CreateNamespace=false", "ServerSideApply=true"} <= set(options)
    assert "ignoreDifferences" not in spec, "nothing but the overlay changes the number of pods"


def test_argo_cd_leaves_the_number_of_pods_to_an_autoscaler(tmp_path: Path) -> None:
    write(tmp_path, model_yaml(deploy("argocd", more="serve: {autoscaling: {}}\n")))
    generate(tmp_path)
    spec = one(written(tmp_path), "Application")["spec"]
    assert "RespectIgnoreDifferences=true" in spec["syncPolicy"]["syncOptions"]
    (ignored,) = spec["ignoreDifferences"]
    assert (ignored["kind"], ignored["name"]) == ("Deployment", "churn-inference")


@pytest.mark.e2e
@pytest.mark.parametrize(("live", "compared"), [(0, {"replicas": 0}), (1, {}), (7, {})])
def test_argo_cd_still_sees_the_zero_that_the_first_release_ends(
    tmp_path: Path, live: int, compared: Object
) -> None:
    """Argo CD deletes what the expression finds from both sides; a zero it deleted would stay for good."""
    parts.need_program("jq", "apt-get install jq")
    write(tmp_path, model_yaml(deploy("argocd", more="serve: {autoscaling: {}}\n")))
    generate(tmp_path)
    (ignored,) = one(written(tmp_path), "Application")["spec"]["ignoreDifferences"]
    (expression,) = ignored["jqPathExpressions"]
    left = run("jq", "-c", f"del({expression})", stdin=json.dumps({"spec": {"replicas": live}}))
    assert json.loads(left) == {"spec": compared}


def test_flux_follows_one_overlay_and_fetches_only_manifests(tmp_path: Path) -> None:
    write(tmp_path, model_yaml(deploy("flux")))
    generate(tmp_path)
    objects = written(tmp_path)
    assert kinds(objects) == ["GitRepository", "Kustomization", "Namespace"]
    source, kustomization = one(objects, "GitRepository"), one(objects, "Kustomization")["spec"]
    assert (source["spec"]["url"], source["spec"]["ref"]) == (URL, {"branch": "trunk"})
    assert source["spec"]["ignore"].split() == ["/*", "!/k8s"]
    assert "secretRef" not in source["spec"]
    assert kustomization["path"] == "./k8s/overlays/production"
    assert kustomization["sourceRef"] == {"kind": "GitRepository", "name": source["metadata"]["name"]}
    assert (kustomization["prune"], kustomization["wait"]) == (True, True)
    assert {"interval", "retryInterval", "timeout"} <= kustomization.keys()
    assert "targetNamespace" not in kustomization, "the overlay says where it goes"


def test_flux_needs_a_key_for_an_ssh_address(tmp_path: Path) -> None:
    write(tmp_path, model_yaml(deploy("flux", url="ssh://git@github.com/acme/churn")))
    generate(tmp_path)
    assert one(written(tmp_path), "GitRepository")["spec"]["secretRef"] == {"name": "churn-git"}


def test_without_an_engine_the_namespace_remains(tmp_path: Path) -> None:
    write(tmp_path, model_yaml())
    generate(tmp_path)
    assert kinds(written(tmp_path)) == ["Namespace"]


@pytest.mark.parametrize(
    ("engine", "annotations"),
    [
        ("argocd", {"argocd.argoproj.io/sync-options": "Prune=false,Delete=false"}),
        ("flux", {"kustomize.toolkit.fluxcd.io/prune": "disabled"}),
        ("none", None),
    ],
)
def test_a_namespace_is_restricted_and_never_pruned(
    tmp_path: Path, engine: str, annotations: Object | None
) -> None:
    write(tmp_path, model_yaml(deploy(engine)))
    generate(tmp_path)
    metadata = one(written(tmp_path), "Namespace")["metadata"]
    assert metadata.get("annotations") == annotations
    for mode in ("enforce", "audit", "warn"):
        assert metadata["labels"][f"pod-security.kubernetes.io/{mode}"] == "restricted"


def test_a_namespace_that_models_share_is_declared_once(tmp_path: Path) -> None:
    shared = deploy("flux", environments="staging: {namespace: ml-staging}, production: {namespace: ml}")
    write_many(tmp_path, {"demand": "", "churn": ""}, shared)
    generate(tmp_path)
    files = sorted(path.relative_to(tmp_path / "k8s/reconciler") for path in tmp_path.rglob("k8s/reconciler/*/*"))
    assert [str(path) for path in files] == [
        "churn/production.yaml",
        "churn/staging.yaml",
        "demand/production.yaml",
        "demand/staging.yaml",
    ]
    objects = [item for path in files for item in written(tmp_path, str(path).removesuffix(".yaml"))]
    identities = [(item["kind"], item["metadata"]["name"], item["metadata"].get("namespace")) for item in objects]
    assert len(identities) == len(set(identities)), "a Flux app of apps refuses the same object twice"
    assert "Namespace" in kinds(written(tmp_path, "churn/staging"))


@pytest.mark.parametrize("engine", ["argocd", "flux"])
def test_a_reconciler_without_the_repositorys_address_is_refused(tmp_path: Path, engine: str) -> None:
    workspace = write(tmp_path, model_yaml(deploy(engine, url=None)))
    with pytest.raises(InvalidInput, match=rf"^model\.yaml: repository\.url is missing: {engine} must know"):
        plan_kubernetes(workspace.model(None), {}, workspace.models)


def test_two_objects_under_one_name_are_refused(tmp_path: Path) -> None:
    repository = f"repository: {{url: '{URL}'}}\n"
    workspace = write_many(
        tmp_path,
        {
            "churn": f"{repository}deploy: {{engine: argocd, environments: {{eu-prod: {{}}}}}}\n",
            "churn-eu": f"{repository}deploy: {{engine: argocd, environments: {{prod: {{}}}}}}\n",
        },
    )
    with pytest.raises(InvalidInput, match="churn-eu in prod and churn in eu-prod would both be churn-eu-prod"):
        plan_kubernetes(workspace.model("churn-eu"), {}, workspace.models)


def test_names_fit_into_a_label(tmp_path: Path) -> None:
    name, first, second = "m" * 40, "e" * 29 + "a", "e" * 29 + "b"
    environments = f"{first}: {{namespace: a}}, {second}: {{namespace: b}}"
    workspace = write(
        tmp_path, model_yaml(deploy("argocd", environments=environments)).replace("name: churn", f"name: {name}")
    )
    model = workspace.model(None)
    names = [object_name(model, target) for target in model.targets]
    assert len(set(names)) == 2
    assert all(len(name) <= 63 for name in names)
    generate(tmp_path)
    assert one(written(tmp_path, first), "Application")["metadata"]["name"] == names[0]
