"""serve.env: variables that reach the server as they are written, or out of a Secret or ConfigMap of the cluster."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from generator.config.model import Model
from generator.config.schema import ModelFile
from generator.config.variables import TRACED, variable_problems
from generator.config.workspace import load
from generator.errors import InvalidInput
from generator.ledger import Ledger
from generator.plan.overlays import plan_kubernetes
from generator.plan.variables import variables_shown
from generator.render import data_text, text_of
from generator.yamlio import parse
from tests import parts
from tests.generator.workspaces import model_yaml, write
from tests.templates.manifests import build, generate, release_all, schema_problems, server
from tests.templates.test_hostile_values import HARMLESS, NASTY, accepted, with_value

GIVEN = """\
serve:
  env:
    FEATURE_STORE: https://features.example.com
    FEATURE_STORE_TOKEN: {secret: feature-store, key: token}
    REGION: {config_map: cluster-facts, key: region.name}
    EMPTY: ""
"""
TOKEN = {"secretKeyRef": {"name": "feature-store", "key": "token"}}
REGION = {"configMapKeyRef": {"name": "cluster-facts", "key": "region.name"}}
# Text that YAML, kustomize or Kubernetes might take for something else.
ODD = ("$(HOME)", "$$(HOME)", "$", "$$", "a$b", "$é", "on", "null", "0x10", "1e3", "~", "# x", "a: b", "{a: b}", '"', "'", "\\n", " x ", "`id`", "<%= 7 %>", "{{ 7 }}", "é😀")  # fmt: skip


def values(text: str) -> dict[str, dict[str, Any]]:
    """Of each environment, what `text` gives the server."""
    config = ModelFile.model_validate(parse(text, "model.yaml").data)
    return {target.name: dict(target.serve.env) for target in Model(config, ".").targets}


def variables(root: Path, text: str, environment: str = "production") -> dict[str, Any]:
    """What the rendered Deployment gives the server, besides the digest: each variable once."""
    parts.need_kustomize()
    write(root, text)
    generate(root)
    release_all(root)
    objects = build(root, load(root).model(None), environment)
    assert [problem for item in objects for problem in schema_problems(item)] == []
    entries = server(objects)["env"]
    found = {entry["name"]: entry.get("valueFrom", entry.get("value")) for entry in entries}
    assert len(found) == len(entries)
    assert found.pop("TAGSHIP_DIGEST").startswith("sha256:")
    return found


@pytest.mark.e2e
def test_the_server_gets_each_of_them(tmp_path: Path) -> None:
    assert variables(tmp_path, model_yaml(GIVEN)) == {
        "FEATURE_STORE": "https://features.example.com",
        "FEATURE_STORE_TOKEN": TOKEN,  # not optional: without the Secret no pod starts
        "REGION": REGION,
        "EMPTY": "",
    }


@pytest.mark.e2e
def test_they_stand_beside_what_the_server_is_told_anyway(tmp_path: Path) -> None:
    text = model_yaml(GIVEN + "  strict: true\n  tracing: {endpoint: 'http://otel.tracing:4318'}\n")
    found = variables(tmp_path, text.replace("    EMPTY", "    OTEL_SERVICE_NAME: shop\n    EMPTY"))
    assert {"TAGSHIP_STRICT", "OTEL_SERVICE_NAME", "FEATURE_STORE_TOKEN", *TRACED} <= found.keys()


@pytest.mark.e2e
def test_an_environment_changes_single_ones(tmp_path: Path) -> None:
    more = """\
deploy:
  environments:
    staging:
    production:
      serve:
        env:
          FEATURE_STORE: {config_map: live, key: store}
          REGION:
          FEATURE_STORE_TOKEN: none-here
          LEVEL: "3"
