"""The serving benchmark: what it reads, judges and draws; and one small run of our own server."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.serving import __main__ as command
from benchmarks.serving import chart, client, compare, environments, process, report, soak
from benchmarks.serving.cases import CASES, MODELS, Case
from benchmarks.serving.compare import Plan
from benchmarks.serving.contenders import CONTENDERS, MLFLOW, NULL, ONNX, OURS
from benchmarks.serving.process import Failed
from benchmarks.serving.targets import TARGETS, verdicts
from tests import environments as training
from tests import parts

WRK = """Running 1s test @ http://127.0.0.1:40001/invocations
  1 threads and 8 connections
  4012 requests in 2.00s, 1.02MB read

RESULT {"requests": 4012, "microseconds": 2000000, "p50": 14665, "p99": 79069, "max": 187033, "refused": 12, "broken": 3}
"""


def result(**speeds: float) -> dict[str, Any]:
    """A run in which every case has the same speed, by the contender's name."""
    rows = [
        {
            "model": model,
            "contender": one.name,
            "start_seconds": 8.0 if one.name == MLFLOW else 2.0,
            "memory_mb": 200.0,
            "cases": {
                case.name: {"per_second": speeds[one.name], "p50_ms": 1.24, "p99_ms": 25.0, "samples": []}
                for case in CASES
            },
            "failure": None,
        }
        for model in MODELS
        for one in CONTENDERS
        if one.name in speeds and model in one.models
    ]
    plan = {"rounds": 3, "seconds": 2, "cases": []}
    return {"date": "2026-01-31", "machine": "2 cores", "versions": ["mlflow 3"], "plan": plan, "rows": rows}


def test_wrk_s_figures() -> None:
    found = client.figures(WRK)
    assert (found.per_second, found.refused, found.broken) == (2000, 12, 3)  # a refusal is no answer
    assert (found.p50, found.p99, found.longest) == (14.665, 79.069, 187.033)


def test_wrk_that_prints_nothing_is_a_failure() -> None:
    with pytest.raises(Failed, match="wrk printed no result: unable to connect"):
        client.figures("unable to connect")


def test_each_contender_s_request_and_answer() -> None:
    answers: dict[str, Any] = {
        "mlserver": {"outputs": [{"name": "predict", "data": [1, 0]}]},
        "bentoml": [1, 0],
        "bentoml batching": [1, 0],
        "litserve": {"output": [1, 0]},
        "litserve batching": {"output": [1, 0]},
    }
    for one in CONTENDERS:
        assert one.labels(answers.get(one.name, {"predictions": [1, 0]})) == [1, 0], one.name
        with pytest.raises((LookupError, TypeError)):
            one.labels({"error": "nothing"})[0]
        body = json.dumps(one.body([[0.5, 1.5], [2.5, 3.5]], ["a", "b"]))
        assert all(value in body for value in ("0.5", "1.5", "2.5", "3.5")), one.name


def test_what_each_contender_installs_is_pinned() -> None:
    assert {one.environment for one in CONTENDERS} == set(environments.PINS)
    assert all("==" in pin for pins in environments.PINS.values() for pin in pins)
    assert "uvicorn" in " ".join(environments.requirements("tagship"))


def test_targets_are_judged_from_one_run() -> None:
    run = result(**{MLFLOW: 10, "litserve": 50, "litserve batching": 100, OURS: 240, NULL: 480, "bentoml": 120})
    found = {one.target: one for one in verdicts(run["rows"])}
    assert len(found) == len(TARGETS)
    assert found["forest, 1 row, 64 clients: throughput of mlflow's"].met is False
    assert found["forest, 1 row, 64 clients: throughput of mlflow's"].measured == "24x"
    assert found["forest, 1 row, 64 clients: throughput of the null model's"].met is True
    # the better of a peer's two ways counts
    assert found["linear, 1 row, 64 clients: throughput of litserve's"].measured == "2.4x"
    assert found["linear, 1 row, 64 clients: throughput of litserve's"].met is False
    assert found["start to first prediction, of mlflow's"].measured == "0.25x"
    assert found["resident memory with ONNX"].met is None


def test_a_run_without_mlflow_judges_nothing_by_it() -> None:
    found = verdicts(result(**{OURS: 240})["rows"])
    assert {one.met for one in found if "mlflow" in one.target} == {None}


def test_the_page_s_section_has_every_figure() -> None:
    run = result(**{MLFLOW: 10, OURS: 240})
    run["rows"][0]["failure"] = "no right answer"
    text = report.section(run)
    assert "| tagship | 240 (24x) | 240 (24x) | 240 (24x) | 240 (24x) | 200 | 2.0 |" in text
    assert "| tagship | 1.2 / 25 |" in text
    assert "**not met**" in text
    assert "Failed in this run: mlflow (forest)." in text


def test_a_section_goes_between_its_comments_alone() -> None:
    page = "a\n<!-- serving -->\nold\n<!-- /serving -->\nb\n"
    assert report.insert(page, "serving", "new \\1") == "a\n<!-- serving -->\nnew \\1\n<!-- /serving -->\nb\n"
    with pytest.raises(ValueError, match="no place for soak"):
        report.insert(page, "soak", "new")


