"""Alerts and dashboards: each alert fires where it should and not just below, for its own model alone."""

from __future__ import annotations

import json
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.config.alerts import BUCKETS, Alerts
from generator.config.load import load_model
from generator.config.model import Model
from generator.config.workspace import load
from generator.errors import InvalidInput
from generator.plan.alerts import RULES
from generator.plan.runbook import section
from generator.plan.dashboard import PANELS
from inference.observability.metrics import Metrics
from tests import parts
from tests.generator.workspaces import model_yaml, write, write_many
from tests.templates.manifests import Object, build, generate, release_all

ROOT = Path(__file__).parents[2]
TABLE: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "tests/data/alerts.yaml").read_text())
INSTALL = "git+https://github.com/acme/tagship@0123456789abcdef0123456789abcdef01234567"
WATCHED = f"serve: {{monitoring: true}}\npipeline: {{install: '{INSTALL}'}}\n"
OWN = {"namespace": "churn", "service": "churn-inference"}
NEIGHBOURS = ({**OWN, "namespace": "churn-eu"}, {**OWN, "service": "churn-eu-inference"})


def made(root: Path, text: str, environment: str = "production") -> tuple[Model, Path]:
    """A released model, and its overlay's tagship/."""
    (model,) = write(root, text)
    generate(root)
    release_all(root)
    return model, root / model.overlay(environment) / "tagship"


def rules_in(folder: Path) -> list[Object]:
    (group,) = yaml.safe_load((folder / "alerts.yaml").read_text())["spec"]["groups"]
    return list(group["rules"])


def panels_in(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "dashboard.json").read_text()))


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("released"), model_yaml(WATCHED))[1]


