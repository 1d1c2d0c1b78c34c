"""No value of model.yaml changes the structure of a generated file, or becomes an expression of GitHub's."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from generator.config.model import Model
from generator.config.workspace import Workspace
from generator.config.schema import ModelFile
from generator.ledger import Ledger
from generator.plan.overlays import plan_base, plan_kubernetes
from generator.plan.workflows import plan_workflows
from generator.render import text_of
from generator.yamlio import parse
from tests.templates.manifests import ENTRY

ECR = "123456789012.dkr.ecr.eu-north-1.amazonaws.com"
Place = tuple[str | int, ...]

# Every key is set, so that a hostile value only ever takes a harmless one's place.
HARMLESS: dict[str, Any] = {
    "version": 1,
    "name": "churn",
    "repository": {"url": "https://github.com/acme/churn", "branch": "main"},
    "train": {
        "script": "train.py",
        "experiment": "churn",
        "model": "model",
        "env": {"QUERY": "select 1"},
        "secrets": ["WAREHOUSE_TOKEN"],
        "tags": {"team": "growth"},
        "runs_on": ["gpu"],
        "requirements": ["scikit-learn"],
    },
    "tracking": {"uri": "https://mlflow.example.com", "secret": "TRACKING_TOKEN"},
    "image": {
        "registry": ECR,
        "repository": "models/churn",
        "tag": "{version}",
        "role": "arn:aws:iam::123456789012:role/release",
    },
    "serve": {
        "ingress": {"host": "churn.example.com", "class": "nginx", "issuer": {"name": "letsencrypt"}},
        "gateway": {"host": "churn.example.com", "name": "public", "namespace": "gateways", "listener": "https"},
        "tracing": {"endpoint": "http://otel-collector:4318"},
        "autoscaling": {
            "min": 2,
            "max": 3,
            "requests": {"per_second": 5, "through": "keda", "prometheus": "http://prometheus:9090"},
        },
        "api_keys": "churn-api-keys",
        "rate_limit": {"requests": "100/s"},
        "callers": {"namespaces": ["shop"], "prometheus": "monitoring"},
        "priority_class": "serving",
        "env": {
            "LITERAL": "text",
            "SECRET": {"secret": "feature-store", "key": "token"},
            "FACT": {"config_map": "cluster-facts", "key": "region"},
        },
        "pull_secret": {"through": "cronjob", "key": "churn-ecr", "image": f"r.example.com/python@sha256:{'0' * 64}"},
        "resources": {"limits": {"memory": "1Gi", "cpu": "1"}, "requests": {"memory": "512Mi", "cpu": "250m"}},
    },
    "deploy": {
        "engine": "argocd",
        "notifications": {"slack": "ml"},
        "environments": {
            "staging": {"namespace": "churn-staging", "clusters": {"eu": {"name": "live"}}},
            "live": {
                "observe": {
                    "eks": "models",
                    "role": "arn:aws:iam::123456789012:role/churn-observe",
                    "region": "eu-north-1",
                },
            },
        },
    },
    "retrain": {"schedule": "0 3 * * 1"},
    "notify": {"webhook": "CHAT_WEBHOOK"},
    "pipeline": {"install": "git+https://github.com/acme/tagship@0123456789abcdef0123456789abcdef01234567"},
}
PLACES: tuple[Place, ...] = (
    ("serve", "tracing", "endpoint"),
    ("serve", "autoscaling", "requests", "prometheus"),
    ("deploy", "notifications", "slack"),
    ("deploy", "environments", "staging", "clusters", "eu", "name"),
    ("deploy", "environments", "live", "observe", "eks"),
    ("deploy", "environments", "live", "observe", "region"),
    ("deploy", "environments", "live", "observe", "role"),
    ("name",),
    ("repository", "url"),
    ("repository", "branch"),
    ("train", "script"),
    ("train", "experiment"),
    ("train", "model"),
    ("train", "env", "QUERY"),
    ("train", "secrets", 0),
    ("train", "tags", "team"),
    ("train", "runs_on", 0),
    ("train", "requirements", 0),
    ("tracking", "uri"),
    ("tracking", "secret"),
    ("image", "repository"),
    ("image", "tag"),
    ("image", "role"),
    ("serve", "ingress", "host"),
    ("serve", "ingress", "class"),
    ("serve", "ingress", "issuer"),
    ("serve", "ingress", "issuer", "name"),
    ("serve", "gateway", "host"),
    ("serve", "gateway", "name"),
    ("serve", "gateway", "namespace"),
    ("serve", "gateway", "listener"),
    ("serve", "api_keys"),
    ("serve", "rate_limit"),
    ("serve", "rate_limit", "requests"),
    ("serve", "callers", "namespaces", 0),
    ("serve", "callers", "prometheus"),
    ("serve", "priority_class"),
    ("serve", "env", "LITERAL"),
    ("serve", "env", "SECRET", "secret"),
    ("serve", "env", "SECRET", "key"),
    ("serve", "env", "FACT", "config_map"),
    ("serve", "env", "FACT", "key"),
    ("serve", "pull_secret", "key"),
    ("serve", "pull_secret", "image"),
    ("serve", "resources", "limits", "memory"),
    ("serve", "resources", "requests", "cpu"),
    ("deploy", "environments", "staging", "namespace"),
    ("retrain", "schedule"),
    ("notify", "webhook"),
    ("pipeline", "install"),
)
NASTY = (
    "x\n    permissions: write-all",
    "x\r\n  evil:\n    runs-on: y",
    "${{ secrets.GITHUB_TOKEN }}",
    "${{ github.event.pull_request.title }}",
    "a${{b}}c",
    '"; touch /tmp/owned; "',
    "$(id)",
    "`id`",
    "<%= 7 * 7 %>",
    "{{ 7 * 7 }}",
    "<%# x %>",
    "&anchor",
    "*alias",
    "!!python/object:x",
    "# comment",
    "a: b",
    "- item",
    "{a: b}",
    "x #",
    "'",
    '"',
    "\\",
    "\\n",
    "on",
    "null",
    "~",
    "0x10",
    "1e3",
    "2026-01-01",
    "%YAML 1.1",
    "--- ",
    "|",
    ">",
    "\u2028",
    "\x85",
    "\ufeff",
    "\x00",
    "../../etc/passwd",
    "::set-output name=x::y",
    "http://x/${{github.token}}",
    "https://h/%7B%7B",
    "git+https://h/x@0123456789abcdef0123456789abcdef01234567\n",
    "arn:aws:iam::123456789012:role/x${{y}}",
    "arn:aws:iam::123456789012:role/a=b,c@d+e",
    "{version}${{x}}",
    "--release",
)
# Valid text of each kind's shape too, so that not all that is drawn is refused.
SHAPED = st.one_of(
    st.from_regex(r"[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,8}){0,2}", fullmatch=True),
    st.from_regex(r"[A-Z_][A-Z0-9_]{0,20}", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True),
    st.from_regex(r"arn:aws:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@/_-]{1,40}", fullmatch=True),
    st.from_regex(r"https?://[A-Za-z0-9.-]{1,20}(/[A-Za-z0-9._~%-]{0,9}){0,2}", fullmatch=True),
    st.from_regex(r"git\+https://[a-z.]{1,9}/[a-z]{1,9}@[0-9a-f]{40}", fullmatch=True),
    st.from_regex(r"\.{1,2}(/[A-Za-z0-9._-]{1,9}){0,2}", fullmatch=True),
)
VALUES = st.one_of(st.sampled_from(NASTY), SHAPED, st.text(max_size=60))


@dataclass(frozen=True)
class Structure:
    """What must not depend on values: keys, kinds, number of items and lines, and expressions."""

    shape: tuple[Any, ...]
    lines: tuple[int, ...]
    expressions: tuple[str, ...]


def rendered(config: ModelFile) -> list[str]:
    """Every YAML file of a root model, before its first release and after it."""
    model = Model(config, ".")
    workspace = Workspace(Path("/nowhere"), (model,))
    ledger = Ledger(model=model.name, environment="staging")
    planned = [*plan_workflows(workspace, install=str(config.pipeline.install)), *plan_base(workspace.models)]
    for found in (ledger, ledger.with_release(ENTRY)):
        planned += plan_kubernetes(model, {"staging": found})
    return [text_of(file) for file in planned if file.path.endswith((".yml", ".yaml"))]


def structure(config: ModelFile) -> Structure:
    """The structure of all generated files of a root model."""
    texts = rendered(config)
    expressions = [
        re.sub(r"secrets\.\w+", "secrets.*", found) for found in re.findall(r"\$\{\{.*?\}\}", "".join(texts))
    ]
    return Structure(
        tuple(shape(parse(part, "file").data) for text in texts for part in text.split("\n---\n")),
        tuple(len(text.splitlines()) for text in texts),
        tuple(sorted(expressions)),
    )


def shape(data: Any) -> Any:
    """`data` with its values' kinds in place of the values; names of variables count only by their number.

    One job is called by the model's name.
    """
    if isinstance(data, dict):
        return tuple(
            (re.sub(r"^rehearse-.*", "rehearse-*", str(key)), len(value) if key == "env" else shape(value))
            for key, value in data.items()
        )
    if isinstance(data, list):
        return tuple(shape(item) for item in data)
    return type(data).__name__


def with_value(config: dict[str, Any], place: Place, value: str) -> dict[str, Any]:
    """A copy of `config` with `value` at `place`."""
    changed = copy.deepcopy(config)
    at: Any = changed
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = value
    return changed


def accepted(config: dict[str, Any]) -> ModelFile | None:
    try:
        return ModelFile.model_validate(config)
    except ValidationError:
        return None


@cache
def harmless(engine: str) -> Structure:
    return structure(ModelFile.model_validate(with_value(HARMLESS, ("deploy", "engine"), engine)))


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(st.sampled_from(PLACES), VALUES, min_size=1, max_size=len(PLACES)),
    st.sampled_from(["argocd", "flux", "none"]),
)
def test_no_value_changes_the_structure(values: dict[Place, str], engine: str) -> None:
    config = with_value(HARMLESS, ("deploy", "engine"), engine)
    for place, value in values.items():
        changed = with_value(config, place, value)
        if accepted(changed) is not None:
            config = changed
    assert structure(ModelFile.model_validate(config)) == harmless(engine)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)))
def test_a_value_that_reaches_a_file_holds_no_expression(place: Place) -> None:
    """Quotes don't stop GitHub from evaluating an expression, so the schema or the plan must keep it out."""
    for value in (value for value in NASTY if "${{" in value or "\n" in value):
        config = accepted(with_value(HARMLESS, place, value))
        if config is not None:
            assert value not in "".join(rendered(config)), (
                f"{'.'.join(map(str, place))}: {value!r} is in a generated file"
            )


def test_the_comparison_sees_a_difference() -> None:
    """A check of the check: another feature is another structure."""
    without_secrets = copy.deepcopy(HARMLESS)
    del without_secrets["train"]["secrets"]
    assert structure(ModelFile.model_validate(without_secrets)) != harmless("argocd")
