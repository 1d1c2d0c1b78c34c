"""The gate: thresholds, the champion, and all failures at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from generator.artifacts import Golden, TrainedModel
from generator.config.model import Model
from generator.ledger import Entry, Ledger
from generator.release import Release
from generator.stages.gate import GateFailed, gate
from generator.store import Store
from generator.version import Version
from tests.generator import workspaces
from tests.generator.trainings import Told

COMMIT = "0" * 40
ACCURACY = "gate:\n  metrics: {accuracy: {min: 0.8}}\n"
BOTH = "gate:\n  metrics: {accuracy: {min: 0.8}, rmse: {max: 3.0}}\n"


def release_of(root: Path, more: str) -> Release:
    model: Model = workspaces.write(root, workspaces.model_yaml(more)).models[0]
    store = Store(root / ".tagship" / "churn-1.2.3")
    return Release(model, Version("1.2.3"), COMMIT, root, store, "1", "ada")


def trained_with(**metrics: Any) -> TrainedModel:
    return TrainedModel(
        name="churn",
        version="1.2.3",
        commit=COMMIT,
        run_id="run1",
        attempt="1",
        tracking_uri="embedded",
        experiment="churn",
        model_name="model",
        model_uri="models:/m-1",
        flavors=("sklearn",),
        metrics=metrics,
        params={},
        mlflow_version="3.13.0",
        python="3.11",
        model_sha256="a" * 64,
        lock_sha256="b" * 64,
        golden=Golden(source="none", rows=0),
        trained_at="2026-01-31T12:00:00Z",
        seconds=1.0,
    )


def ledger_with(version: str | None = None, **metrics: Any) -> Ledger:
    ledger = Ledger(model="churn", environment="production")
    if version is None:
        return ledger
    entry = Entry(
        version=version,
        digest="sha256:" + "c" * 64,
        run="run0",
        commit=COMMIT,
        metrics=metrics,
        at="2026-01-01T12:00:00Z",
        by="ada",
    )
    return ledger.with_release(entry)


def run(root: Path, more: str, trained: TrainedModel, ledger: Ledger | None = None) -> tuple[Any, Told]:
    told, release = Told(), release_of(root, more)
    return gate(release, trained, ledger or ledger_with(), told), told


def failures(root: Path, more: str, trained: TrainedModel, ledger: Ledger | None = None) -> str:
    with pytest.raises(GateFailed) as caught:
        run(root, more, trained, ledger)
    return str(caught.value)


def test_thresholds_that_are_met(tmp_path: Path) -> None:
    report, told = run(tmp_path, BOTH, trained_with(accuracy=0.8, rmse=3.0))
    assert [(check.metric, check.kind, check.bound) for check in report.checks] == [
        ("accuracy", "min", 0.8),
        ("rmse", "max", 3.0),
    ]
    assert report.run_id == "run1"
    assert "accuracy 0.8 >= 0.8" in told.said
    assert "production has no release yet, so there is no champion to compare with" in told.said


def test_all_failures_at_once_with_their_values(tmp_path: Path) -> None:
    message = failures(tmp_path, BOTH, trained_with(accuracy=0.7, rmse=4))
    assert "churn-1.2.3 does not pass the gate of production" in message
    assert "accuracy is 0.7, below the minimum 0.8 of gate.metrics.accuracy.min in model.yaml" in message
    assert "rmse is 4, above the maximum 3 of gate.metrics.rmse.max in model.yaml" in message


def test_a_missing_metric_lists_those_that_were_logged(tmp_path: Path) -> None:
    message = failures(tmp_path, ACCURACY, trained_with(acc=0.9, loss=0.1))
    assert "accuracy was not logged (logged: acc, loss): add mlflow.log_metric('accuracy', …)" in message


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_finite_number_never_passes(tmp_path: Path, value: str) -> None:
    assert f"accuracy is {value}, which passes no gate" in failures(
        tmp_path, ACCURACY, trained_with(accuracy=value)
    )


def test_without_thresholds_every_model_passes(tmp_path: Path) -> None:
    report, told = run(tmp_path, "", trained_with(), ledger_with("1.0.0", accuracy=1.0))
    assert report.checks == ()
    assert told.said == ["no thresholds in gate.metrics: every model passes"]


def test_worse_than_the_champion(tmp_path: Path) -> None:
    message = failures(tmp_path, ACCURACY, trained_with(accuracy=0.85), ledger_with("1.2.0", accuracy=0.9))
    assert "accuracy is 0.85, lower than 0.9 of 1.2.0, which serves now (tolerance 0)" in message


def test_as_good_as_the_champion(tmp_path: Path) -> None:
    report, told = run(tmp_path, ACCURACY, trained_with(accuracy=0.9), ledger_with("1.2.0", accuracy=0.9))
    assert report.champion == "1.2.0"
    assert [check.kind for check in report.checks] == ["min", "champion-min"]
    assert "accuracy 0.9 >= the champion's 0.9" in told.said


def test_lower_is_better_where_the_threshold_is_a_maximum(tmp_path: Path) -> None:
    more = "gate:\n  metrics: {rmse: {max: 3.0}}\n"
    assert "rmse is 2.5, higher than 2 of 1.2.0" in failures(
        tmp_path, more, trained_with(rmse=2.5), ledger_with("1.2.0", rmse=2.0)
    )
    report, _ = run(tmp_path, more, trained_with(rmse=1.9), ledger_with("1.2.0", rmse=2.0))
    assert report.checks[-1].kind == "champion-max"


def test_tolerance_is_absolute(tmp_path: Path) -> None:
    more = f"{ACCURACY}  champion: {{tolerance: 0.05}}\n"
    report, _ = run(tmp_path, more, trained_with(accuracy=0.86), ledger_with("1.2.0", accuracy=0.9))
    assert report.checks[-1].bound == pytest.approx(0.85)
    assert "tolerance 0.05" in failures(
        tmp_path, more, trained_with(accuracy=0.84), ledger_with("1.2.0", accuracy=0.9)
    )


def test_the_champions_metric_can_be_chosen(tmp_path: Path) -> None:
    more = f"{BOTH}  champion: {{metric: rmse}}\n"
    trained = trained_with(accuracy=0.85, rmse=2.5)
    report, _ = run(tmp_path, more, trained, ledger_with("1.2.0", accuracy=0.9, rmse=2.6))
    assert report.checks[-1].metric == "rmse"


@pytest.mark.parametrize("theirs", [{}, {"accuracy": "NaN"}])
def test_a_champion_without_the_metric_is_passed_over_and_that_is_said(
    tmp_path: Path, theirs: dict[str, Any]
) -> None:
    report, told = run(tmp_path, ACCURACY, trained_with(accuracy=0.8), ledger_with("1.2.0", **theirs))
    assert [check.kind for check in report.checks] == ["min"]
    assert "the champion 1.2.0 has no usable accuracy in the ledger: not compared" in told.said


def test_a_release_is_not_its_own_champion(tmp_path: Path) -> None:
    """The stage again, after the deploy: a model that was trained twice must not lose to itself."""
    report, _ = run(tmp_path, ACCURACY, trained_with(accuracy=0.85), ledger_with("1.2.3", accuracy=0.9))
    assert [check.kind for check in report.checks] == ["min"]