def test_the_chart_has_a_bar_for_each_figure_and_its_length_is_the_speed() -> None:
    run = result(**{MLFLOW: 100, ONNX: 300, NULL: 400})
    picture = ElementTree.fromstring(chart.draw(run))
    bars = [float(one.get("width", "")) for one in picture if one.tag.endswith("rect")][1:]  # after the ground
    assert len(bars) == 3 * 3 * len(MODELS)
    assert bars[0] * 3 == pytest.approx(bars[1], rel=0.01)
    words = [one.text for one in picture if one.tag.endswith("text")]
    assert words.count("300/s · 3.0x") == 3 * len(MODELS)


def test_a_model_without_figures_gets_no_panel() -> None:
    run = result(**{MLFLOW: 100})
    run["rows"] = [row for row in run["rows"] if row["model"] == "linear"]
    assert "Random forest" not in chart.draw(run)


def test_pages_are_those_of_the_kept_result() -> None:
    run = json.loads(command.RESULT.read_text())
    assert command.CHART.read_text() == chart.draw(run), "run `python -m benchmarks.serving --docs`"
    assert report.section(run) in command.PAGE.read_text(), "run `python -m benchmarks.serving --docs`"
    kept = json.loads(soak.RESULT.read_text())
    assert soak.section(kept) in command.PAGE.read_text(), "run `python -m benchmarks.serving.soak --docs`"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--peers", "torchserve"], "'torchserve' is none of: mlflow, mlserver, "),
        (["--cases", "2x2"], "'2x2' is none of: 1x1, 1x8, 1x64, 1000x8"),
        (["--models", "tree"], "'tree' is none of: forest, linear"),
    ],
)
def test_wrong_options_are_one_line(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(arguments) == 1
    assert capsys.readouterr().err.startswith(says)


def test_memory_and_end_of_a_server_with_children(tmp_path: Path) -> None:
    """The child would outlive its parent, and counts."""
    need_cores()
    script = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
    python = sys.executable
    with process.running([python, "-c", script], {}, tmp_path, process.cores()[0]) as server:
        server.wait(lambda: len(server.pids) == 2)
        child = server.pids[1]
        assert server.memory() > 5
    stat = Path(f"/proc/{child}/stat")
    assert not stat.exists() or stat.read_text().split()[2] == "Z"


def test_a_server_that_ends_says_why(tmp_path: Path) -> None:
    need_cores()
    script = [sys.executable, "-c", "raise SystemExit('no model here')"]
    with (
        process.running(script, {}, tmp_path, process.cores()[0]) as server,
        pytest.raises(Failed, match="it ended with code 1: no model here"),
    ):
        server.wait(lambda: False)


def need_cores() -> tuple[int, int]:
    parts.need_program("taskset", "apt-get install util-linux")
    try:
        return process.cores()
    except Failed as reason:
        parts.absent("a second core", str(reason))
        raise


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The benchmark's own models with few trees, logged by real MLflow."""
    folder = tmp_path_factory.mktemp("models")
    script = Path(compare.__file__).with_name("train.py")
    subprocess.run(
        [training.environment("mlflow3"), script, folder, "3"], cwd=folder, check=True, capture_output=True
    )
    return folder


def this_python(_name: str) -> Path:
    return Path(sys.executable)


def test_our_server_is_driven_and_a_contender_that_fails_is_reported(trained: Path) -> None:
    parts.need_program("wrk", "apt-get install wrk")
    ours, null = (next(one for one in CONTENDERS if one.name == name) for name in (OURS, NULL))
    broken = replace(ours, name="broken", command=lambda _: [sys.executable, "-c", "raise SystemExit('no')"])
    plan = Plan((broken, ours, null), ["forest"], (Case(1, 8),), need_cores(), rounds=1, seconds=1)
    found = compare.run(plan, trained, this_python, lambda _: None)
    assert found["forest", "broken"].failure == "it ended with code 1: no"
    rows = {row["contender"]: row for row in compare.summary(found)}
    for name in (OURS, NULL):
        assert rows[name]["failure"] is None
        assert rows[name]["cases"]["1 row, 8 clients"]["per_second"] > 0
        assert rows[name]["memory_mb"] > 10
        assert rows[name]["start_seconds"] > 0


def test_a_wrong_answer_is_a_failure(trained: Path, tmp_path: Path) -> None:
    ours = next(one for one in CONTENDERS if one.name == OURS)
    data = json.loads((trained / "data.json").read_text())
    questions = compare.Sent(data, "forest", ours).questions(1)
    place = compare.Place(Path(sys.executable), trained / "forest", process.free_port(), tmp_path)
    with process.running(ours.command(place), ours.variables(place), tmp_path, need_cores()[0]) as server:
        address = client.Address(place.port, ours.path, ours.labels)
        server.wait(lambda: address.is_right(questions[0]))
        address.check_all(questions)
        other = replace(questions[0], labels=[1 - questions[0].labels[0]])
        with pytest.raises(Failed, match="a wrong answer"):
            address.check_all([*questions, other])
        with pytest.raises(Failed, match="HTTP 400"):
            address.check_all([replace(questions[0], body=b"{}")])


def test_a_short_soak(trained: Path) -> None:
    parts.need_program("wrk", "apt-get install wrk")
    plan = soak.Soak("linear", 2, 40, need_cores(), capacity_seconds=1)
    found = soak.measure(plan, trained, this_python, lambda _: None)
    assert found["statuses"]["200"] > 0
    assert not (found["wrong"] or found["broken"] or found["without_retry_after"])
    assert "capacity" in soak.section(found)
