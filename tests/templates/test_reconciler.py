"""What Argo CD and Flux are told: valid by their own schemas, narrow, and unambiguous."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from generator.adapters.shell import run
from generator.errors import InvalidInput
from generator.plan.overlays import plan_kubernetes
from generator.plan.reconciler import api_path, members, object_name
from tests import parts
from tests.generator.doctor_parts import kubeconfig
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


@pytest.mark.parametrize(
    ("engine", "readable"),
    [("argocd", {"applications"}), ("flux", {"kustomizations", "gitrepositories"}), ("none", set())],
)
def test_who_watches_may_read_what_follows_this_overlay_alone(
    tmp_path: Path, engine: str, readable: set[str]
) -> None:
    text = model_yaml(deploy(engine)).replace("engine:", "observe: {kubeconfig: CLUSTER}, engine:")
    write(tmp_path, text)
    generate(tmp_path)
    roles = [found for found in written(tmp_path) if found["kind"] == "Role"]
    rules = [rule for role in roles for rule in role["rules"] if role["metadata"]["namespace"] != "churn"]
    assert {resource for rule in rules for resource in rule["resources"]} == readable
    assert all((rule["verbs"], rule["resourceNames"]) == (["get"], ["churn-production"]) for rule in rules)


def test_flux_waits_for_as_many_pods_as_an_autoscaler_may_have_made(tmp_path: Path) -> None:
    write(tmp_path, model_yaml(deploy("flux", more="serve: {autoscaling: {min: 2, max: 6}}\n")))
    generate(tmp_path)
    assert one(written(tmp_path), "Kustomization")["spec"]["timeout"] == "7m"


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


CLUSTERS = "eu: {name: 'arn:aws:eks:eu-north-1:123456789012:cluster/live'}, us: "


def test_argo_cd_brings_an_environment_to_each_of_its_clusters(tmp_path: Path) -> None:
    environments = f"staging: , production: {{namespace: live, clusters: {{{CLUSTERS}}}}}"
    write(tmp_path, model_yaml(deploy("argocd", environments=environments)))
    generate(tmp_path)
    objects = written(tmp_path)
    assert kinds(objects) == ["AppProject", "AppProject", "Application", "Application"]
    assert kinds(written(tmp_path, "production.namespace")) == ["Namespace"]
    assert "Namespace" in kinds(written(tmp_path, "staging"))
    projects = {item["metadata"]["name"]: item["spec"] for item in objects if item["kind"] == "AppProject"}
    applications = {item["metadata"]["name"]: item["spec"] for item in objects if item["kind"] == "Application"}
    names = {"churn-production-eu": "arn:aws:eks:eu-north-1:123456789012:cluster/live", "churn-production-us": "us"}
    assert projects.keys() == applications.keys() == names.keys()
    for name, cluster in names.items():
        assert applications[name]["destination"] == {"name": cluster, "namespace": "live"}
        assert projects[name]["destinations"] == [applications[name]["destination"]], "one cluster, one namespace"
        assert applications[name]["project"] == name
        assert applications[name]["source"]["path"] == "k8s/overlays/production"


def test_flux_brings_an_environment_to_each_of_its_clusters_by_a_kubeconfig(tmp_path: Path) -> None:
    environments = "production: {clusters: {eu: {name: live.eu}, us: {}}}"
    write(tmp_path, model_yaml(deploy("flux", environments=environments)))
    generate(tmp_path)
    objects = written(tmp_path)
    assert kinds(objects) == ["GitRepository", "Kustomization", "Kustomization"]
    assert kinds(written(tmp_path, "production.namespace")) == ["Namespace"]
    found = {
        item["metadata"]["name"]: item["spec"]["kubeConfig"]["secretRef"]["name"]
        for item in objects
        if item["kind"] == "Kustomization"
    }
    assert found == {"churn-production-eu": "live.eu", "churn-production-us": "us-kubeconfig"}
    assert {item["spec"]["sourceRef"]["name"] for item in objects[1:]} == {"churn-production"}


def test_the_path_of_each_follower_is_known(tmp_path: Path) -> None:
    environments = "production: {clusters: {eu: {}, us: {}}}"
    model = write(tmp_path, model_yaml(deploy("argocd", environments=environments))).model(None)
    target = model.target("production")
    folder = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"
    assert [api_path(model, target, one) for one in members(target)] == [
        f"{folder}/churn-production-eu",
        f"{folder}/churn-production-us",
    ]


def test_a_cluster_and_an_environment_of_one_name_are_refused(tmp_path: Path) -> None:
    environments = "prod: {clusters: {eu: }}, prod-eu: "
    workspace = write(tmp_path, model_yaml(deploy("argocd", environments=environments)))
    with pytest.raises(InvalidInput, match="churn in prod-eu and churn in prod would both be churn-prod-eu"):
        plan_kubernetes(workspace.model(None), {}, workspace.models)


def test_a_shared_namespace_is_declared_in_every_cluster_that_any_model_has(tmp_path: Path) -> None:
    write_many(
        tmp_path,
        {
            name: deploy("argocd", environments=f"production: {{namespace: ml, clusters: {{{clusters}}}}}")
            for name, clusters in {"churn": "eu: ", "demand": "eu: , us: ", "zeal": "us: "}.items()
        },
    )
    generate(tmp_path)
    declared = sorted(path.parent.name for path in tmp_path.glob("k8s/reconciler/*/production.namespace.yaml"))
    assert declared == ["churn", "demand"]


def test_argo_cd_tells_those_who_are_named_of_what_became_of_a_rollout(tmp_path: Path) -> None:
    more = deploy("argocd").replace("{engine", "{notifications: {slack: 'ml-deploys;on-call', hook: }, engine")
    write(tmp_path, model_yaml(more))
    generate(tmp_path)
    objects = written(tmp_path)
    assert one(objects, "Application")["metadata"]["annotations"] == {
        f"notifications.argoproj.io/subscribe.{trigger}.{service}": recipient
        for trigger in ("on-deployed", "on-health-degraded", "on-sync-failed", "on-sync-status-unknown")
        for service, recipient in {"slack": "ml-deploys;on-call", "hook": ""}.items()
    }
    assert "ConfigMap" not in kinds(objects), "argocd-notifications-cm is the user's"


def test_flux_tells_its_providers(tmp_path: Path) -> None:
    more = deploy("flux", environments="production: {clusters: {eu: , us: }}")
    write(tmp_path, model_yaml(more.replace("{engine", "{notifications: {chat: , ops: }, engine")))
    generate(tmp_path)
    alerts = [item for item in written(tmp_path) if item["kind"] == "Alert"]
    assert {item["metadata"]["name"]: item["spec"]["providerRef"]["name"] for item in alerts} == {
        "churn-production-chat": "chat",
        "churn-production-ops": "ops",
    }
    sources = [(source["kind"], source["name"]) for source in alerts[0]["spec"]["eventSources"]]
    assert sources == [
        ("GitRepository", "churn-production"),
        ("Kustomization", "churn-production-eu"),
        ("Kustomization", "churn-production-us"),
    ]


LONGEST = "s" * 30


@pytest.mark.parametrize(
    ("engine", "more", "problem"),
    [
        ("none", "notifications: {slack: x}", "notifications is for argocd and flux"),
        ("flux", "notifications: {slack: ml}", "with Flux the Provider slack itself says to whom it sends"),
        ("argocd", "notifications: {Slack: ml}", "lower-case letters, digits and -, at most 30 characters"),
        ("argocd", f"notifications: {{{LONGEST}s: ml}}", "at most 30 characters"),
        ("argocd", 'notifications: {slack: "a\\nb"}', "recipients as Argo CD takes them"),
        ("argocd", "notifications: {slack: '${{ secrets.A }}'}", "recipients as Argo CD takes them"),
        ("none", "environments: {live: {clusters: {eu: }}}", "clusters is for argocd and flux"),
        ("argocd", "environments: {live: {clusters: {eu: , us: {name: eu}}}}", "is the same cluster as eu, eu"),
        (
            "argocd",
            "environments: {live: {serve: {pull_secret: cronjob}, clusters: {eu: , us: }}}",
            "give pull_secret a role that trusts each",
        ),
        ("flux", "environments: {live: {clusters: {eu: {name: EU}}}}", "the name is that of a Secret"),
        ("argocd", "environments: {live: {clusters: {EU: }}}", "lower-case words joined by -"),
        ("argocd", "environments: {live: {clusters: {eu: {name: 'a b'}}}}", "a cluster's name, such as"),
    ],
)
def test_what_an_engine_cannot_be_told_is_refused_with_its_place(
    tmp_path: Path, engine: str, more: str, problem: str
) -> None:
    with pytest.raises(InvalidInput, match=re.escape(problem)) as caught:
        write(tmp_path, model_yaml(f"repository: {{url: '{URL}'}}\ndeploy: {{engine: {engine}, {more}}}\n"))
    (found,) = caught.value.problems
    assert found.line == 6 and found.column > 1


OWN_ROLE = "role: 'arn:aws:iam::123456789012:role/pull'"


@pytest.mark.parametrize(
    "serve", ["{pull_secret: none}", f"{{pull_secret: {{through: cronjob, {OWN_ROLE}}}}}", "{}"]
)
def test_several_clusters_may_share_a_role_that_trusts_them_all(tmp_path: Path, serve: str) -> None:
    more = "serve: {pull_secret: {through: cronjob, key: churn-ecr}}\n"
    live = f"live: {{serve: {serve}, clusters: {{eu: , us: }}}}"
    write(tmp_path, model_yaml(deploy("argocd", more=more, environments=live)))


def test_the_longest_service_still_fits_into_an_annotation(tmp_path: Path) -> None:
    write(tmp_path, model_yaml(deploy("argocd").replace("{engine", f"{{notifications: {{{LONGEST}: x}}, engine")))
    generate(tmp_path)
    keys = one(written(tmp_path), "Application")["metadata"]["annotations"]
    assert max(len(key.partition("/")[2]) for key in keys) == 63


SEEN = {"health": {"status": "Healthy"}, "sync": {"revision": "abc123"}, "summary": {"images": ["churn@sha256:1"]}}
OPERATION = {"phase": "Succeeded", "startedAt": "2026-01-31T12:00:00Z", "syncResult": {"revision": "abc123"}}


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("health", "phase", "sync", "trigger"),
    [
        ("Healthy", "Succeeded", "Synced", "on-deployed"),
        ("Degraded", "Succeeded", "Synced", "on-health-degraded"),
        ("Degraded", "Failed", "OutOfSync", "on-sync-failed"),
        ("Healthy", "Succeeded", "Unknown", "on-sync-status-unknown"),
    ],
)
def test_the_page_s_snippet_is_what_argo_cd_understands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, health: str, phase: str, sync: str, trigger: str
) -> None:
    """By its own command, which asks no cluster: the trigger that the Application subscribes to fires."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path, "http://127.0.0.1:1")))
    parts.need_program("argocd", "put argocd on the PATH, or source the test bed's env")
    page = (Path(__file__).parents[2] / "docs/reconcilers.md").read_text()
    (snippet,) = [text for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "trigger." in text]
    (tmp_path / "cm.yaml").write_text(
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: argocd-notifications-cm}}\n{snippet}"
    )
    write(tmp_path, model_yaml(deploy("argocd").replace("{engine", "{notifications: {slack: ml}, engine")))
    generate(tmp_path)
    application = one(written(tmp_path), "Application")
    assert f"notifications.argoproj.io/subscribe.{trigger}.slack" in application["metadata"]["annotations"]
    application["status"] = {
        **SEEN,
        "health": {"status": health},
        "sync": {**SEEN["sync"], "status": sync},
        "operationState": {**OPERATION, "phase": phase},
    }
    (tmp_path / "app.yaml").write_text(json.dumps(application))
    config = ("--config-map", str(tmp_path / "cm.yaml"), "--secret", ":empty")
    shown = run(
        "argocd", "admin", "notifications", "trigger", "run", trigger, str(tmp_path / "app.yaml"), *config
    )
    assert shown.splitlines()[-1].endswith("  true")
    if trigger == "on-deployed":
        told = run(
            "argocd", "admin", "notifications", "template", "notify", "tagship", str(tmp_path / "app.yaml"), *config
        )
        assert "churn-production is Healthy at abc123." in told and "churn@sha256:1" in told
