"""Every stage killed by SIGKILL at several moments and run again: one version, one image, one commit."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from generator.adapters.uv import Uv
from generator.plan.pipeline import Stage
from generator.training.lock import lock_text
from tests.e2e import test_train_forms as forms
from tests.environments import environment
from tests.generator.repositories import git, publish
from tests.generator.workspaces import model_yaml, write

pytestmark = pytest.mark.e2e

# Stages that are killed while a program that they started is at work, and for how many seconds it is.
BUSY = {Stage.TRAIN: 0.5, Stage.REGISTER: 0.5, Stage.PACKAGE: 0.2}


def killed(folder: Path, stage: Stage, kill: str) -> bool:
    """Whether the stage was killed; if not, it has ended well."""
    argv = [sys.executable, "-m", "tests.e2e.one_stage", str(folder), stage, f"{stage}-{kill}", kill]
    done = subprocess.run(argv, cwd=Path(__file__).parents[2], stderr=subprocess.PIPE, timeout=300)
    assert done.returncode in (0, -signal.SIGKILL), f"{stage}, {kill}: {done.stderr.decode()[-3000:]}"
    return done.returncode != 0


def test_killed_at_any_moment_and_run_again(tmp_path: Path) -> None:
    text = model_yaml("gate: {metrics: {accuracy: {min: 0.5}}}\npipeline: {install: .}\n")
    text = text.replace("script: train.py", f"script: train.py, requirements: [scikit-learn], {forms.RETRY_ONCE}")
    (tmp_path / "repo").mkdir()
    workspace = write(tmp_path / "repo", text)
    (tmp_path / "repo/train.py").write_text(forms.HEAD + forms.POSITIONAL)
    (tmp_path / "repo/requirements.lock").write_text(lock_text(workspace.model(None), tmp_path / "repo", Uv()))
    publish(workspace, tmp_path / "origin.git")
    for stage in Stage:
        if stage in BUSY:
            assert killed(tmp_path, stage, f"start={BUSY[stage]}"), f"{stage} was over before it was killed"
        effect = 1
        while killed(tmp_path, stage, f"effect={effect}"):
            effect *= 2
        assert effect > 2, f"{stage} had no effect before which it could be killed"
    _one_version(tmp_path)
    assert len(list((tmp_path / "registry").glob("*.tar"))) == 1
    assert git(tmp_path / "origin.git", "log", "--format=%s", "main").splitlines() == [
        "Deploy churn 1.0.0 to production",
        "Begin",
    ]
    digests = {
        json.loads((tmp_path / f"artifacts/churn-1.0.0/{stage}.json").read_text())["digest"]
        for stage in ("package", "publish", "deploy", "observe")
    }
    assert len(digests) == 1


def _one_version(folder: Path) -> None:
    """Asked of the database by an MLflow like the one that wrote it."""
    code = (
        "import json, sys, mlflow\n"
        "client = mlflow.MlflowClient(sys.argv[1])\n"
        "versions = client.search_model_versions(\"name = 'churn'\")\n"
        "runs = client.search_runs(['0', '1'])\n"
        "print(json.dumps([[v.version for v in versions], sorted(r.info.status for r in runs)]))"
    )
    python = environment("mlflow3")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    output = subprocess.run([str(python), "-c", code, uri], check=True, capture_output=True, text=True, cwd=folder)
    versions, statuses = json.loads(output.stdout.splitlines()[-1])
    assert [str(version) for version in versions] == ["1"]
    assert "RUNNING" not in statuses, f"a killed attempt's run is still open: {statuses}"
