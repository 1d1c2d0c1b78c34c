"""model.yaml and tagship.yaml: what is accepted, and every message with its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generator.config.serving import WAITING
from generator.config.workspace import load
from generator.errors import GeneratorError, InvalidInput
from generator.version import Version
from inference.settings import Settings
from tests.generator.workspaces import SMALLEST, model_yaml, write, write_many


def test_the_smallest_file_has_one_environment(tmp_path: Path) -> None:
    model = write(tmp_path).model(None)
    assert [(t.name, t.namespace, t.serve.replicas) for t in model.targets] == [("production", "churn", 2)]
    assert model.config.deploy.engine == "none"
    assert model.image_repository == "123456789012.dkr.ecr.eu-north-1.amazonaws.com/churn"
    assert (model.ecr.account, model.ecr.region) == ("123456789012", "eu-north-1") if model.ecr else False
    assert model.overlay("production") == "k8s/overlays/production"
    assert model.tag(Version("1.2.3")) == "v1.2.3"


def test_all_problems_at_once_each_with_its_place(tmp_path: Path) -> None:
    text = """\
version: 2
name: Churn
train:
  script: ../train.py
  timeot: 20
  timeout: 10
  env: {A-B: x, PATH: y}
gate: {metrics: {accuracy: {min: high}, rmse: {}}}
image: {registry: "https://x"}
serve: {autoscaling: {min: 5, max: 2}}
deploy: {environments: {Prod: {namespace: X}}}
colour: 1
"""
    with pytest.raises(InvalidInput) as refused:
        write(tmp_path, text)
    assert str(refused.value).splitlines() == [
        "model.yaml:1:10: version must be 1",
        "model.yaml:2:7: name must be lower-case words joined by -, at most 40 characters",
        "model.yaml:4:11: train.script must be a path inside the model's folder, of letters, digits and . _ @ - /",
        "model.yaml:5:3: unknown key 'timeot'; did you mean 'timeout'?",
        "model.yaml:6:12: train.timeout must be greater than or equal to 60",
        "model.yaml:7:9: key must be a name of letters, digits and _",
        "model.yaml:8:34: gate.metrics.accuracy.min must be a number",
        "model.yaml:8:47: gate.metrics.rmse is wrong: give min, max or both, such as {min: 0.8}",
        "model.yaml:9:19: image.registry must be a registry's host name, without https:// and path",
        "model.yaml:10:22: serve.autoscaling is wrong: min is greater than max",
        "model.yaml:11:25: key must be lower-case words joined by -, at most 30 characters",
        "model.yaml:11:43: deploy.environments.Prod.namespace must be a Kubernetes namespace: "
        "lower-case letters, digits and -",
        "model.yaml:12:1: unknown key 'colour'; known here: version, name, repository, train, tracking, gate, image, "
        "serve, deploy, retrain, notify, pipeline",
    ]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            "deploy: {environments: {a: {rollback_on_failure: true}}}",
            "5:29: rollback_on_failure needs deploy.observe",
        ),
        (
            "deploy: {observe: {kubeconfig: K}, environments: {a: {observe: none, rollback_on_failure: true}}}",
            "5:70: rollback_on_failure needs deploy.observe",
        ),
        ("deploy: {observe: {eks: c}}", "give role, too"),
        ("deploy: {observe: {timeout: 60}}", "give either eks and role, or kubeconfig"),
        ("deploy: {observe: {eks: c, kubeconfig: K}}", "give either eks and role, or kubeconfig"),
        ("deploy: {observe: {kubeconfig: K, region: eu-north-1}}", "role and region are for eks"),
        (
            "deploy: {observe: {eks: 'a b', role: 'arn:aws:iam::123456789012:role/r'}}",
            "the name of an EKS cluster",
        ),
    ],
)
def test_a_rollout_is_watched_by_one_way_and_rolled_back_only_where_it_is_watched(
    tmp_path: Path, more: str, message: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        write(tmp_path, model_yaml(more + "\n"))
    assert message in str(refused.value)


def test_eks_in_no_region_is_refused(tmp_path: Path) -> None:
    more = "deploy: {observe: {eks: c, role: 'arn:aws:iam::123456789012:role/r'}}\n"
    write(tmp_path, model_yaml(more))
    with pytest.raises(InvalidInput, match=r"5:10: deploy.observe names no region"):
        write(tmp_path, model_yaml(more).replace("123456789012.dkr.ecr.eu-north-1.amazonaws.com", "ghcr.io"))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("deploy: {environments: {a: {approval: true}}}", "deploy.environments.a.approval is not supported yet"),
    ],
)
def test_a_key_whose_feature_is_missing_is_refused(tmp_path: Path, more: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        write(tmp_path, model_yaml(more + "\n"))
    assert message in str(refused.value)


@pytest.mark.parametrize("key", ["feast: {repo: r, view: v}"])
def test_a_training_key_whose_feature_is_missing_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(InvalidInput, match=f"train.{key.split(':')[0]} is not supported yet"):
        write(tmp_path, SMALLEST.replace("{script: train.py}", f"{{script: train.py, {key}}}"))


@pytest.mark.parametrize(
    ("registry", "message"),
    [
        ("ghcr.io", "5:5: train.role is supported only in the account of an ECR registry"),
        ("210987654321.dkr.ecr.eu-north-1.amazonaws.com", "train.role is supported only in the account"),
        (
            "123456789012.dkr.ecr.eu-north-1.amazonaws.com, role: 'arn:aws:iam::123456789012:role/r'",
            "train.role is the role that publishes (image.role)",
        ),
    ],
)
def test_a_training_role_is_one_of_its_own(tmp_path: Path, registry: str, message: str) -> None:
    role = "role: arn:aws:iam::123456789012:role/r"
    text = f"version: 1\nname: churn\nimage: {{registry: {registry}}}\ntrain:\n    {role}\n    script: train.py\n"
    with pytest.raises(InvalidInput) as refused:
        write(tmp_path, text)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("gate: {champion: {metric: f1}}", "champion's metric needs a threshold"),
        ("deploy: {environments: {}}", "name at least one environment"),
        ("serve: {resources: {requests: {memory: 2Gi}}}", "requests.memory 2Gi is more than limits.memory 1Gi"),
        (
            "serve: {resources: {requests: {memory: 512m}}}",
            "serve.resources.requests.memory is in thousandths of a byte: write 512Mi",
        ),
        (
            "serve: {resources: {limits: {memory: 1024m}}}",
            "limits.memory is in thousandths of a byte: write 1024Mi",
        ),
        (
            "serve: {resources: {requests: {memory: 15Mi}}}",
            "requests.memory is less than 16Mi: write a size such as",
        ),
        ("serve: {resources: {limits: {memory: '512'}}}", "serve.resources.limits.memory is less than 16Mi"),
        (
            "deploy: {environments: {a: {serve: {resources: {requests: {memory: '0'}}}}}}",
            "deploy.environments.a.serve.resources.requests.memory is less than 16Mi",
        ),
        ("serve: {resources: {limits: {memory: 1x}}}", "memory must be a size from 16Mi, such as 512Mi or 2Gi"),
        ("tracking: {uri: 'https://me:secret@x.example.com'}", "without user, password or query"),
        ("serve: {api_keys: }", "serve.api_keys is empty: give it a value, or leave the key out"),
        ("serve: {api_keys: My_Keys}", "serve.api_keys must be the name of a Kubernetes Secret"),
        ("serve: {workers: 17}", "serve.workers must be less than or equal to 16"),
        (
            "serve: {tracing: {endpoint: 'http://x:65536'}}",
            "serve.tracing is wrong: the port must be from 1 to 65535",
        ),
        ("serve: {tracing: {endpoint: 'http://me:secret@x:4318'}}", "without user, password or query"),
        ("serve: {rate_limit: }", "serve.rate_limit is empty"),
        ("serve: {rate_limit: 100}", "serve.rate_limit must be text"),
        (
            "serve: {rate_limit: 100/d}",
            "serve.rate_limit must be requests a second, minute or hour, such as 100/s",
        ),
        ("serve: {rate_limit: 0/s}", "such as 100/s, 6000/m or 10000/h"),
        ("serve: {rate_limit: {burst: 5}}", "serve.rate_limit.requests is missing"),
        ("serve: {rate_limit: {requests: 1/s, burts: 5}}", "unknown key 'burts'; did you mean 'burst'?"),
        ("deploy: {environments: {a: {serve: {api_keys: }}}}", "deploy.environments.a.serve.api_keys is empty"),
    ],
)
def test_contradictions(tmp_path: Path, more: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        write(tmp_path, model_yaml(more + "\n"))
    assert message in str(refused.value)
    assert "model.yaml:5:" in str(refused.value)


NO_CPU = "resources: {requests: {cpu: 0m}}"


@pytest.mark.parametrize(
    ("serve", "environments", "places"),
    [
        (f"{NO_CPU}, autoscaling: {{}}", "{}", ["5:32"]),
        (f"{NO_CPU}, autoscaling: {{cpu: , memory: 80}}", "{}", []),
        (NO_CPU, "{a: , b: }", []),
        (NO_CPU, "{a: , b: {serve: {autoscaling: {}}}, c: {serve: {autoscaling: {}}}}", ["5:32"]),
        ("autoscaling: {}", f"{{a: , b: {{serve: {{{NO_CPU}}}}}}}", ["6:65"]),
        ("autoscaling: {}", f"{{a: , b: {{serve: {{{NO_CPU}, autoscaling: }}}}}}", []),
        (f"{NO_CPU}, autoscaling: {{}}", f"{{a: {{serve: {{{NO_CPU.replace('0m', '1m')}}}}}}}", []),
    ],
)
def test_a_share_of_no_cpu_decides_nothing(
    tmp_path: Path, serve: str, environments: str, places: list[str]
) -> None:
    deploy = f"deploy: {{environments: {environments}}}\n" if environments != "{}" else ""
    text = model_yaml(f"serve: {{{serve}}}\n{deploy}")
    if not places:
        write(tmp_path, text)
        return
    with pytest.raises(InvalidInput) as refused:
        write(tmp_path, text)
    why = "autoscaling.cpu is in percent of this: request more than 0, or leave autoscaling.cpu empty"
    assert str(refused.value).splitlines() == [f"model.yaml:{place}: {why}" for place in places]


@pytest.mark.parametrize(
    "namespaces", ["{a: {namespace: x}, b: {namespace: x}}", "{a: {namespace: churn-b}, b: }"]
)
def test_two_environments_in_one_namespace(tmp_path: Path, namespaces: str) -> None:
    with pytest.raises(InvalidInput, match="model.yaml: two environments would be in the namespace"):
        write(tmp_path, model_yaml(f"deploy: {{environments: {namespaces}}}\n"))


INGRESS = "ingress: {host: x.example.com}"
GATEWAY = "gateway: {host: x.example.com, name: public, namespace: infra}"


@pytest.mark.parametrize(
    "environments", [f"{{a: , b: {{serve: {{ingress: , {GATEWAY}}}}}}}", f"{{b: {{serve: {{{GATEWAY}}}}}, a: }}"]
)
def test_two_environments_at_one_host(tmp_path: Path, environments: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        write(tmp_path, model_yaml(f"serve: {{{INGRESS}}}\ndeploy: {{environments: {environments}}}\n"))
    (said,) = str(refused.value).splitlines()
    late, early = re.findall(r"churn in (\w)", said)
    assert said == (
        f"model.yaml: churn in {late} would answer at x.example.com, as churn in {early} does; give one another host: "
        "with {environment} in it, or {name} in tagship.yaml, it is each one's own"
    )


def test_one_host_for_two_ways_in_or_several_clusters(tmp_path: Path) -> None:
    """While one moves from an Ingress to a Gateway, and where a name leads to the nearest of several regions."""
    deploy = "deploy: {engine: argocd, environments: {live: {clusters: {eu: , us: {name: x}}}}}"
    write(tmp_path, model_yaml(f"serve: {{{INGRESS}, {GATEWAY}}}\n{deploy}\n"))


def test_a_host_has_places_for_the_model_and_the_environment(tmp_path: Path) -> None:
    serve = "serve: {ingress: {host: '{name}.{environment}.example.com'}}\n"
    live = "live: {serve: {gateway: {host: '{name}-x.example.com', name: public, namespace: infra}}}"
    for model in write_many(
        tmp_path, {"a": serve, "b": serve}, f"deploy: {{environments: {{staging: , {live}}}}}\n"
    ):
        assert [target.serve.ingress.host for target in model.targets if target.serve.ingress] == [
            f"{model.name}.staging.example.com",
            f"{model.name}.live.example.com",
        ]


LABEL = "{name}-{environment}-" + "x" * 50  # with churn and a: 58
HTTP_ROUTE = "name: public, namespace: infra"


@pytest.mark.parametrize(
    ("serve", "environments", "place", "host"),
    [
        (f"ingress: {{host: '{LABEL}.example.com'}}", "", "5:19", f"churn-production-{'x' * 50}.example.com"),
        (f"gateway: {{host: 'a.{LABEL}.b', {HTTP_ROUTE}}}", "", "5:19", f"a.churn-production-{'x' * 50}.b"),
        (f"ingress: {{host: '{LABEL}.b'}}", "{a: , longer: , longest: }", "5:19", f"churn-longest-{'x' * 50}.b"),
        (
            "ingress: {host: '{environment}.b'}",
            f"{{a: , longest: {{serve: {{ingress: {{host: '{LABEL}.b'}}}}}}}}",
            "6:58",
            f"churn-longest-{'x' * 50}.b",
        ),
        (f"ingress: {{host: '{LABEL}.b'}}", "{a: , longest: {serve: {ingress: }}}", "", ""),
        (
            f"ingress: {{host: '{'.'.join(['{environment}'] * 17)}'}}",
            "{b: , fifteen-letters: }",
            "5:19",
            ".".join(["fifteen-letters"] * 17),
        ),
    ],
)
def test_a_host_is_not_too_long_with_the_names_in_it(
    tmp_path: Path, serve: str, environments: str, place: str, host: str
) -> None:
    text = model_yaml(
        f"serve: {{{serve}}}\n" + (f"deploy: {{environments: {environments}}}\n" if environments else "")
    )
    if not place:
        write(tmp_path, text)
        return
    with pytest.raises(InvalidInput) as refused:
        write(tmp_path, text)
    (said,) = str(refused.value).splitlines()
    assert said.startswith(f"model.yaml:{place}: host is {host} in ")


@pytest.mark.parametrize(
    "host", ["{name}", "{model}.example.com", "{name.example.com", "a.{name}-", "-{name}.a", "A.b"]
)
def test_a_host_with_another_place_or_none_for_a_dot(tmp_path: Path, host: str) -> None:
    with pytest.raises(InvalidInput, match=r"host must be a lower-case host name with a dot; \{name\} and"):
        write(tmp_path, model_yaml(f"serve: {{ingress: {{host: '{host}'}}}}\n"))


def test_two_models_at_one_host(tmp_path: Path) -> None:
    text = f"serve: {{{INGRESS}}}\n"
    with pytest.raises(
        InvalidInput, match="models/b/model.yaml: b in production would answer at x.example.com, as a"
    ):
        write_many(tmp_path, {"a": text, "b": text})


@pytest.mark.parametrize(
    "keys", ["env: {PATH: x}", "secrets: [GH_TOKEN]", "env: {A: x}, secrets: [A]", "secrets: [RUNNER_X]"]
)
def test_the_pipelines_own_variables_are_reserved(tmp_path: Path, keys: str) -> None:
    with pytest.raises(InvalidInput, match=r"model\.yaml:3:\d+: \w+ is set by the pipeline"):
        write(tmp_path, SMALLEST.replace("{script: train.py}", f"{{script: train.py, {keys}}}"))


def test_an_environment_changes_one_resource(tmp_path: Path) -> None:
    more = """\
