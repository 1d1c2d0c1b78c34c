"""Each thing that can be wrong with a run or its model, as the kind and facts that the command turns to text."""

from tests.harness.conftest import HARNESS, Workshop
from tests.harness.test_forms import START

SEVERAL = """
with mlflow.start_run(run_name="both"):
    mlflow.sklearn.log_model(model, "forest", **about)
    mlflow.sklearn.log_model(model, "linear", **about)
with mlflow.start_run(run_name="neither"):
    mlflow.log_metric("accuracy", 0.7)
"""


def test_a_run_without_a_model_lists_what_it_has(shop: Workshop) -> None:
    shop.trained(
        """
import mlflow
with mlflow.start_run(run_name="bare"):
    mlflow.log_param("depth", 3)
    mlflow.log_metric("accuracy", 0.9)
    mlflow.log_text("hello", "notes/a.txt")
"""
    )
    problem = shop.problem()
    assert problem["kind"] == "no-model"
    (run,) = problem["runs"]
    assert run["run_name"] == "bare"
    assert (run["artifacts"], run["metrics"], run["params"]) == (["notes/a.txt"], ["accuracy"], ["depth"])


def test_a_failed_run_is_told_apart(shop: Workshop) -> None:
    done = shop.train("import mlflow\nwith mlflow.start_run(run_name='bad'):\n    raise ValueError('no')")
    assert done["code"] == 1
    problem = shop.problem()
    assert problem["kind"] == "run-failed"
    assert [(run["run_name"], run["status"]) for run in problem["runs"]] == [("bad", "FAILED")]


def test_an_attempt_sees_its_own_runs_only(shop: Workshop) -> None:
    shop.trained(
        START + "with mlflow.start_run():\n    mlflow.sklearn.log_model(model, 'model', **about)",
        attempt="1",
    )
    assert shop.problem(attempt="2")["kind"] == "no-run"


def test_several_models_need_a_name(shop: Workshop) -> None:
    shop.trained(START + SEVERAL)
    problem = shop.problem()
    assert (problem["kind"], problem["names"]) == ("several-models", ["forest", "linear"])
    assert problem["run"]["run_name"] == "both"
    problem = shop.problem(model="tree")
    assert (problem["kind"], problem["model"]) == ("model-not-found", "tree")
    assert problem["names"] == ["forest", "linear"]
    assert shop.collected(model="linear")["model"]["name"] == "linear"
    assert shop.collected(model="forest")["run_name"] == "both"


def test_a_model_that_needs_the_scripts_folder_is_broken(shop: Workshop) -> None:
    (shop.script_folder / "cleaning.py").write_text(
        """
from sklearn.base import BaseEstimator
class Clean(BaseEstimator):
    def fit(self, X, y=None): return self
    def predict(self, X): return [0] * len(X)
"""
    )
    shop.trained(
        START
        + """
from cleaning import Clean
with mlflow.start_run():
    mlflow.sklearn.log_model(Clean().fit(X), "model", pip_requirements=["scikit-learn"])
"""
    )
    problem = shop.problem()
    assert (problem["kind"], problem["stage"]) == ("model-broken", "load")
    assert problem["module"] == "cleaning"
    assert "cleaning" in problem["error"]


def test_a_model_whose_files_are_gone_is_broken(shop: Workshop) -> None:
    shop.trained(
        START
        + """
import pathlib, shutil
with mlflow.start_run():
    mlflow.sklearn.log_model(model, "model", **about)
for data in pathlib.Path("mlruns").rglob("model.pkl"):
    data.unlink()
"""
    )
    problem = shop.problem()
    assert (problem["kind"], problem["stage"]) == ("model-broken", "load")


def test_numbers_that_are_none_travel_by_name(shop: Workshop) -> None:
    shop.trained(
        START
        + """
with mlflow.start_run():
    mlflow.log_param("text", "two\\nlines " + "x" * 2000)
    mlflow.sklearn.log_model(model, "model", **about)
    mlflow.log_metrics({"a": float("nan"), "b": float("inf"), "c": -float("inf"), "d": 2})
"""
    )
    answer = shop.collected()
    assert answer["metrics"] == {"a": "NaN", "b": "Infinity", "c": "-Infinity", "d": 2.0}
    assert answer["params"]["text"].startswith("two lines x")
    assert len(answer["params"]["text"]) == 1000


def test_the_unforeseen_is_a_harness_error(shop: Workshop) -> None:
    answer = shop.ask("collect", {"folder": str(shop.folder)})
    assert answer["problem"]["kind"] == "harness-error"
    assert "KeyError" in answer["problem"]["error"]
    assert answer["problem"]["traceback"][-1].startswith("KeyError")


def test_a_wrong_call_writes_nothing(shop: Workshop) -> None:
    done = shop.bench.run([HARNESS, "dance", "a.json", "b.json"], shop.script_folder, {})
    assert done["code"] == 2
    assert "usage" in done["output"]
    assert list(shop.script_folder.iterdir()) == []
