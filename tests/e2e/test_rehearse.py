"""`generator rehearse`: the examples, the forms of scripts that people write, and the ways that they fail."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from generator.errors import GeneratorError
from generator.ledger import read_ledger
from tests import parts
from tests.e2e import test_train_forms as forms
from tests.e2e.rehearsals import rehearsed, repository
from tests.generator.repositories import commit_all, git
from tests.generator.test_cli import generator

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
MLFLOW2 = '["mlflow<3", "sqlalchemy<2.1", scikit-learn]'
MLFLOW3 = "[scikit-learn]"  # the lock adds mlflow>=3,<3.14


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """This repository's examples as a user would have them: committed, in a repository of their own."""
    root = tmp_path / "project"
    shutil.copytree(ROOT / "examples", root / "examples")
    shutil.copyfile(ROOT / "tagship.yaml", root / "tagship.yaml")
    git(root, "init", "--quiet")
    commit_all(root, "Begin")
    return root


@pytest.mark.parametrize(
    ("model", "metric"), [("churn", "accuracy"), ("breast-cancer", "accuracy"), ("demand", "rmse")]
)
def test_example(project: Path, tmp_path: Path, model: str, metric: str) -> None:
    before = git(project, "status", "--porcelain"), git(project, "rev-parse", "HEAD"), git(project, "tag")
    outcome = rehearsed(project, model=model, keep=tmp_path / "kept")
    assert [step.stage for step in outcome.steps][1:] == [
        "train", "gate", "register", "package", "publish", "deploy", "observe",
    ]  # fmt: skip
    assert len(outcome.answer["predictions"]) == len(
        json.loads((tmp_path / f"kept/{model}-0.1.0/golden.json").read_text())["predictions"]
    )
    assert outcome.answer["model_version"] == "0.1.0"
    overlay = f"k8s/overlays/{model}/staging"
    ledger = read_ledger(git(tmp_path / "kept/origin.git", "show", f"main:{overlay}/release.yaml"), "r")
    published = json.loads((tmp_path / f"kept/{model}-0.1.0/publish.json").read_text())
    assert ledger.current
    assert (ledger.current.digest, ledger.current.registered) == (published["digest"], 1)
    assert metric in ledger.current.metrics
    assert (ledger.current.data is not None) == (model == "churn"), "its script alone logs its dataset"
    assert published["rehearsal"]
    after = git(project, "status", "--porcelain"), git(project, "rev-parse", "HEAD"), git(project, "tag")
    assert after == before, "the user's repository was changed"


def test_the_command_itself_in_containers(project: Path) -> None:
    """Nothing shared, nothing faked: uv makes the environments, Docker builds, runs and serves the image."""
    parts.need_engine()
    done = generator("rehearse", "--model", "churn", "--engine", "docker", cwd=project, **parts.started_with())
    assert done.returncode == 0, done.stderr[-3000:]
    assert "in containers of the image that was committed" in done.stdout
    answer = json.loads(done.stdout.splitlines()[-1].split(maxsplit=1)[1])
    assert answer["predictions"][0] in (0, 1)
    assert answer["model_version"] == "0.1.0"
    (commit,) = re.findall(r"churn 0\.1\.0, from ([0-9a-f]{12})", done.stderr)
    image = ["docker", "image", "inspect", f"tagship.local/churn:0.1.0-{commit}"]
    kept = subprocess.run(image, env={**os.environ, **parts.started_with()}, capture_output=True, check=False)
    assert kept.returncode == 1, "the rehearsal left its image behind"


@pytest.mark.parametrize(
    ("body", "requirements"),
    [
        pytest.param(forms.POSITIONAL, MLFLOW2, id="mlflow2-positional"),
        pytest.param(forms.OTHER_PATH, MLFLOW2, id="mlflow2-other-path"),
        pytest.param(forms.REGISTERED, MLFLOW2, id="mlflow2-registered"),
        pytest.param(forms.NESTED, MLFLOW3, id="mlflow3-nested"),
        pytest.param(forms.AUTOLOG, MLFLOW3, id="mlflow3-autolog"),
        pytest.param(forms.OWN_STORE, MLFLOW3, id="mlflow3-own-store"),
    ],
)
def test_form(body: str, requirements: str, tmp_path: Path) -> None:
    """To the end, those whose files or registration differ; test_train_forms has the others, as far as they differ."""
    root = repository(
        tmp_path / "repo", forms.HEAD + body, requirements=requirements, train=forms.RETRY_ONCE,
        more="gate: {metrics: {accuracy: {min: 0.8}}}\n",
    )  # fmt: skip
    outcome = rehearsed(root)
    assert outcome.steps[-1].stage == "observe"
    assert outcome.steps[-1].outcome.startswith("serving")