"""
    text = model_yaml(GIVEN + more)
    assert variables(tmp_path, text) == {
        "FEATURE_STORE": {"configMapKeyRef": {"name": "live", "key": "store"}},
        "FEATURE_STORE_TOKEN": "none-here",
        "EMPTY": "",
        "LEVEL": "3",
    }
    assert values(text)["staging"] == values(model_yaml(GIVEN))["production"]


@pytest.mark.e2e
def test_without_variables_there_is_no_file_of_them(tmp_path: Path) -> None:
    more = "deploy: {environments: {staging: , production: {serve: {env: {A: }}}}}\n"
    assert variables(tmp_path, model_yaml(f"serve: {{env: {{A: x}}}}\n{more}")) == {}
    assert [path.parts[-3] for path in tmp_path.rglob("tagship/variables.yaml")] == ["staging"]


@pytest.mark.e2e
def test_a_secret_that_the_overlay_itself_has_is_found(tmp_path: Path) -> None:
    """A prefix changes its name, and with it what the variable names."""
    variables(tmp_path, model_yaml(GIVEN))
    path = tmp_path / "k8s/overlays/production/kustomization.yaml"
    path.write_text(path.read_text().replace("resources:\n", "resources:\n  - facts.yaml\n", 1))
    path.with_name("facts.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cluster-facts}\n")
    entries = server(build(tmp_path, load(tmp_path).model(None), "production"))["env"]
    (region,) = [entry["valueFrom"] for entry in entries if entry["name"] == "REGION"]
    assert region == {"configMapKeyRef": {"name": "churn-cluster-facts", "key": "region.name"}}


@pytest.mark.e2e
def test_odd_text_arrives_as_it_is_written(tmp_path: Path) -> None:
    quoted = "".join(f"    {name}: '{text.replace(chr(39), chr(39) * 2)}'\n" for name, text in named().items())
    found = variables(tmp_path, model_yaml(f"serve:\n  env:\n{quoted}"))
    assert {name: expanded(value, {"HOME": "/tmp"}) for name, value in found.items()} == named()


def named() -> dict[str, str]:
    """Odd text, under names that are odd in YAML."""
    names = ("on", "null", "NO", "y", *(f"V{number}" for number in range(len(ODD))))
    return dict(zip(names, ODD, strict=False))


def expanded(text: str, known: dict[str, str]) -> str:
    """What Kubernetes makes of a value: `$(X)` is a variable's value, `$$` is one `$`."""
    found, rest = "", text
    while rest:
        if rest.startswith("$$"):
            found, rest = found + "$", rest[2:]
        elif rest.startswith("$(") and ")" in rest:
            name, rest = rest[2:].split(")", 1)
            found += known.get(name, f"$({name})")
        else:
            found, rest = found + rest[0], rest[1:]
    return found


@given(st.text("$()AB{é ", max_size=12))
@example("$(A)")
@example("$$(A)$")
def test_no_dollar_names_another_variable(text: str) -> None:
    shown = variables_shown({"X": text})["X"]
    assert isinstance(shown, str)
    assert expanded(shown, {"A": "1", "": "2"}) == text
    assert expanded("$(A)$$(A)$B", {"A": "1"}) == "1$(A)$B", "a check of the check"


@given(st.one_of(st.sampled_from(NASTY), st.text(max_size=60)))
def test_no_value_changes_the_file(value: str) -> None:
    config = accepted(with_value(HARMLESS, ("serve", "env", "LITERAL"), value))
    if config is not None:
        ledger = Ledger(model="churn", environment="staging")
        planned = plan_kubernetes(Model(config, "."), {"staging": ledger})
        (text,) = [text_of(one) for one in planned if one.path.endswith("staging/tagship/variables.yaml")]
        (container,) = parse(text, "variables.yaml").data["spec"]["template"]["spec"]["containers"]
        assert {"name": "LITERAL", **variables_shown({"value": value})} in container["env"]
        assert len(container["env"]) == len(HARMLESS["serve"]["env"])


@pytest.mark.parametrize(
    ("given", "where", "message"),
    [
        ("A: 1", "5:18", "serve.env.A must be text; put it in quotes"),
        ("A: true", "5:18", "serve.env.A must be text; put it in quotes"),
        ("A: [x]", "5:18", "serve.env.A must be text; put it in quotes"),
        ("A: ", "5:17", "serve.env.A is empty: give it a value, or leave the key out"),
        ('A: "a\\nb"', "5:18", "serve.env.A must be one line of text without control characters"),
        (f"A: {'x' * 4001}", "5:18", "serve.env.A String should have at most 4000 characters"),
        ("A: '${{ secrets.TOKEN }}'", "5:18", "serve.env.A has ${{, which only GitHub's workflows replace"),
        ("A: {key: k}", "5:18", "serve.env.A is wrong: give either secret or config_map"),
        (
            "A: {secret: a, config_map: b, key: k}",
            "5:18",
            "serve.env.A is wrong: give either secret or config_map",
        ),
        ("A: {secret: a}", "5:18", "serve.env.A.key is missing"),
        ("A: {secret: A, key: k}", "5:27", "serve.env.A.secret must be the name of a Kubernetes Secret"),
        (
            "A: {config_map: 'a b', key: k}",
            "5:31",
            "serve.env.A.config_map must be the name of a Kubernetes object",
        ),
        ("A: {secret: a, key: a/b}", "5:35", "serve.env.A.key must be a key of a Secret or ConfigMap"),
        ("A: {secret: a, key: ..}", "5:35", "serve.env.A.key must be a key of a Secret or ConfigMap"),
        (
            "A: {secret: a, key: k, optional: true}",
            "5:38",
            "unknown key 'optional'; known here: secret, config_map, key",
        ),
        ("A-B: x", "5:15", "key must be a name of letters, digits and _"),
        ("PATH: x", "5:15", "PATH is set by the image; remove it"),
        ("PYTHONPATH: x", "5:15", "PYTHONPATH is set by the image; remove it"),
        ("LD_PRELOAD: {secret: a, key: k}", "5:15", "LD_PRELOAD is set by the image; remove it"),
        (
            "TAGSHIP_PORT: '1'",
            "5:15",
            "TAGSHIP_PORT is the server's own: set its key of serve, or patch the overlay",
        ),
    ],
)
def test_what_cannot_be_a_variable_is_refused_with_its_line(
    tmp_path: Path, given: str, where: str, message: str
) -> None:
    assert refused(tmp_path, f"serve: {{env: {{{given}}}}}\n").startswith(f"model.yaml:{where}: {message}")


