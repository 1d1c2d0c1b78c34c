"""The train stage around the script: what it starts from, what it leaves, what it refuses. MLflow is a fake."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from generator.artifacts import TrainedModel
from generator.disk import file_sha256, folder_sha256
from generator.errors import GeneratorError
from generator.training.problems import About, problem_message
from generator.training.variables import script_variables
from tests.generator.repositories import commit_all, git
from tests.generator.trainings import SharedEnvironments, Training, prepare

SCRIPT = """\
import os, sys
print("cwd", os.path.basename(os.getcwd()))
print("files", sorted(os.listdir(".")))
for name in sorted(os.environ):
    print("env", name, os.environ[name])
print("path", sys.path[:2])
if False:
    import mlflow
    mlflow.sklearn.log_model(None, "model")
"""
GOOD: dict[str, Any] = {
    "ok": True,
    "tracking_uri": "https://ada:pass@mlflow.example.com/?token=1",
    "store": "configured",
    "run_id": "run1",
    "run_name": "able-ant-1",
    "experiment": "churn",
    "parents": [],
    "status": "FINISHED",
    "model": {"name": "model", "uri": "models:/m-1", "model_id": "m-1", "flavors": ["python_function", "sklearn"]},
    "metrics": {"accuracy": 0.9, "loss": "NaN", "strange (metric)": 1.0},
    "params": {"C": "1.0", "long": "x" * 5000, "lines": "a\nb"},
    "datasets": [],
    "tags": {},
    "mlflow_version": "3.13.0",
    "registered": [],
    "golden": {"source": "none", "rows": 0, "deterministic": True, "reason": None},
}


@dataclass
class FakeHarness:
    """Answers as MLflow would about a run that has one model."""

    collected: dict[str, Any] = field(default_factory=lambda: GOOD)
    asked: list[tuple[str, dict[str, Any], dict[str, str]]] = field(default_factory=list)

    def call(
        self,
        python: Path,
        command: str,
        request: Mapping[str, Any],
        *,
        env: Mapping[str, str],
        secrets: Sequence[str] = (),
    ) -> dict[str, Any]:
        self.asked.append((command, dict(request), dict(env)))
        if command == "close":
            return {"ok": True, "closed": []}
        if self.collected["ok"]:
            (Path(request["output"]) / "model").mkdir()
            (Path(request["output"]) / "model" / "MLmodel").write_text(f"attempt: {request['attempt']}\n")
            Path(request["golden_output"]).write_text('{"predictions": null}\n')
        return self.collected


def fake(tmp_path: Path, script: str = SCRIPT, **more: Any) -> tuple[Training, FakeHarness]:
    harness = FakeHarness()
    training = prepare(
        tmp_path,
        script,
        environments=SharedEnvironments(Path(sys.executable)),
        **{"train_keys": "timeout: 60", **more},
    )
    return replace(training, trainer=replace(training.trainer, harness=harness)), harness


def failure(training: Training) -> str:
    with pytest.raises(GeneratorError) as caught:
        training.run()
    assert not training.release.store.has("train"), "a failed training left a train.json"
    return str(caught.value)


def printed(training: Training, word: str) -> dict[str, str]:
    lines = [line.split(" ", 2) for line in training.told.printed if line.startswith(f"{word} ")]
    return {line[1]: line[2] for line in lines if len(line) == 3}


def test_what_it_leaves_behind(tmp_path: Path) -> None:
    training, _ = fake(tmp_path)
    trained = training.run()
    store = training.release.store.folder
    assert sorted(path.name for path in store.iterdir()) == [
        "golden.json",
        "model",
        "tracking",
        "train.json",
        "train.log",
    ]
    assert training.release.read("train", TrainedModel) == trained
    assert trained.run_id == "run1"
    assert "cwd source" in (store / "train.log").read_text()


def test_a_tracking_uri_is_shown_without_its_credentials(tmp_path: Path) -> None:
    training, _ = fake(tmp_path)
    assert training.run().tracking_uri == "https://mlflow.example.com"


def test_the_data_hash_is_of_what_the_run_says_it_read(tmp_path: Path) -> None:
    one, other = {"name": "customers", "digest": "5d08"}, {"name": "bills", "digest": "77aa"}
    hashes = []
    for number, datasets in enumerate(([], [one], [one, other], [other, one], [{**one, "digest": "5d09"}])):
        training, harness = fake(tmp_path / str(number))
        harness.collected = {**GOOD, "datasets": datasets}
        hashes.append(training.run().data_sha256)
    assert hashes[0] is None
    assert hashes[1] == hashlib.sha256(b"customers\x005d08\n").hexdigest()
    assert hashes[2] == hashes[3], "the order in which datasets are logged means nothing"
    assert len(set(hashes[1:])) == 3


def test_what_mlflow_says_is_bounded(tmp_path: Path) -> None:
    training, _ = fake(tmp_path)
    trained = training.run()
    assert trained.metrics == {"accuracy": 0.9, "loss": "NaN"}
    assert trained.params["lines"] == "a b"
    assert len(trained.params["long"]) == 1000


@pytest.mark.parametrize(
    "change",
    [
        {"run_id": "../x"},
        {"run_id": None},
        {"metrics": {"accuracy": "much"}},
        {"model": {}},
        {"experiment": 1, "params": 3},
        {"datasets": [{"name": "customers"}]},
    ],
)
def test_an_answer_of_another_form_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    training, harness = fake(tmp_path)
    harness.collected = {**GOOD, **change}
    assert "what MLflow answered about the run is not understood" in failure(training)


def test_the_script_sees_only_what_is_committed(tmp_path: Path) -> None:
    training, _ = fake(tmp_path, files={"data.csv": "a\n"})
    (training.release.root / "uncommitted.csv").write_text("b\n")
    (training.release.root / "data.csv").unlink()
    training.run()
    (files,) = [line for line in training.told.printed if line.startswith("files")]
    assert "data.csv" in files
    assert "uncommitted.csv" not in files


def test_the_commit_is_trained_not_the_branch(tmp_path: Path) -> None:
    training, _ = fake(tmp_path, script="print('the tagged one')\n" + SCRIPT)
    (training.release.root / "train.py").write_text("print('a later one')\n" + SCRIPT)
    commit_all(training.release.root, "Later")
    training.run()
    assert training.told.printed[0] == "the tagged one"


def test_its_environment(tmp_path: Path) -> None:
    training, _ = fake(
        tmp_path,
        train_keys='env: {N_ESTIMATORS: "100"}\n  secrets: [TOKEN]\n  tags: {team: growth}\n  experiment: mine',
        more="tracking: {uri: https://mlflow.example.com, secret: TRACKING}\n",
        variables={
            "TOKEN": "s3cret-one",
            "TRACKING": "s3cret-two",
            "GITHUB_TOKEN": "runner",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "runner",
            "PYTHONSTARTUP": "/etc/startup.py",
            "AWS_REGION": "eu-north-1",
            "HTTPS_PROXY": "http://proxy:3128",
        },
    )
    training.run()
    seen = printed(training, "env")
    source = training.release.work / "source"
    assert seen["N_ESTIMATORS"] == "100"
    assert seen["TOKEN"] == seen["MLFLOW_TRACKING_TOKEN"] == "***"
    assert seen["MLFLOW_TRACKING_URI"] == "https://mlflow.example.com"
    assert seen["MLFLOW_EXPERIMENT_NAME"] == seen["EXPERIMENT_NAME"] == "mine"
    assert seen["MODEL_NAME"] == "churn"
    assert seen["PYTHONPATH"] == str(source)
    assert (seen["AWS_REGION"], seen["HTTPS_PROXY"]) == ("eu-north-1", "http://proxy:3128")
    assert json.loads(seen["MLFLOW_RUN_CONTEXT"]) == {
        "team": "growth",
        "tagship.release": "churn-1.2.3",
        "tagship.attempt": "1",
        "tagship.commit": training.release.commit,
    }
    assert Path(seen["HOME"]).is_relative_to(training.release.work)
    for name in ("GITHUB_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "PYTHONSTARTUP", "TRACKING", "UV_CACHE_DIR"):
        assert name not in seen
    for path in training.release.store.folder.rglob("*"):
        assert not path.is_file() or b"s3cret" not in path.read_bytes(), path


def test_a_process_that_outlives_the_script_is_ended_and_said(tmp_path: Path) -> None:
    training, _ = fake(tmp_path, f"import subprocess\nsubprocess.Popen(['sleep', '600'])\n{SCRIPT}")
    training.run()
    said = [
        line
        for line in training.told.said
        if "train.py left processes running, which were ended: sleep 600." in line
    ]
    assert said, training.told.said


def test_the_harness_gets_no_way_to_the_scripts_folder(tmp_path: Path) -> None:
    training, harness = fake(tmp_path)
    training.run()
    assert [command for command, _, _ in harness.asked] == ["close", "collect"]
    for _, request, env in harness.asked:
        assert "PYTHONPATH" not in env
        assert request["release"] == "churn-1.2.3"
        assert request["tracking_uri"] == f"sqlite:///{training.release.store.folder / 'tracking/mlflow.db'}"


def test_own_tracking_uris_and_golden_rows_are_passed_on(tmp_path: Path) -> None:
    script = (
        "if False:\n    import mlflow\n    mlflow.set_tracking_uri('sqlite:///mine.db')\n    mlflow.autolog()\n"
    )
    training, harness = fake(tmp_path, script, files={"golden.json": "{}"})
    training.run()
    request = harness.asked[1][1]
    assert request["literal_uris"] == ["sqlite:///mine.db"]
    assert request["golden_file"] == str(training.release.work / "source" / "golden.json")


def test_a_second_try_replaces_everything(tmp_path: Path) -> None:
    training, _ = fake(tmp_path)
    training.run()
    store = training.release.store.folder
    (store / "model" / "of-the-first").write_text("")
    (training.release.work / "left-over").write_text("")
    again = replace(training, release=replace(training.release, attempt="2"))
    assert again.run().attempt == "2"
    assert [path.name for path in (store / "model").iterdir()] == ["MLmodel"]
    assert not (training.release.work / "left-over").exists()


@dataclass
class Dying(FakeHarness):
    """Kills the process that asks it, at one point of the training."""

    point: str = ""

    def call(
        self,
        python: Path,
        command: str,
        request: Mapping[str, Any],
        *,
        env: Mapping[str, str],
        secrets: Sequence[str] = (),
    ) -> dict[str, Any]:
        if self.point == f"before {command}":
            os.kill(os.getpid(), signal.SIGKILL)
        answer = super().call(python, command, request, env=env, secrets=secrets)
        if self.point == f"after {command}":
            os.kill(os.getpid(), signal.SIGKILL)
        return answer


@pytest.mark.parametrize("point", ["before close", "after close", "before collect", "after collect"])
def test_killed_and_run_again(tmp_path: Path, point: str) -> None:
    training, _ = fake(tmp_path)
    training.run()
    killed = replace(training, trainer=replace(training.trainer, harness=Dying(point=point)))
    child = os.fork()
    if child == 0:
        killed.run()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert not training.release.store.has("train"), "a training that was killed counts as done"
    again = replace(training, release=replace(training.release, attempt="3"))
    trained = again.run()
    assert trained.attempt == "3"
    store = training.release.store.folder
    assert (store / "model" / "MLmodel").read_text() == "attempt: 3\n"
    assert trained.model_sha256 == folder_sha256(store / "model")
    assert trained.golden.sha256 == file_sha256(store / "golden.json")


def test_of_very_many_metrics_those_of_the_gate_are_kept(tmp_path: Path) -> None:
    training, harness = fake(tmp_path, more="gate: {metrics: {zeta: {min: 0}}}\n")
    many = {f"m{number:04}": 0.5 for number in range(1001)} | {"zeta": 1.0}
    harness.collected = {**harness.collected, "metrics": many}
    trained = training.run()
    assert len(trained.metrics) == 1000
    assert trained.metrics["zeta"] == 1.0
    assert "m0998" in trained.metrics
    assert "m0999" not in trained.metrics


def test_a_script_may_leave_folders_without_the_right_to_write(tmp_path: Path) -> None:
    """Root may remove them anyway, so a user without rights runs what the stage runs."""
    code = (
        "import os, pathlib, sys, tempfile\n"
        "from generator.disk import remove_folder\n"
        "if os.getuid() == 0: os.setuid(65534)\n"
        "folder = pathlib.Path(tempfile.mkdtemp(dir='/tmp'))\n"
        "for inner, mode in (('kept/deeper', 0o500), ('hidden/deeper', 0)):\n"
        "    (folder / inner).mkdir(parents=True)\n"
        "    (folder / inner / 'file').write_text('')\n"
        "    (folder / 'link').unlink(missing_ok=True); (folder / 'link').symlink_to('/')\n"
        "    for path in (folder / inner, (folder / inner).parent): path.chmod(mode)\n"
        "folder.chmod(0o500)\n"
        "remove_folder(folder)\n"
        "assert not folder.exists()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_a_failed_second_try_leaves_no_artifact_of_the_first(tmp_path: Path) -> None:
    training, harness = fake(tmp_path)
    training.run()
    harness.collected = {"ok": False, "problem": {"kind": "no-run", "searched": []}}
    assert "no MLflow run of it is to be found" in failure(training)


def test_a_proxys_password_is_a_secret(tmp_path: Path) -> None:
    training, _ = fake(tmp_path)
    given = {
        "HTTPS_PROXY": "http://ada:s3cret@proxy.example.com:3128",
        "HTTP_PROXY": "http://proxy.example.com:3128",
    }
    paths = {"folder": tmp_path, "home": tmp_path, "python": tmp_path / "bin/python"}
    variables = script_variables(training.release, given, tracking_uri="sqlite:///x.db", **paths)
    assert variables.script["HTTPS_PROXY"] == given["HTTPS_PROXY"]
    assert variables.secrets == ("s3cret",)


def test_missing_secrets_are_named_before_anything_runs(tmp_path: Path) -> None:
    training, _ = fake(tmp_path, train_keys="secrets: [ONE_TOKEN, OTHER_TOKEN]")
    message = failure(training)
    assert "model.yaml names the secrets ONE_TOKEN, OTHER_TOKEN, which the environment does not have" in message
    assert "export ONE_TOKEN=… OTHER_TOKEN=…" in message
    assert training.told.printed == []


def test_a_stale_lock_is_refused(tmp_path: Path) -> None:
    training, _ = fake(tmp_path)
    (training.release.root / "requirements.txt").write_text("scikit-learn\npandas\n")
    commit = commit_all(training.release.root, "More requirements")
    training = replace(training, release=replace(training.release, commit=commit))
    assert "requirements.lock:8:1: is stale" in failure(training)


def test_a_script_that_was_not_committed_is_refused(tmp_path: Path) -> None:
    training, _ = fake(tmp_path)
    git(training.release.root, "rm", "--quiet", "--cached", "train.py")
    commit = commit_all_staged(training.release.root)
    training = replace(training, release=replace(training.release, commit=commit))
    assert "the training script train.py is not in this folder" in failure(training)


def commit_all_staged(root: Path) -> str:
    git(root, "commit", "--quiet", "--message", "Staged")
    return git(root, "rev-parse", "HEAD")


def test_a_module_at_the_root_of_the_repository_is_pointed_at(tmp_path: Path) -> None:
    """Of many models, each sees its own folder alone."""
    script = "import mlflow_helpers\nimport subprocess\n"
    training, _ = fake(tmp_path, script)
    model = replace(training.release.model, folder="models/churn")
    root = training.release.root
    (root / "models/churn").mkdir(parents=True)
    for name in ("model.yaml", "train.py", "requirements.txt"):
        (root / name).rename(root / "models/churn" / name)
    (root / "mlflow_helpers.py").write_text("")
    from generator.training.lock import lock_text

    (root / "models/churn/requirements.lock").write_text(lock_text(model, root, training.trainer.environments))
    commit = commit_all(root, "Many")
    training = replace(training, release=replace(training.release, model=model, commit=commit))
    message = failure(training)
    assert (
        "models/churn/train.py failed: it imports mlflow_helpers, which is mlflow_helpers.py in this repository"
        in message
    )


ABOUT = About("train.py", "requirements.txt", "model.yaml", ("train.py:7",))


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        (
            {"kind": "no-run", "searched": [{"uri": "http://a", "exists": False, "error": "refused"}]},
            "It sets its own tracking URI (train.py:7)",
        ),
        (
            {"kind": "run-failed", "runs": [{"run_name": "ant", "status": "RUNNING", "experiment": "churn"}]},
            "none of its runs did: ant (RUNNING, experiment churn). ",
        ),
        (
            {"kind": "model-not-found", "model": "a", "names": ["b"]},
            "no model named 'a', as train.model in model.yaml",
        ),
        (
            {
                "kind": "model-broken",
                "name": "model",
                "stage": "load",
                "error": "No module named 'helper'",
                "module": "helper",
            },
            "code_paths=['helper.py']",
        ),
        (
            {"kind": "model-broken", "name": "model", "stage": "files", "error": "no MLmodel"},
            "Use log_model to log it",
        ),
        (
            {
                "kind": "golden-mismatch",
                "file": "golden.json",
                "expected_rows": 2,
                "predicted_rows": 2,
                "differing": 1,
                "differences": [{"row": 1, "expected": 0, "predicted": 1}],
            },
            "row 1: expected 0, got 1",
        ),
        (
            {"kind": "golden-mismatch", "file": "golden.json", "expected_rows": 2, "predicted_rows": 3},
            "expects 2 predictions",
        ),
        (
            {"kind": "golden-invalid", "file": "golden.json", "error": "no JSON"},
            "as you would send it to /predict",
        ),
        ({"kind": "store-failed", "uri": "http://a", "error": "401"}, "tracking.secret names its token"),
        ({"kind": "harness-died", "how": "SIGSEGV", "tail": ["last words"]}, "SIGSEGV"),
        ({"kind": "a-new-kind", "fact": 1}, "MLflow could not answer (a-new-kind; fact: 1)"),
    ],
)
def test_what_the_harness_found_wrong_is_put_into_words(problem: dict[str, Any], expected: str) -> None:
    assert expected in problem_message(problem, ABOUT)


def test_a_run_of_the_client_is_recognised() -> None:
    problem = {
        "kind": "no-run",
        "searched": [
            {"uri": "sqlite:///a", "exists": True, "untagged": [{"run_name": "ant", "status": "FINISHED"}]}
        ],
    }
    message = problem_message(problem, replace(ABOUT, settings=()))
    assert "started with MlflowClient, which does not read MLFLOW_RUN_CONTEXT" in message