serve: {resources: {requests: {cpu: 100m, memory: 256Mi}}}
deploy: {environments: {live: {serve: {resources: {limits: {memory: 2Gi}}}}}}
"""
    resources = write(tmp_path, model_yaml(more)).model(None).targets[0].serve.resources
    assert (resources.requests.cpu, resources.requests.memory, resources.limits.memory) == ("100m", "256Mi", "2Gi")


@pytest.mark.parametrize(
    ("base", "changes", "message"),
    [
        ("{limits: {memory: 4Gi}}", "{requests: {memory: 2Gi}}", None),
        ("{limits: {cpu: '1'}}", "{limits: {cpu: null}, requests: {cpu: '2'}}", None),
        (
            "{requests: {memory: 2Gi}, limits: {memory: 4Gi}}",
            "{limits: {memory: 1500Mi}}",
            "requests.memory 2Gi is more than limits.memory 1500Mi",
        ),
    ],
)
def test_an_environments_resources_are_judged_with_those_of_serve(
    tmp_path: Path, base: str, changes: str, message: str | None
) -> None:
    environments = f"{{live: {{serve: {{resources: {changes}}}}}}}"
    text = model_yaml(f"serve: {{resources: {base}}}\ndeploy: {{environments: {environments}}}\n")
    if message is None:
        resources = write(tmp_path, text).model(None).targets[0].serve.resources
        assert not [*resources.excesses()]
    else:
        with pytest.raises(InvalidInput, match=rf"model\.yaml:6:\d+: with serve\.resources, {message}"):
            write(tmp_path, text)


@pytest.mark.parametrize(
    ("base", "environments", "ports"),
    [
        ("{}", "{staging: , live: }", [None, None]),
        ("{tracing: {endpoint: 'http://otel:4318'}}", "{staging: {serve: {tracing: }}, live: }", [None, 4318]),
        ("{}", "{staging: , live: {serve: {tracing: {endpoint: 'https://otel.example.com'}}}}", [None, 443]),
    ],
)
def test_one_image_for_environments_with_and_without_spans(
    tmp_path: Path, base: str, environments: str, ports: list[int | None]
) -> None:
    text = model_yaml(f"serve: {base}\ndeploy: {{environments: {environments}}}\n")
    model = write(tmp_path, text).model(None)
    assert [target.serve.tracing and target.serve.tracing.port for target in model.targets] == ports
    assert model.traced == any(ports)


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ("serve: {alerts: {age: 30d}}", "5:9"),
        ("deploy: {environments: {a: {serve: {alerts: {age: 30d}}}, b: {serve: {monitoring: true}}}}", "5:37"),
        (
            "serve: {monitoring: true}\n"
            "deploy: {environments: {a: {serve: {monitoring: false, alerts: {age: }}}, b: }}",
            "6:56",
        ),
    ],
)
def test_alerts_that_nothing_would_raise_are_refused(tmp_path: Path, more: str, place: str) -> None:
    with pytest.raises(InvalidInput, match=rf"^model\.yaml:{place}: alerts needs monitoring[^\n]*$"):
        write(tmp_path, model_yaml(more))


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ("serve: {monitoring: true, alerts: {queue: 1024}}", "5:36"),
        ("serve: {monitoring: true, workers: 2, alerts: {queue: 2048}}", "5:48"),
        (
            "serve: {monitoring: true, workers: 2, alerts: {queue: 1500}}\n"
            "deploy: {environments: {a: {serve: {workers: 1}}}}",
            "6:29",
        ),
        ("deploy: {environments: {a: {serve: {monitoring: true, alerts: {queue: 1024}}}}}", "5:29"),
    ],
)
def test_a_queue_that_no_pod_has_is_refused(tmp_path: Path, more: str, place: str) -> None:
    with pytest.raises(InvalidInput, match=rf"^model\.yaml:{place}: alerts.queue is [^\n]*$"):
        write(tmp_path, model_yaml(more))


def test_a_queue_is_what_all_workers_of_a_pod_let_wait(tmp_path: Path) -> None:
    assert Settings().max_queue == WAITING
    write(tmp_path, model_yaml("serve: {monitoring: true, workers: 2, alerts: {queue: 2047}}"))


@pytest.mark.parametrize(
    "more",
    [
        "serve: {alerts: {age: 30d}}\ndeploy: {environments: {a: , b: {serve: {monitoring: true}}}}",
        "serve: {monitoring: true}\ndeploy: {environments: {a: {serve: {alerts: {age: 30d}}}}}",
        "serve: {monitoring: true, alerts: {age: 30d}}\ndeploy: {environments: {a: {serve: {monitoring: false}}}}",
    ],
)
def test_alerts_that_one_environment_raises_are_taken(tmp_path: Path, more: str) -> None:
    write(tmp_path, model_yaml(more))


@pytest.mark.parametrize("name", ["a..b", "x.-y", "x-.y", "a.", "-a", "A"])
@pytest.mark.parametrize(
    "more",
    [
        "serve: {priority_class: %s}",
        "serve: {api_keys: %s}",
        "serve: {ingress: {host: a.example.com, class: %s}}",
        "serve: {ingress: {host: a.example.com, tls: true, issuer: %s}}",
        "serve: {gateway: {name: %s, namespace: infra, host: a.example.com}}",
        "serve: {gateway: {name: a, namespace: infra, host: a.example.com, listener: %s}}",
        "deploy: {engine: flux, environments: {live: {clusters: {eu: {name: %s}}}}}",
    ],
)
def test_a_name_that_kubernetes_refuses_is_refused(tmp_path: Path, more: str, name: str) -> None:
    with pytest.raises(InvalidInput, match=r"the name of a Kubernetes|that of a Secret|a cluster's name"):
        write(tmp_path, model_yaml(more % f'"{name}"'))
    write(tmp_path, model_yaml(more % "a.b-c.d"))


def test_environments_change_what_they_name(tmp_path: Path) -> None:
    more = "serve: {replicas: 3, monitoring: true}\ndeploy: {environments: {staging: , live: {serve: {replicas: 5}}}}\n"
    model = write(tmp_path, model_yaml(more)).model("churn")
    assert [(t.name, t.namespace, t.serve.replicas, t.serve.monitoring) for t in model.targets] == [
        ("staging", "churn-staging", 3, True),
        ("live", "churn-live", 5, True),
    ]


def test_many_models_share_what_tagship_yaml_says(tmp_path: Path) -> None:
    workspace = write_many(tmp_path, {"a": "", "b": ""}, "repository: {branch: trunk}\n")
    assert [(m.name, m.folder, m.config.repository.branch) for m in workspace] == [
        ("a", "models/a", "trunk"),
        ("b", "models/b", "trunk"),
    ]
    assert workspace.released("b/v1.0.0")[0].name == "b"
    assert workspace.model("a").overlay("production") == "k8s/overlays/a/production"


def test_a_model_may_not_contradict_the_workspace(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"models/a/model\.yaml:5:1: repository contradicts tagship\.yaml"):
        write_many(tmp_path, {"a": "repository: {branch: main}\n"}, "repository: {branch: trunk}\n")


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ("[../*]", "leads out"),
        ("[/etc/*]", "leads out"),
        ("[nothing/*]", "matches no folder"),
        ("[]", "at least 1"),
    ],
)
def test_workspace_folders(tmp_path: Path, models: str, message: str) -> None:
    (tmp_path / "tagship.yaml").write_text(f"models: {models}\n")
    with pytest.raises(InvalidInput) as refused:
        load(tmp_path)
    assert message in str(refused.value)


def test_two_models_may_not_push_one_image(tmp_path: Path) -> None:
    write_many(tmp_path, {"a": ""})
    (tmp_path / "models/b").mkdir()
    text = model_yaml(name="b").replace("{registry:", "{repository: a, registry:")
    (tmp_path / "models/b/model.yaml").write_text(text)
    with pytest.raises(InvalidInput, match="has the same image repository and tag as models/a/model.yaml"):
        load(tmp_path)


@pytest.mark.parametrize(("tag", "message"), [("v1", "is no version"), ("w1.2.3", "belongs to no model here")])
def test_a_tag_that_is_no_release(tmp_path: Path, tag: str, message: str) -> None:
    with pytest.raises(GeneratorError, match=message):
        write(tmp_path).released(tag)


_HOSTILE = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["${{ secrets.A }}", "$(id)", "`id`", "<%= 1 %>", "{{ 7*7 }}", "a\nb: c", "'\"", "../../etc", "\u2028"]),
)  # fmt: skip
_PATHS = [
    ("name",), ("repository", "branch"), ("repository", "url"), ("train", "script"), ("train", "runs_on"),
    ("train", "experiment"), ("image", "registry"), ("image", "repository"), ("image", "tag"), ("image", "role"),
    ("tracking", "uri"), ("tracking", "secret"), ("pipeline", "install"),
]  # fmt: skip


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=150,
    deadline=None,
)
@given(path=st.sampled_from(_PATHS), value=_HOSTILE)
def test_a_hostile_value_is_refused_or_harmless(tmp_path: Path, path: tuple[str, ...], value: str) -> None:
    """What the schema lets through cannot end a line, open an expression or leave the folder."""
    import json

    data = {"version": 1, "name": "churn", "train": {"script": "train.py"}, "image": {"registry": "r.example.com"}}
    at = data
    for key in path[:-1]:
        at = at.setdefault(key, {})  # type: ignore[assignment]
    at[path[-1]] = value
    plain = json.dumps(data, ensure_ascii=True)
    try:
        (tmp_path / "model.yaml").write_text(plain)
        load(tmp_path)
    except InvalidInput as refused:
        assert "model.yaml:1:" in str(refused)
        return
    assert "${{" not in value or path == ("train", "experiment")
    assert not set(value) & set("\n\r\x00\u2028\u2029")
    assert ".." not in value.split("/") or path == ("train", "experiment") or path == ("pipeline", "install")


def test_two_models_never_share_the_reviewers_of_a_promotion(tmp_path: Path) -> None:
    approved = "deploy: {environments: {staging: {}, %s: {approval: true}}}\n"
    said = "has the same GitHub environment tagship-a-b-c as models/a/model.yaml; change one"
    with pytest.raises(InvalidInput, match=said):
        write_many(tmp_path, {"a": approved % "b-c", "a-b": approved % "c"})