HOOKS = """
import inflection

def preprocess(frame):
    if (frame["scale"] < 0).any():
        raise ValueError("scale must not be negative")
    return frame[["x"]].mul(frame["scale"], axis=0)

def postprocess(predictions):
    return [inflection.ordinalize(int(label)) for label in predictions]
"""
ASKED = {
    "request": {"instances": [{"x": 1.0, "scale": 0.0}, {"x": 1.0, "scale": 3.0}]},
    "predictions": ["0th", "1st"],
}


@pytest.mark.parametrize(
    ("golden", "said"),
    [("", "1 made-up row answered through the hooks"), ("asked.json", "2 golden rows answered")],
)
def test_hooks_with_requirements_and_a_schema_of_their_own(golden: str, said: str, tmp_path: Path) -> None:
    keys = "requirements: [inflection], input: {x: double, scale: double}" + (
        f", golden: {golden}" if golden else ""
    )
    root = repository(
        tmp_path / "repo", forms.HEAD + forms.POSITIONAL, requirements=MLFLOW3, train=forms.RETRY_ONCE,
        more=f"serve: {{hooks: {{{keys}}}}}\n",
    )  # fmt: skip
    (root / "hooks.py").write_text(HOOKS)
    (root / "asked.json").write_text(json.dumps(ASKED))
    commit_all(root, "Hooks")
    outcome = rehearsed(root)
    assert said in outcome.steps[-1].outcome
    assert set(outcome.answer["predictions"]) <= {"0th", "1st"}


def test_hooks_that_break_in_the_image_stop_the_release(tmp_path: Path) -> None:
    root = repository(
        tmp_path / "repo", forms.HEAD + forms.POSITIONAL, requirements=MLFLOW3, train=forms.RETRY_ONCE,
        more="serve: {hooks: {}}\n",
    )  # fmt: skip
    (root / "hooks.py").write_text("def postprocess(predictions): return predictions.no_such_thing\n")
    commit_all(root, "Hooks")
    with pytest.raises(
        GeneratorError, match=r"hooks\.py does not work in the image, .*postprocess failed"
    ) as refused:
        rehearsed(root)
    shutil.rmtree(str(refused.value).rsplit(" ", 1)[1])


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        ("{accuracy: {min: 0.95}}", r"accuracy"),
        ("{f1: {min: 0.5}}", r"f1(.|\n)*accuracy"),
    ],
)
def test_a_gate_that_is_not_passed(gate: str, said: str, tmp_path: Path) -> None:
    root = repository(
        tmp_path / "repo", forms.HEAD + forms.POSITIONAL, requirements=MLFLOW3, train=forms.RETRY_ONCE,
        more=f"gate: {{metrics: {gate}}}\n",
    )  # fmt: skip
    with pytest.raises(GeneratorError) as refused:
        rehearsed(root)
    assert re.search(said, str(refused.value)), str(refused.value)
    kept = Path(str(refused.value).rsplit(" ", 1)[1])
    assert list(kept.glob("churn-0.1.0/train.log")), (
        "what there is to look into is kept, and the message says where"
    )
    shutil.rmtree(kept)


def test_a_requirement_that_does_not_resolve(tmp_path: Path) -> None:
    root = repository(tmp_path / "repo", forms.HEAD + forms.POSITIONAL, requirements='["scikit-learn==0.0.1"]')
    with pytest.raises(GeneratorError, match=r"scikit-learn==0\.0\.1"):
        rehearsed(root)


def test_a_script_without_mlflow_is_refused_before_anything_runs(tmp_path: Path) -> None:
    root = repository(tmp_path / "repo", "print('hello')\n", requirements=MLFLOW3)
    with pytest.raises(GeneratorError, match=r"train\.py:1:1: .*mlflow"):
        rehearsed(root)
