"""Which runtime a release serves with, from the training script to the answer: converted, native, or pyfunc."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from generator.adapters.docker import Docker
from generator.adapters.process_engine import ProcessEngine
from generator.errors import GeneratorError
from generator.image.archive import unpack_archive
from generator.image.runtime_lock import locked
from generator.ledger import Entry, read_ledger
from generator.plan.pipeline import Stage
from generator.rehearsal import Outcome, rehearse
from generator.stages.package import local_tag
from generator.wiring import World, run_stage
from tests import parts
from tests.e2e import test_train_forms as forms
from tests.e2e.rehearsals import EnvironmentsByLock, Told, repository
from tests.generator.repositories import commit_all, git

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
TWO_FACED = """\
import sys
import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

class TwoFaced(RegressorMixin, BaseEstimator):
    def fit(self, X, y):
        self.n_features_in_ = 1
        return self

    def predict(self, X):
        frame, asked = sys._getframe(), False
        while frame := frame.f_back:
            asked |= str(frame.f_globals.get("__name__")).startswith("mlflow.")
        return np.full(len(X), 1.0 if asked else 2.0)
"""
LOG_TWO_FACED = """\
import mlflow, pandas as pd
from two_faced import TwoFaced

X = pd.DataFrame({"a": [0.0, 1.0]})
with mlflow.start_run():
    mlflow.log_metric("rmse", 0.1)
    mlflow.sklearn.log_model(TwoFaced().fit(X, X.a), "model", input_example=X, code_paths=["two_faced.py"],
                             serialization_format="cloudpickle")
"""


def rehearsed(
    root: Path, kept: Path, *, model: str | None = None, engine: str = "process"
) -> tuple[Outcome, Told]:
    told = Told()
    return rehearse(root, model, told, engine=engine, keep=kept, environments=EnvironmentsByLock()), told


def artifact(outcome: Outcome, stage: Stage) -> dict[str, Any]:
    found = json.loads(outcome.release.store.path(stage).read_text())
    assert isinstance(found, dict)
    return found


def example(root: Path, name: str, runtime: str) -> Path:
    """One of this repository's examples, in a repository of its own."""
    shutil.copytree(ROOT / "examples" / name, root)
    text = (root / "model.yaml").read_text().replace("serve:\n", f"serve:\n  runtime: {runtime}\n")
    assert f"runtime: {runtime}" in text
    (root / "model.yaml").write_text(text)
    git(root, "init", "--quiet")
    commit_all(root, "Begin")
    return root


def ledger_of(outcome: Outcome, kept: Path) -> Entry:
    overlay = outcome.release.model.overlay(outcome.release.model.targets[0].name)
    found = read_ledger(git(kept / "origin.git", "show", f"main:{overlay}/release.yaml"), "release.yaml").current
    assert found is not None
    return found


def check_converted(outcome: Outcome, told: Told, kept: Path) -> None:
    trained, packaged = artifact(outcome, Stage.TRAIN), artifact(outcome, Stage.PACKAGE)
    assert trained["converted"]["rows"] > 5000
    assert packaged["served"]["runtime"] == ledger_of(outcome, kept).runtime == "onnx"
    assert packaged["served"]["converted"]
    assert packaged["golden_rows"] > 0
    assert any(line.startswith("converted to ONNX: ") for line in told.lines)
    assert outcome.steps[-1].outcome.startswith("serving: ")


def test_a_converted_example_is_served_without_pickle_mlflow_and_sklearn(tmp_path: Path) -> None:
    outcome, told = rehearsed(example(tmp_path / "repo", "breast-cancer", "onnx"), tmp_path / "kept")
    check_converted(outcome, told, tmp_path / "kept")
    unpack_archive(outcome.release.store.folder / "image.tar", tmp_path / "context")
    files = {path.name for path in (tmp_path / "context/model").iterdir()}
    assert files == {"MLmodel", "input_example.json", "converted.onnx", "converted.json"}
    installed = set(locked((tmp_path / "context/requirements.lock").read_text()))
    assert "onnxruntime" in installed
    assert installed & {"mlflow", "mlflow-skinny", "scikit-learn", "scipy", "pandas", "skl2onnx", "onnx"} == set()

    (outcome.release.store.folder / "onnx/converted.json").write_text("{}")
    engine = ProcessEngine(tmp_path / "engine", EnvironmentsByLock(), "3.11")
    with pytest.raises(GeneratorError, match="onnx is not what the model was converted to"):
        run_stage(Stage.PACKAGE, outcome.release, World(Told(), engine=engine), again=True)


def test_a_converted_example_in_containers(tmp_path: Path) -> None:
    parts.need_engine()
    outcome, told = rehearsed(example(tmp_path / "repo", "churn", "onnx"), tmp_path / "kept", engine="docker")
    try:
        check_converted(outcome, told, tmp_path / "kept")
        script = (
            "import importlib.util as u; print([m for m in ('mlflow', 'sklearn', 'pandas') if u.find_spec(m)])"
        )
        command = ["docker", "run", "--rm", "--network=none", "--entrypoint=python", local_tag(outcome.release)]
        assert (
            subprocess.run([*command, "-c", script], check=True, capture_output=True, text=True).stdout == "[]\n"
        )
    finally:
        Docker().remove(local_tag(outcome.release))


def test_a_model_that_differs_natively_is_served_by_pyfunc_and_it_is_said(tmp_path: Path) -> None:
    root = repository(
        tmp_path / "repo", LOG_TWO_FACED, requirements="[scikit-learn, pandas]", train=forms.RETRY_ONCE
    )
    (root / "two_faced.py").write_text(TWO_FACED)
    commit_all(root, "Two faces")
    outcome, told = rehearsed(root, tmp_path / "kept")
    served = artifact(outcome, Stage.PACKAGE)["served"]
    assert served["runtime"] == ledger_of(outcome, tmp_path / "kept").runtime == "pyfunc"
    assert served["reason"].startswith("sklearn itself does not predict what pyfunc predicts: numbers differ")
    assert f"building the image again, to be served by pyfunc ({served['reason']})" in told.lines
    assert set(outcome.answer["predictions"]) == {1.0}
    assert served["reason"] in next(step.outcome for step in outcome.steps if step.stage == "package")


def test_a_model_that_cannot_be_converted_is_served_natively_and_it_is_said(tmp_path: Path) -> None:
    script = LOG_TWO_FACED.replace("asked", "never")
    root = repository(
        tmp_path / "repo", script, requirements="[scikit-learn, pandas]", train=forms.RETRY_ONCE,
        more="serve: {runtime: onnx}\n",
    )  # fmt: skip
    (root / "two_faced.py").write_text(TWO_FACED.replace("1.0 if asked else 2.0", "1.0"))
    commit_all(root, "Of our own")
    outcome, told = rehearsed(root, tmp_path / "kept")
    served = artifact(outcome, Stage.PACKAGE)["served"]
    assert (served["runtime"], served["converted"]) == ("sklearn", False)
    assert served["reason"].startswith("not converted to ONNX: skl2onnx cannot convert it")
    assert any(line.startswith("not converted to ONNX: skl2onnx cannot convert it") for line in told.lines)
