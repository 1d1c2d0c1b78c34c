"""Retraining against a real bare repository: other data is released as the next patch version, the same is not."""

from __future__ import annotations

import subprocess
import textwrap
from pathlib import Path

import pytest

from generator.adapters.git import GitRepository
from generator.artifacts import Golden, OverlayCommit, Record, TrainedModel
from generator.config.workspace import load
from generator.retraining import last_release, no_release, train_again
from generator.stages.deploy import deploy
from generator.store import Store
from generator.training.lock import lock_text
from generator.wiring import World
from tests.environments import environment
from tests.generator.repositories import commit_all, git
from tests.generator.test_cli import generator
from tests.generator.test_promotion import Stages
from tests.generator.trainings import QUICK, SharedEnvironments, Told

OLD, NEW = "1" * 64, "2" * 64
SCRIPT = """\
import os
import mlflow
import pandas as pd
from sklearn.tree import DecisionTreeClassifier

rows = pd.DataFrame({"a": [0.0, 1.0]})
with mlflow.start_run():
    mlflow.log_input(mlflow.data.from_pandas(rows, name="rows", digest="5d08"), "training")
    mlflow.log_metric("accuracy", 0.9)
    mlflow.sklearn.log_model(DecisionTreeClassifier().fit(rows, [0, 1]), name="model", pip_requirements=["scikit-learn"])
"""


class Running(Stages):
    """A model whose releases log a data hash, and that pushes with an App's token."""

    MORE = (
        "gate: {metrics: {accuracy: {min: 0.5}}}\nretrain: {schedule: '0 3 * * 1'}\n"
        "deploy: {push: {mode: app}, environments: {staging: {}, production: {}}}\n"
    )

    def released(self, version: str, digit: str, data: str | None = OLD) -> OverlayCommit:
        git(self.root, "tag", f"v{version}", self.commit)
        git(self.root, "push", "--quiet", "origin", f"v{version}")
        record = Record(run_id="1" * 32, metrics={"accuracy": 0.9}, data_sha256=data)
        published = self.published(version, digit, record=record)
        done = deploy(self.release(version), published, self.FIRST, self.deployer())
        git(self.root, "fetch", "--quiet", "origin")
        return done

    def trained(self, data: str | None = NEW, **other: object) -> Path:
        """What the training job hands on."""
        values = {
            "name": "churn", "version": "1.0.1-retrain", "commit": self.commit, "run_id": "2" * 32, "attempt": "1",
            "tracking_uri": "sqlite:///x", "experiment": "churn", "model_name": "model", "model_uri": "runs:/x/model",
            "flavors": ("sklearn",), "metrics": {"accuracy": 0.91}, "params": {}, "mlflow_version": "3.5.0",
            "python": "3.11", "model_sha256": "a" * 64, "lock_sha256": "b" * 64, "data_sha256": data,
            "golden": Golden(source="none", rows=0), "trained_at": "2026-11-21T10:00:00Z", "seconds": 1.0,
        }  # fmt: skip
        folder = self.folder / "handed"
        folder.mkdir(exist_ok=True)
        Store(folder).write("train", TrainedModel.model_validate(values | other))
        return folder

    def compare(self, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
        return generator("retrain", "--compare", str(folder), cwd=self.root, **more)

    def tags(self) -> list[str]:
        return git(self.bare, "tag", "--list").splitlines()


class WithoutApp(Running):
    MORE = "retrain: {}\ndeploy: {environments: {staging: {}}}\n"


@pytest.fixture
def scene(tmp_path: Path) -> Running:
    return Running(tmp_path)


def test_other_data_is_the_next_patch_version_of_the_same_commit(scene: Running) -> None:
    scene.released("1.0.0", "a")
    summary = scene.folder / "summary.md"
    done = scene.compare(scene.trained(), GITHUB_STEP_SUMMARY=str(summary))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "1.0.0 was trained on other data: pushed v1.0.1"
    assert "pushed v1.0.1" in summary.read_text()
    assert scene.tags() == ["v1.0.0", "v1.0.1"]
    assert git(scene.bare, "rev-parse", "v1.0.1^{commit}") == scene.commit
    late = scene.compare(scene.trained())
    assert (late.returncode, "version is 1.0.1-retrain, but this release's is 1.0.2-retrain" in late.stderr) == (
        1,
        True,
    )


def test_the_same_data_makes_no_release(scene: Running) -> None:
    scene.released("1.0.0", "a")
    done = scene.compare(scene.trained(OLD))
    assert (done.returncode, done.stdout.strip()) == (0, "the data has not changed since 1.0.0: no release")
    assert scene.tags() == ["v1.0.0"]


def test_data_that_made_a_rejected_version_does_not_come_back(scene: Running) -> None:
    scene.released("1.0.0", "a", OLD)
    scene.released("1.0.1", "b", NEW)
    scene.back("staging")
    done = scene.compare(scene.trained(NEW, version="1.0.2-retrain"))
    assert (done.returncode, done.stdout.strip()) == (
        0,
        "this data made 1.0.1, which was rejected (bad): no release",
    )
    done = scene.compare(scene.trained("3" * 64, version="1.0.2-retrain"))
    assert (done.returncode, scene.tags()[-1]) == (0, "v1.0.2"), done.stderr


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"data_sha256": None}, "the training logged no dataset"),
        ({"name": "other"}, "name is other, but this release's is churn"),
        ({"commit": "f" * 40}, "commit is ffff"),
        ({"version": "1.0.1"}, "version is 1.0.1, but"),
        ({"metrics": {"accuracy": 0.4}}, "does not pass the gate of staging"),
        ({"metrics": {"accuracy": 0.8}}, "does not pass the gate of staging"),
    ],
)
def test_what_must_not_be_tagged(scene: Running, change: dict[str, object], why: str) -> None:
    scene.released("1.0.0", "a")
    done = scene.compare(scene.trained(**change))  # type: ignore[arg-type]
    assert (done.returncode, why in done.stderr) == (1, True), done.stderr
    assert scene.tags() == ["v1.0.0"]


