"""Training scripts as people write them, through the real stage, and as they go wrong, in a rehearsal."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from generator.adapters.uv import Uv
from generator.disk import file_sha256, folder_sha256
from generator.errors import GeneratorError
from generator.ledger import Ledger
from generator.stages.gate import gate
from generator.stages.register import Registrar, register
from generator.stages.train import tracking_of
from tests.e2e.rehearsals import rehearsed, repository
from tests.generator.trainings import Training, prepare

pytestmark = pytest.mark.e2e

HEAD = """\
import mlflow
import mlflow.sklearn
from sklearn.linear_model import LogisticRegression

X, y = [[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1]
model = LogisticRegression().fit(X, y)
"""
POSITIONAL = """\
with mlflow.start_run():
    mlflow.log_param("C", 1.0)
    mlflow.log_metric("accuracy", 0.9)
    mlflow.sklearn.log_model(model, "model")
"""
NAMED = POSITIONAL.replace('"model")', 'name="model")')
OTHER_PATH = POSITIONAL.replace('"model")', '"classifier")')
NESTED = """\
with mlflow.start_run():
    mlflow.log_metric("accuracy", 0.9)
    with mlflow.start_run(nested=True):
        mlflow.sklearn.log_model(model, "model")
"""
AUTOLOG = """\
mlflow.sklearn.autolog(log_input_examples=True)
import numpy
with mlflow.start_run():
    LogisticRegression().fit(numpy.array(X), numpy.array(y))
    mlflow.log_metric("accuracy", 0.9)
"""
REGISTERED = POSITIONAL.replace('"model")', '"model", registered_model_name="mine")')
OWN_EXPERIMENT = 'mlflow.set_experiment("mine")\n' + POSITIONAL
OWN_STORE = 'mlflow.set_tracking_uri("sqlite:///mine.db")\n' + POSITIONAL
OWN_FOLDER = 'mlflow.set_tracking_uri("file:./runs")\n' + POSITIONAL
FOREST = """\
import mlflow
from sklearn.ensemble import RandomForestClassifier

with mlflow.start_run():
    model = RandomForestClassifier(3).fit([[0.0], [1.0]], [0, 1])
    mlflow.log_metric("accuracy", 0.9)
    mlflow.sklearn.log_model(model, "model")
"""


@pytest.mark.parametrize(
    ("python", "body", "name", "experiment", "where"),
    [
        pytest.param("mlflow2", POSITIONAL, "model", "churn", "embedded", id="mlflow2-positional"),
        pytest.param("mlflow2", NESTED, "model", "churn", "embedded", id="mlflow2-nested"),
        pytest.param("mlflow2", AUTOLOG, "model", "churn", "embedded", id="mlflow2-autolog"),
        pytest.param("mlflow3", FOREST, "model", "churn", "embedded", id="mlflow3-forest"),
        pytest.param("mlflow3", NAMED, "model", "churn", "embedded", id="mlflow3-named"),
        pytest.param("mlflow3", OTHER_PATH, "classifier", "churn", "embedded", id="mlflow3-other-path"),
        pytest.param("mlflow3", NESTED, "model", "churn", "embedded", id="mlflow3-nested"),
        pytest.param("mlflow3", AUTOLOG, "model", "churn", "embedded", id="mlflow3-autolog"),
        pytest.param("mlflow3", REGISTERED, "model", "churn", "embedded", id="mlflow3-registered"),
        pytest.param("mlflow3", OWN_EXPERIMENT, "model", "mine", "embedded", id="mlflow3-own-experiment"),
        pytest.param("mlflow3", OWN_STORE, "model", "churn", "embedded, the script's own", id="mlflow3-own-store"),
        pytest.param(
            "mlflow-newest", OWN_FOLDER, "model", "churn", "embedded, the script's own", id="newest-own-folder"
        ),
    ],
)
def test_form(tmp_path: Path, python: str, body: str, name: str, experiment: str, where: str) -> None:
    training = prepare(tmp_path, HEAD + body, python=python)
    trained = training.run()
    store = training.release.store.folder
    assert trained.model_name == name
    assert trained.experiment == experiment
    assert trained.tracking_uri == where
    assert trained.metrics["accuracy"] == 0.9
    assert "sklearn" in trained.flavors
    assert trained.model_sha256 == folder_sha256(store / "model")
    assert (store / "model" / "MLmodel").is_file()
    assert json.loads((store / "golden.json").read_text())["predictions"] is not None or trained.golden.rows == 0
    assert (store / "train.log").is_file()
    assert not (training.release.work / "source").exists(), "the checkout is left behind"
    assert str(tmp_path) not in trained.model_dump_json(), "a path of this machine is in the artifact"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        pytest.param(
            HEAD + "client = mlflow.MlflowClient()\n",
            r"train\.py ended well, but no MLflow run of it is to be found .*with mlflow\.start_run\(\):",
            id="no-run",
        ),
        pytest.param(
            HEAD + "def unused():\n    mlflow.sklearn.log_model(model, 'model')\n\nwith mlflow.start_run():\n"
            "    mlflow.log_metric('accuracy', 0.9)\n    mlflow.log_text('hello', 'notes.txt')\n",
            r"train\.py logged no model\. .*log_model(.|\n)*metrics: accuracy(.|\n)*artifacts: notes\.txt",
            id="no-model",
        ),
        pytest.param(
            "import yaml_nowhere\n" + HEAD + POSITIONAL,
            r"imports yaml_nowhere, which is not in the training environment\. Add `yaml_nowhere` to "
            r"requirements\.txt and run `generator lock`",
            id="import",
        ),
        pytest.param(
            "import cv2\n" + HEAD + POSITIONAL,
            r"Add `opencv-python-headless` to requirements\.txt",
            id="import-cv2",
        ),
        pytest.param(
            "import pandas\npandas.read_csv('data/customers.csv')\n" + HEAD + POSITIONAL,
            r"reads 'data/customers\.csv', which is not there\. .* commit data/customers\.csv",
            id="file-not-committed",
        ),
        pytest.param(
            "import os\nos.environ['WAREHOUSE_URL']\n" + HEAD + POSITIONAL,
            r"WAREHOUSE_URL is not set\. .*train\.env",
            id="variable-not-set",
        ),
        pytest.param(
            HEAD
            + "with mlflow.start_run():\n    raise ValueError('labels are missing')\n    mlflow.sklearn.log_model(model, 'm')",
            r"train\.py ended with exit code 1\.\n  Traceback(.|\n)*train\.py\", line 8(.|\n)*ValueError: labels are missing",
            id="exception",
        ),
        pytest.param(
            "import sys\nprint('nothing to do')\nsys.exit(7)\n" + HEAD + POSITIONAL,
            r"ended with exit code 7\.\n  Its last lines:\n  nothing to do",
            id="exit-code",
        ),
        pytest.param(
            "import os\nos.kill(os.getpid(), 9)\n" + HEAD + POSITIONAL,
            r"was ended by SIGKILL: most often the machine ran out of memory",
            id="killed",
        ),
        pytest.param(
            "import ctypes\nctypes.string_at(0)\n" + HEAD + POSITIONAL,
            r"was ended by SIGSEGV: it crashed in native code(.|\n)*string_at",
            id="segfault",
        ),
        pytest.param(
            HEAD + "with mlflow.start_run():\n    mlflow.log_metric('loss', float('nan'))\n"
            "    mlflow.sklearn.log_model(model, 'model')\n",
            r"the metric 'loss' is not a number \(NaN\)",
            id="nan-before-log-model",
        ),
        pytest.param(
            HEAD + "with mlflow.start_run():\n    mlflow.sklearn.log_model(model, 'a')\n"
            "    mlflow.sklearn.log_model(model, 'b')\n",
            r"logged 2 models in one run: a, b\. Say which to release with train\.model: a in model\.yaml",
            id="several-models",
        ),
        pytest.param(
            HEAD + "class Mine(LogisticRegression):\n    pass\n\nwith mlflow.start_run():\n"
            "    mlflow.sklearn.log_model(Mine().fit(X, y), 'model', serialization_format='pickle')\n",
            r"cannot be loaded again: (.|\n)*code_paths",
            id="class-in-script",
        ),
        pytest.param(
            HEAD + "mlflow.set_tracking_uri('http://127.0.0.1:9')\n" + POSITIONAL,
            r"the tracking server http://127\.0\.0\.1:9 does not answer",
            id="server-down",
        ),
    ],
)
def test_failure(tmp_path: Path, script: str, said: str) -> None:
    root = repository(tmp_path / "repo", script, requirements="scikit-learn\n", train=RETRY_ONCE)
    with pytest.raises(GeneratorError) as caught:
        rehearsed(root, keep=tmp_path / "kept")
    message = str(caught.value)
    assert re.search(said, message), message
    assert not (tmp_path / "kept/churn-0.1.0/train.json").exists()
    assert message.endswith(f"was kept in {tmp_path / 'kept'}")


RETRY_ONCE = 'env: {MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT: "1", MLFLOW_HTTP_REQUEST_MAX_RETRIES: "1"}'


def failure(training: Training) -> str:
    with pytest.raises(GeneratorError) as caught:
        training.run()
    assert not training.release.store.has("train")
    return str(caught.value)


def test_forest_on_the_newest_mlflow_names_the_three_fixes(tmp_path: Path) -> None:
    message = failure(prepare(tmp_path, FOREST, python="mlflow-newest"))
    assert "sklearn.tree._tree.Tree" in message
    assert "mlflow<3.14` to requirements.txt" in message
    assert 'skops_trusted_types=["sklearn.tree._tree.Tree"]' in message
    assert 'serialization_format="cloudpickle"' in message


def test_timeout(tmp_path: Path) -> None:
    script = "import time\nprint('fitting')\ntime.sleep(600)\nimport mlflow\nmlflow.sklearn.log_model(1, 'm')\n"
    for seconds in (2, 10, 50):  # as many as it takes to begin on this machine
        message = failure(prepare(tmp_path / str(seconds), script, timeout=seconds, train_keys="timeout: 60"))
        if "fitting" in message:
            break
    assert re.search(
        rf"still running after {seconds} s .*Raise train\.timeout \(model\.yaml:5:12; at most 19800\)", message
    )
    assert "fitting" in message


def test_lock_environment_training_gate_and_registration(tmp_path: Path) -> None:
    """Nothing shared and nothing faked: a lock, an environment from it, and a version that stays one."""
    training = prepare(tmp_path, HEAD + POSITIONAL, environments=Uv())
    trained = training.run()
    release, trainer, told = training.release, training.trainer, training.told
    assert trained.lock_sha256 == file_sha256(release.root / "requirements.lock")
    assert re.fullmatch(r"3\.([0-9]|1[0-3])\.\d+", trained.mlflow_version), "not what the lock adds"
    report = gate(release, trained, Ledger(model="churn", environment="production"), told)
    release.store.write("gate", report)
    registrar = Registrar(trainer.environments, trainer.harness, trainer.variables, told)
    uri = tracking_of(release)
    first, second = (
        register(release, trained, report, registrar, tracking_uri=uri, registry=True) for _ in range(2)
    )
    assert first == second
    assert (first.registered, first.registered_version) == ("churn", 1)
    assert sum("making an environment" in line for line in told.said) == 1, "register made the environment again"


def test_a_second_attempt_closes_what_the_first_left_running(tmp_path: Path) -> None:
    script = HEAD + POSITIONAL + "    import os\n    if 'DIE' in os.environ: os.kill(os.getpid(), 9)\n"
    dying = QUICK_AND_DYING
    training = prepare(tmp_path, script, train_keys=dying)
    failure(training)
    living = prepare(tmp_path / "again", script)
    release = living.release
    object.__setattr__(release, "store", training.release.store)
    object.__setattr__(release, "attempt", "2")
    trained = living.run()
    assert any("KILLED" in line for line in living.told.said), living.told.said
    assert trained.attempt == "2"


QUICK_AND_DYING = 'env: {MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT: "1", DIE: "1"}'
