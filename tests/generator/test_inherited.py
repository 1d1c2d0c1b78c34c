"""What tagship.yaml says for all models: as it would in each model.yaml, and with its own places in messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.config.model import Model
from generator.config.schema import Deploy, Environment, Push, ServeOverride
from generator.config.types import Section
from generator.errors import InvalidInput
from generator.yamlio import parse
from tests.generator.workspaces import write_many

ROLE = "arn:aws:iam::123456789012:role/observe"
OVERRIDES = (
    "{replicas: 3, workers: 2, service: LoadBalancer, resources: {limits: {memory: 2Gi}}}",
    "{autoscaling: {min: 2, max: 4}, priority_class: high, api_keys: keys}",
    "{autoscaling: , priority_class: , tracing: }",
    "{ingress: {host: a.example.com, class: nginx, tls: true, issuer: letsencrypt}}",
    "{ingress: {host: a.example.com, tls: true, issuer: {name: letsencrypt}}}",
    "{gateway: {name: shared, namespace: infra, host: a.example.com}}",
    "{monitoring: true, alerts: {age: 30d, latency: }}",
    "{tracing: {endpoint: 'https://otel.example.com'}}",
    "{pull_secret: none}",
    "{pull_secret: cronjob}",
    "{pull_secret: {through: external-secrets}}",
    "{callers: [shop]}",
    "{callers: {namespaces: [shop]}}",
    "{rate_limit: 100/s}",
    "{env: {A: x, NOT_OF_ALL_MODELS: , TOKEN: {secret: feature-store, key: token}}}",
    "{rate_limit: {requests: 100/s}}",
)
DEPLOYS = (
    *(f"deploy: {{environments: {{staging: , live: {{serve: {serve}}}}}}}\n" for serve in OVERRIDES),
    "deploy: {engine: argocd, notifications: {slack: ml, hook: }, environments: {live: {clusters: {eu: , us: {name: x}}}}}\n",
    f"deploy: {{observe: {{eks: c, role: '{ROLE}'}}, environments: {{live: {{observe: none, namespace: n}}}}}}\n",
    "deploy: {observe: none, environments: {a: , live: {observe: {kubeconfig: K}, rollback_on_failure: true, via: commit}}}\n",
    "deploy: {environments: {a: , live: {approval: true}}}\n",
    "repository: {url: 'https://github.com/a/b', branch: trunk}\n"
    "deploy: {repository: 'https://github.com/a/c', branch: main, push: {mode: app}}\n",
    "tracking: {uri: 'https://mlflow.example.com', secret: TOKEN}\npipeline: {install: ./x}\n",
)


@pytest.mark.parametrize("text", DEPLOYS)
def test_it_means_what_it_would_in_the_model_itself(tmp_path: Path, text: str) -> None:
    """Left out of model.yaml, and repeated there word for word, too."""
    places = iter(tmp_path / name for name in ("alone", "inherits", "repeats"))

    def one(own: str, shared: str = "") -> Model:
        (place := next(places)).mkdir()
        (model,) = write_many(place, {"a": own}, shared)
        return model

    alone = one(text)
    assert one("", text) == alone
    assert one(text, text).targets == alone.targets


def test_every_key_of_deploy_is_among_them() -> None:
    given: set[tuple[type[Section], str]] = set()
    for text in DEPLOYS:
        deploy = parse(text, "").data.get("deploy", {})
        given |= {(Deploy, key) for key in deploy} | {(Push, key) for key in deploy.get("push", {})}
        for settings in deploy.get("environments", {}).values():
            given |= {(Environment, key) for key in settings or {}}
            given |= {(ServeOverride, key) for key in (settings or {}).get("serve", {})}
    for kind in (Deploy, Push, Environment, ServeOverride):
        names = {(kind, field.alias or name) for name, field in kind.model_fields.items()}
        assert names <= given


def said(root: Path, models: dict[str, str], shared: str) -> list[str]:
    with pytest.raises(InvalidInput) as refused:
        write_many(root, models, shared)
    return str(refused.value).splitlines()


def test_its_problems_are_told_once_and_at_its_own_place(tmp_path: Path) -> None:
    shared = "deploy:\n  notifications: {slack: ml}\n  environments: {live: {rollback_on_failure: true}}\n"
    assert said(tmp_path, {"a": "", "b": ""}, shared) == [
        "tagship.yaml:3:3: deploy.notifications is for argocd and flux: nobody follows a rollout with deploy.engine "
        "none; leave it out",
        "tagship.yaml:4:25: rollback_on_failure needs deploy.observe: without access to the cluster nobody sees that "
        "a rollout failed; add it, or leave this out",
    ]


def test_a_problem_of_some_models_says_of_which(tmp_path: Path) -> None:
    monitored = "serve: {monitoring: true}\n"
    shared = "deploy:\n  environments:\n    live:\n      serve: {callers: [shop]}\n"
    (found,) = said(tmp_path, {"a": monitored, "b": "", "c": monitored}, shared)
    assert found.startswith("tagship.yaml:5:7: callers leaves Prometheus out")
    assert found.endswith(" (for models/a/model.yaml, models/c/model.yaml)")


def test_a_section_that_the_model_repeats_is_wrong_there(tmp_path: Path) -> None:
    text = "deploy: {environments: {live: {rollback_on_failure: true}}}\n"
    found = said(tmp_path, {"a": text, "b": ""}, text)
    assert [line.partition(" ")[0] for line in found] == ["models/a/model.yaml:5:32:", "tagship.yaml:2:32:"]
