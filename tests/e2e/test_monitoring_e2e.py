"""A real Prometheus, the real server, the generated rules and dashboard: every query is answered with data."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from benchmarks.dashboard.load import Phase, send
from benchmarks.dashboard.prometheus import Prometheus, board_of, scraping
from generator.config.workspace import load
from tests import parts
from tests.generator.workspaces import model_yaml, write
from tests.inference.conftest import saved, wait_until
from tests.inference.process import is_ready, served
from tests.templates.manifests import Object, build, generate, release_all

pytestmark = pytest.mark.e2e
__all__ = ["saved"]  # a fixture

CREATED = "2020-01-31T12:00:00Z"


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> list[Object]:
    parts.need_kustomize()
    root = tmp_path_factory.mktemp("repository")
    write(root, model_yaml("serve: {monitoring: true}\n"))
    generate(root)
    release_all(root)
    return build(root, load(root).model(None), "production")


@pytest.fixture(scope="module")
def asked(
    objects: list[Object], saved: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """One server is one process, the other two; both were asked for good and bad things, and for too much."""
    parts.need_promtool()
    scratch = tmp_path_factory.mktemp("prometheus")
    release = scratch / "release.json"
    release.write_text(json.dumps({"name": "churn", "version": "1.2.3", "created": CREATED}))
    told = {"TAGSHIP_RELEASE": str(release), "TAGSHIP_MAX_QUEUE": "4", "TMPDIR": str(scratch)}
    with ExitStack() as stack:
        ports = {
            name: stack.enter_context(served(saved("moody"), log=subprocess.DEVNULL, **told, **more))[1]
            for name, more in (("a", {}), ("b", {"TAGSHIP_WORKERS": "2"}))
        }
        for port in ports.values():
            wait_until(lambda port=port: is_ready(port))
        prometheus = stack.enter_context(scraping(objects, ports, scratch))
        wait_until(lambda: len(prometheus.now("up == 1")) == 2)
        moods = ("sleep 0.05", "break", "value", "text")
        send([*ports.values()], [Phase(5, 16, 0.01, moods)])
        yield prometheus


def test_every_panel_has_data(objects: list[Object], asked: Prometheus) -> None:
    for panel in board_of(objects)["panels"]:
        for target in panel["targets"]:
            assert ever(asked, target["expr"]), f"{panel['title']}: {target['expr']}"


def test_every_rule_is_evaluated_and_has_something_to_compare(objects: list[Object], asked: Prometheus) -> None:
    (rules,) = [item["spec"]["groups"][0]["rules"] for item in objects if item["kind"] == "PrometheusRule"]
    for rule in rules:
        compared = re.sub(r" (>=|>|<) [\d.]+$", "", rule["expr"])
        compared = re.sub(r"^absent\(", "count(", compared)
        assert compared != rule["expr"]
        assert ever(asked, compared), f"{rule['alert']}: {compared}"
    assert {rule["name"] for rule in asked.rules()} == {rule["alert"] for rule in rules}
    wait_until(lambda: {rule["health"] for rule in asked.rules()} == {"ok"})
    assert {rule.get("lastError") for rule in asked.rules()} == {None}
    # What was done to it is seen; what was not, is not: but for a scrape that came too late on a busy machine.
    wait_until(lambda: waiting(asked) >= {"ModelErrors", "ModelRefuses", "ModelOld"})
    wait_until(lambda: not waiting(asked) & {"ModelDown", "ModelPodsMissing", "ModelRestarts"})
    assert waiting(asked) >= {"ModelErrors", "ModelRefuses", "ModelOld"}


def test_the_operators_labels_do_not_hide_the_servers(asked: Prometheus) -> None:
    series = since_its_start(asked, "sum by (endpoint) (prediction_requests_total)")
    assert {one["metric"]["endpoint"] for one in series} == {"predict", "invocations", "v2"}


def test_the_models_age_is_that_of_its_training(asked: Prometheus) -> None:
    assert {*ever(asked, "model_created_timestamp_seconds")} == {1580472000.0}


def waiting(asked: Prometheus) -> set[str]:
    """The rules whose condition holds, not yet for long enough."""
    return {rule["name"] for rule in asked.rules() if rule["state"] == "pending"}


def since_its_start(asked: Prometheus, query: str) -> list[Any]:
    """What a query gave at any time: a figure of the last ten seconds is none when those are over."""
    now = time.time()
    return asked.over(query, now - 1800, now, 1)


def ever(asked: Prometheus, query: str) -> list[float]:
    """The values that were numbers."""
    found = [float(value) for one in since_its_start(asked, query) for _, value in one["values"]]
    return [value for value in found if value == value]