@pytest.fixture(scope="module")
def rules(released: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As the Prometheus operator gives them to a Prometheus."""
    path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load((released / "alerts.yaml").read_text())["spec"]))
    return path


def promtool(*arguments: str | Path) -> str:
    ended = subprocess.run([parts.need_promtool(), *arguments], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_promtool_finds_nothing_to_say_of_the_rules(rules: Path) -> None:
    assert f"SUCCESS: {len(RULES)} rules found" in promtool("check", "rules", "--lint=all", "--lint-fatal", rules)


def test_each_alert_has_its_cases() -> None:
    assert list(TABLE) == [rule.name for rule in RULES]


@pytest.mark.parametrize("name", TABLE)
def test_an_alert_fires_for_its_own_model_alone(name: str, released: Path, rules: Path, tmp_path: Path) -> None:
    case = TABLE[name]
    (rule,) = [rule for rule in rules_in(released) if rule["alert"] == name]
    wait = int(rule["for"].removesuffix("m").replace("1h", "60"))
    assert "{{" not in rule["annotations"]["summary"]
    fired = {
        "exp_labels": {**rule["labels"], **case.get("labels", {})},
        "exp_annotations": {**rule["annotations"], "description": case["says"]},
    }
    # The neighbours are as we are not: neither hides an alert, nor raises one.
    tests = [
        {
            "interval": "1m",
            "input_series": [
                *series(case[ours], OWN),
                *(one for labels in NEIGHBOURS for one in series(case[theirs], labels)),
            ],
            "alert_rule_test": [
                *([{"eval_time": f"{wait - 1}m", "alertname": name, "exp_alerts": []}] if wait else []),
                {"eval_time": f"{wait + 6}m", "alertname": name, "exp_alerts": [fired] if ours == "fires" else []},
            ],
        }
        for ours, theirs in (("fires", "quiet"), ("quiet", "fires"))
    ]
    path = tmp_path / "test.yaml"
    path.write_text(yaml.safe_dump({"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": tests}))
    promtool("test", "rules", path)


def series(values: dict[str, str], labels: dict[str, str]) -> list[dict[str, str]]:
    found = []
    for key, samples in values.items():
        name, _, more = key.rstrip("}").partition("{")
        own = [f'{label}="{value}"' for label, value in labels.items()]
        own += [more] if more else []
        own += [] if 'pod="' in more else ['pod="a"']
        found.append({"series": f"{name}{{{','.join(own)}}}", "values": samples})
    return found


@cache
def runbook() -> list[str]:
    return re.findall(r"^## (.+)$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE)


def test_each_alert_leads_to_its_section(released: Path) -> None:
    page = "https://github.com/acme/tagship/blob/0123456789abcdef0123456789abcdef01234567/docs/runbook.md"
    anchors = {section.lower() for section in runbook()}
    for rule in rules_in(released):
        address, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert address == page
        assert anchor in anchors, f"docs/runbook.md has no section {rule['alert']}"


@pytest.mark.parametrize(
    ("install", "where"),
    [
        (f"git+https://github.com/acme/tagship@{'a' * 40}",
         f"https://github.com/acme/tagship/blob/{'a' * 40}/docs/runbook.md#crash-loop"),
        (".", "runbook: crash-loop"),
    ],
)  # fmt: skip
def test_a_failed_rollout_names_its_section_where_a_person_can_read_it(
    tmp_path: Path, install: str, where: str
) -> None:
    write(tmp_path, model_yaml(f"pipeline: {{install: '{install}'}}\n"))
    model = load(tmp_path).model(None)
    assert (section(model, "crash-loop"), section(model, None)) == (f" ({where})", "")


def test_the_runbook_knows_no_alert_that_is_not_there() -> None:
    sections = [section for section in runbook() if section.startswith("Model")]
    assert sections == [rule.name for rule in RULES]


@pytest.mark.parametrize(
    ("more", "address"),
    [
        ("pipeline: {install: .}\nrepository: {url: 'ssh://git@github.com/acme/churn.git', branch: trunk}\n",
         "https://github.com/acme/churn/blob/trunk/docs/runbook.md"),
        ("pipeline: {install: ./tools/tagship}\nrepository: {url: 'https://github.com/acme/churn'}\n",
         "https://github.com/acme/churn/blob/main/tools/tagship/docs/runbook.md"),
        ("pipeline: {install: ../tagship}\nrepository: {url: 'https://github.com/acme/churn'}\n", None),
        ("pipeline: {install: .}\n", None),
        ("", None),
    ],
)  # fmt: skip
def test_where_the_runbook_is(more: str, address: str | None, tmp_path: Path) -> None:
    _, folder = made(tmp_path, model_yaml("serve: {monitoring: true}\n" + more))
    found = {rule["annotations"].get("runbook_url", "#").partition("#")[0] for rule in rules_in(folder)}
    assert found == {address or ""}


def test_thresholds_are_an_environments_own(tmp_path: Path) -> None:
    more = """\
serve: {monitoring: true, replicas: 3, alerts: {latency: 0.25, errors: 0.001, queue: 7, age: null}}
deploy:
  environments:
    staging: {serve: {replicas: 1, alerts: {latency: 2.5, busy: null, runbook: "https://wiki.example.com/churn"}}}
    production: {serve: {autoscaling: {min: 4}, alerts: {age: 30d}}}
"""
    model, production = made(tmp_path, model_yaml(more))
    staging = tmp_path / model.overlay("staging") / "tagship"
    limits = [
        {rule["alert"]: re.sub(r"(?s).*(?:>=|>|<) ", "", rule["expr"]) for rule in rules_in(folder)}
        for folder in (staging, production)
    ]
    for found in limits:
        assert found.pop("ModelDown").startswith("absent(")
    assert limits[0] == {
        "ModelErrors": "0.001", "ModelSlow": "2.5", "ModelRefuses": "0.01",
        "ModelQueue": "7", "ModelRestarts": "3",
    }  # fmt: skip
    assert limits[1] == {
        "ModelPodsMissing": "4", "ModelErrors": "0.001", "ModelSlow": "0.25", "ModelRefuses": "0.01",
        "ModelQueue": "7", "ModelBusy": "0.9", "ModelRestarts": "3", "ModelOld": str(30 * 86_400),
    }  # fmt: skip
    (link,) = {rule["annotations"]["runbook_url"].partition("#")[0] for rule in rules_in(staging)}
    assert link == "https://wiki.example.com/churn"


def test_a_latency_is_where_a_bucket_of_the_server_ends() -> None:
    """Elsewhere a quantile is a guess, and the alert may fire on a healthy service."""
    metrics = Metrics()
    metrics.latency.labels("predict").observe(0.1)
    samples = [sample for metric in metrics.registry.collect() for sample in metric.samples]
    of_predict = {"name": "prediction_latency_seconds_bucket", "endpoint": "predict"}
    ends = [one.labels["le"] for one in samples if {"name": one.name, **one.labels}.items() >= of_predict.items()]
    assert ends == [*(str(end) for end in BUCKETS), "30.0", "+Inf"]


@pytest.mark.parametrize(
    ("alerts", "message"),
    [
        ("{latency: 30}", "must be one of 0.001, 0.0025,"),
        ("{latency: 0.2}", "0.1, 0.25, 0.5, 1, 2.5, 5, 10: so the server counts"),
        ("{errors: 5}", "less than 1"),
        ("{age: 90}", "must be text"),
        ("{age: 3m}", "a number of days such as 90d"),
        ("{queue: 1.5}", "must be a whole number"),
        ("{p99: 1}", "unknown key 'p99'"),
        ('{runbook: "javascript:alert(1)"}', "http(s):// address"),
    ],
)
def test_a_threshold_that_cannot_be_is_refused(alerts: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "model.yaml"
    for place in ("serve: {alerts: %s}\n", "deploy: {environments: {live: {serve: {alerts: %s}}}}\n"):
        path.write_text(model_yaml(place % alerts))
        with pytest.raises(InvalidInput) as caught:
            load_model(path, "model.yaml")
        assert message in str(caught.value)


def test_what_the_page_shows_works(tmp_path: Path) -> None:
    parts.need_kustomize()
    page = (ROOT / "docs/monitoring.md").read_text()
    smallest, more, patches = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    write(tmp_path, model_yaml(smallest))
    (model,) = write(tmp_path, model_yaml(more))
    ages = [target.serve.alerts.age for target in model.targets]
    assert ages == [None, "30d"]
    generate(tmp_path)
    release_all(tmp_path)
    overlay = tmp_path / model.overlay("production")
    with (overlay / "kustomization.yaml").open("a") as file:
        file.write(patches)
    objects = build(tmp_path, model, "production")
    labelled = {item["kind"] for item in objects if "release" in item["metadata"]["labels"]}
    assert labelled == {"ServiceMonitor", "PrometheusRule"}


def test_the_page_lists_each_alert_with_its_default() -> None:
    page = (ROOT / "docs/monitoring.md").read_text()
    rows = re.findall(r"^\| \[(\w+)\]\(runbook.md#(\w+)\) \| (\w+) \| (.*?) \| (.*?) ?\|$", page, re.MULTILINE)
    assert [(name, severity) for name, _, severity, _, _ in rows] == [(rule.name, rule.severity) for rule in RULES]
    for (name, anchor, _, threshold, default), rule in zip(rows, RULES, strict=True):
        assert anchor == name.lower()
        if rule.limit in Alerts.model_fields:
            assert threshold.startswith(f"`{rule.limit}`:")
            assert default == f"`{Alerts.model_fields[rule.limit].default}`"


def test_nothing_is_missed_before_the_first_release(tmp_path: Path) -> None:
    (model,) = write(tmp_path, model_yaml(WATCHED))
    generate(tmp_path)
    folder = tmp_path / model.overlay("production") / "tagship"
    assert (folder / "dashboard.json").is_file()
    assert not (folder / "alerts.yaml").exists()


def test_models_and_environments_stay_apart(tmp_path: Path) -> None:
    shared = "deploy: {environments: {staging: {namespace: ml}, production: {namespace: live}}}\n"
    watched = "serve: {monitoring: true}\n"
    write_many(tmp_path, {"churn": watched, "churn-eu": watched}, shared)
    generate(tmp_path)
    release_all(tmp_path)
    found = []
    for model in load(tmp_path):
        for target in model.targets:
            folder = tmp_path / model.overlay(target.name) / "tagship"
            text = (folder / "alerts.yaml").read_text()
            (group,) = yaml.safe_load(text)["spec"]["groups"]
            (config,) = yaml.safe_load((folder / "kustomization.yaml").read_text())["configMapGenerator"]
            (file,) = config["files"]
            own = f'namespace="{target.namespace}",service="{model.name}-inference"'
            board = panels_in(folder)
            queries = [query["expr"] for panel in board["panels"] for query in panel["targets"]]
            for expression in [*(rule["expr"] for rule in group["rules"]), *queries]:
                picked = re.findall(r"\{(.*?)\}", expression)
                assert picked
                assert all(one.startswith(own) for one in picked), expression
            assert all(rule["labels"]["namespace"] == target.namespace for rule in group["rules"])
            found.append((group["name"], file, board["uid"], board["title"]))
    assert all(len(set(names)) == 4 for names in zip(*found, strict=True)), found


def test_a_dashboard_is_one_grafana_can_read(released: Path) -> None:
    board = panels_in(released)
    assert len(board["uid"]) <= 40
    assert [panel["title"] for panel in board["panels"]] == [panel.title for panel in PANELS]
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(x + place["x"], y + place["y"]) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, f"{panel['title']} lies on another panel"
        taken |= cells
    # Flux would replace ${…} with its own variables.
    assert "${" not in (released / "dashboard.json").read_text() + (released / "alerts.yaml").read_text()
