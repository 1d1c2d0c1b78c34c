"""Where a script may have logged to: the configured store, one that it sets itself, or its own folder."""

import json
import subprocess

import pytest

from tests.harness.conftest import ATTEMPT, HARNESS, RELEASE, Workshop
from tests.harness.test_forms import START

LOG = """
with mlflow.start_run():
    mlflow.sklearn.log_model(model, "model", **about)
"""


def test_a_store_that_the_script_sets_is_searched(shop: Workshop) -> None:
    shop.trained(START + "mlflow.set_tracking_uri('sqlite:///../own.sqlite')" + LOG)
    answer = shop.collected(literal_uris=["sqlite:///nothing.db", "sqlite:///../own.sqlite"])
    assert answer["store"] == "script"
    assert answer["tracking_uri"] == f"sqlite:///{shop.folder / 'own.sqlite'}"
    assert (shop.folder / "out/model/MLmodel").is_file()


def test_a_database_in_the_folder_is_searched(shop: Workshop) -> None:
    shop.trained(START + "mlflow.set_tracking_uri('sqlite:///' + 'runs.db')" + LOG)
    (shop.script_folder / "customers.db").write_text("no database at all")
    answer = shop.collected()
    assert answer["store"] == "folder"
    assert answer["tracking_uri"] == f"sqlite:///{shop.script_folder / 'runs.db'}"


@pytest.mark.parametrize("mlflow", ["mlflow2", "mlflow3", "mlflow-newest"], indirect=True)
def test_a_folder_of_files_is_searched(shop: Workshop) -> None:
    shop.trained(START + "mlflow.set_tracking_uri('file:./mlruns')" + LOG)
    for literal in ([], ["file:./mlruns"], ["./mlruns"]):
        answer = shop.collected(literal_uris=literal)
        assert answer["store"] == ("script" if literal else "folder")
        assert answer["tracking_uri"] == (shop.script_folder / "mlruns").as_uri()


def test_no_run_says_where_it_looked_and_what_it_saw(shop: Workshop) -> None:
    stranger = START + "mlflow.set_tracking_uri('sqlite:///own.db')" + LOG
    shop.trained(stranger, env={"MLFLOW_RUN_CONTEXT": "{}"})
    problem = shop.problem(literal_uris=["http://me:secret@127.0.0.1:9", "sqlite:///missing.db"])
    assert problem["kind"] == "no-run"
    configured, server, missing, folder = problem["searched"]
    assert (configured["store"], configured["exists"], configured["runs"]) == ("configured", True, 0)
    assert configured["untagged"] == []
    assert (server["store"], server["exists"]) == ("script", False)
    assert server["uri"] == "http://***@127.0.0.1:9"
    assert "secret" not in str(problem)
    assert (missing["store"], missing["exists"], missing["error"]) == ("script", False, None)
    assert folder["store"] == "folder"
    assert [run["status"] for run in folder["untagged"]] == ["FINISHED"]


def test_looking_leaves_nothing_behind(shop: Workshop) -> None:
    shop.trained("print('no mlflow here')")
    before = sorted(shop.script_folder.rglob("*"))
    missing = f"sqlite:///{shop.folder / 'new.db'}"
    assert shop.problem(tracking_uri=missing, literal_uris=["sqlite:///a.db", "mlruns"])["kind"] == "no-run"
    assert sorted(shop.script_folder.rglob("*")) == before
    assert not (shop.folder / "new.db").exists()
    close = {"tracking_uri": missing, "release": RELEASE, "attempt": ATTEMPT}
    assert shop.ask("close", close) == {"ok": True, "closed": []}
    assert not (shop.folder / "new.db").exists()


def test_a_store_that_cannot_be_opened_is_no_missing_run(shop: Workshop) -> None:
    shop.trained("pass")
    problem = shop.problem(tracking_uri="postgresql://me:secret@127.0.0.1:9/mlflow")
    assert problem["kind"] == "store-failed"
    assert problem["error"]
    assert "secret" not in str(problem)


def test_earlier_attempts_that_still_run_are_closed(shop: Workshop) -> None:
    shop.trained("import mlflow, os; mlflow.start_run(); os._exit(0)", attempt="6-1")
    shop.trained("import mlflow, os; mlflow.start_run(); os._exit(0)")
    shop.trained("import mlflow\nwith mlflow.start_run(): pass", attempt="6-1")
    close = {"tracking_uri": shop.uri, "release": RELEASE, "attempt": ATTEMPT}
    assert len(shop.ask("close", close)["closed"]) == 1
    assert shop.ask("close", close)["closed"] == []
    problem = shop.problem(attempt="6-1")
    assert problem["kind"] == "no-model"
    assert shop.problem()["kind"] == "run-failed"


def test_run_as_the_command_runs_it(shop: Workshop) -> None:
    asked, answer = shop.folder / "asked.json", shop.folder / "answer.json"
    missing = f"sqlite:///{shop.folder / 'new.db'}"
    asked.write_text(json.dumps({"tracking_uri": missing, "release": RELEASE, "attempt": ATTEMPT}))
    subprocess.run([shop.bench.python, HARNESS, "close", asked, answer], cwd=shop.folder, check=True)
    assert json.loads(answer.read_text()) == {"ok": True, "closed": []}