@pytest.mark.parametrize(
    ("serve", "environments", "expected"),
    [
        ("env: {A: x}", "a: {serve: {env: {HOME: x}}}", "6:43: HOME is set by the image; remove it"),
        ("env: {A: x}", "a: {serve: {env: }}", "6:41: deploy.environments.a.serve.env must be a mapping"),
        (
            "env: {OTEL_RESOURCE_ATTRIBUTES: x}",
            "a: {serve: {tracing: {endpoint: 'http://otel:4318'}}}, b: ",
            "5:15: OTEL_RESOURCE_ATTRIBUTES is set by serve.tracing, too: remove one of them",
        ),
        (
            "tracing: {endpoint: 'http://otel:4318'}",
            "a: {serve: {env: {OTEL_EXPORTER_OTLP_ENDPOINT: x}}}",
            "6:43: OTEL_EXPORTER_OTLP_ENDPOINT is set by serve.tracing, too: remove one of them",
        ),
    ],
)
def test_so_is_what_an_environment_cannot_change(
    tmp_path: Path, serve: str, environments: str, expected: str
) -> None:
    message = refused(tmp_path, f"serve: {{{serve}}}\ndeploy: {{environments: {{{environments}}}}}\n")
    assert message.startswith(f"model.yaml:{expected}")
    assert len(message.splitlines()) == 1


def test_an_address_of_ones_own_is_refused_beside_spans_in_the_only_environment(tmp_path: Path) -> None:
    serve = "env: {OTEL_EXPORTER_OTLP_ENDPOINT: x}, tracing: {endpoint: 'http://otel:4318'}"
    assert refused(tmp_path, f"serve: {{{serve}}}\n").startswith(
        "model.yaml:5:15: OTEL_EXPORTER_OTLP_ENDPOINT is set"
    )


def test_where_no_spans_are_sent_opentelemetrys_variables_are_the_users() -> None:
    serve = "env: {OTEL_RESOURCE_ATTRIBUTES: x}, tracing: {endpoint: 'http://otel:4318'}"
    text = model_yaml(f"serve: {{{serve}}}\ndeploy: {{environments: {{a: {{serve: {{tracing: }}}}}}}}\n")
    assert values(text) == {"a": {"OTEL_RESOURCE_ATTRIBUTES": "x"}}
    assert not list(variable_problems(ModelFile.model_validate(parse(text, "model.yaml").data)))


def test_what_the_overlay_itself_sets_is_refused() -> None:
    """Two patches with one name would be one variable, of which only the later counts."""
    config = copy.deepcopy(HARMLESS)
    config["serve"] |= {"strict": True, "batching": "off", "workers": 2}
    config["serve"]["rate_limit"] |= {"burst": 1, "proxies": 1}
    planned = plan_kubernetes(Model(ModelFile.model_validate(config), "."), {})
    (text, *_) = [text_of(one) for one in planned if one.path.endswith("tagship/deployment.yaml")]
    base = data_text("k8s/base/deployment.yaml")
    set_by_us = {
        entry["name"]
        for part in (text, base)
        for entry in parse(part, "x").data["spec"]["template"]["spec"]["containers"][0]["env"]
    }
    assert len(set_by_us) >= 10
    config["serve"]["env"] = dict.fromkeys(set_by_us, "x")
    problems = list(variable_problems(ModelFile.model_validate(config)))
    assert {path[-1] for path, _ in problems} == set_by_us


def refused(root: Path, more: str) -> str:
    with pytest.raises(InvalidInput) as caught:
        write(root, model_yaml(more))
    return str(caught.value)