def test_what_is_no_artifact_is_refused(scene: Running) -> None:
    scene.released("1.0.0", "a")
    (scene.trained() / "train.json").write_text('{"name": "churn", "run": "$(id)"}')
    done = scene.compare(scene.folder / "handed")
    assert (done.returncode, "the artifact is refused" in done.stderr) == (1, True)


def test_the_first_job_names_the_tag_of_what_runs(scene: Running) -> None:
    scene.released("1.0.0", "a")
    out = scene.folder / "output"
    runner = {"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": str(out)}
    done = generator("retrain", "--last", cwd=scene.root, **runner)
    assert (done.returncode, done.stdout.strip(), out.read_text()) == (0, "v1.0.0", "tag=v1.0.0\n"), done.stderr


def test_nothing_is_trained_that_could_not_be_released(scene: Running) -> None:
    def refused() -> str:
        done = generator("retrain", "--last", cwd=scene.root)
        assert done.returncode == 1
        return done.stderr

    assert "staging was never released" in refused()
    scene.released("1.0.0", "a", None)
    assert "1.0.0 says no data hash" in refused()
    scene.released("1.1.0", "b")
    git(scene.root, "commit", "--quiet", "--allow-empty", "--message", "Rework")
    git(scene.root, "tag", "v2.0.0")
    assert "but v2.0.0 is another commit" in refused()
    git(scene.root, "tag", "--delete", "v2.0.0")
    git(scene.root, "tag", "v2.0.0-rc.1", scene.commit)
    assert "2.0.0-rc.1 is a pre-release" in refused()


def test_without_an_app_the_workflow_says_who_can_do_it(tmp_path: Path) -> None:
    scene = WithoutApp(tmp_path)
    scene.released("1.0.0", "a")
    summary = tmp_path / "summary.md"
    done = generator("retrain", "--last", cwd=scene.root, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(summary))
    assert (done.returncode, "run `generator retrain` on the machine of" in done.stderr) == (1, True)
    assert "generator retrain" in summary.read_text()
    assert scene.compare(scene.trained()).returncode == 0, "somebody who may push does it by hand"


def test_a_tag_from_before_the_workflow_cannot_be_started(tmp_path: Path) -> None:
    scene = Stages(tmp_path)
    scene.MORE = Running.MORE
    record = Record(run_id="1" * 32, metrics={}, data_sha256=OLD)
    git(scene.root, "tag", "v1.0.0")
    deploy(scene.release("1.0.0"), scene.published("1.0.0", record=record), "staging", scene.deployer())
    git(scene.root, "fetch", "--quiet", "origin")
    (scene.root / "model.yaml").write_text(
        (scene.root / "model.yaml").read_text().replace("deploy: {", "retrain: {}\ndeploy: {push: {mode: app}, ")
    )
    done = generator("retrain", "--last", cwd=scene.root, GITHUB_ACTIONS="true")
    assert (done.returncode, "v1.0.0 has no .github/workflows/retrain.yml yet" in done.stderr) == (1, True), (
        done.stderr
    )


def test_it_trains_the_released_commit_whatever_is_checked_out(scene: Running) -> None:
    environments = SharedEnvironments(environment("mlflow3"))
    root = scene.root
    text = (
        (root / "model.yaml")
        .read_text()
        .replace("{script: train.py}", f"{{script: train.py, {QUICK[:3]}: {{{QUICK.split('{')[1]}}}")
    )
    (root / "model.yaml").write_text(text)
    (root / "train.py").write_text(textwrap.dedent(SCRIPT))
    (root / "requirements.lock").write_text(lock_text(load(root).models[0], root, environments))
    scene.commit = commit_all(root, "Log the data")
    git(root, "push", "--quiet", "origin", "main")
    scene.released("1.0.0", "a")
    (root / "train.py").write_text("raise SystemExit('not this one')\n")
    last = last_release(load(root).model(None), GitRepository(root))
    out, told = scene.folder / "out", Told()
    train_again(last, root, out, scene.folder / "retraining", World(told, environments=environments))
    assert no_release(last, out, told) is None
    trained = Store(out).read("train", TrainedModel, name="churn", version="1.0.1-retrain", commit=scene.commit)
    assert trained.data_sha256 not in (None, OLD)
    assert (out / "train.log").is_file()
    assert git(root, "status", "--porcelain", "--untracked-files=no") == "M train.py"
