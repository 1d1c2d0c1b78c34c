"""Scripts as people write them: whichever way the model was logged, `collect` finds it."""

from typing import Any

import pytest

from tests.harness.conftest import Workshop

START = """
import mlflow, numpy as np, pandas as pd
from sklearn.linear_model import LogisticRegression
from mlflow.models import infer_signature
X = pd.DataFrame({"tenure": [1., 5., 30., 60., 2., 48.], "charges": [90., 80., 20., 30., 99., 25.]})
y = [1, 1, 0, 0, 1, 0]
model = LogisticRegression().fit(X, y)
signature = infer_signature(X, model.predict(X))
# Finding the requirements out takes MLflow ten seconds a model.
about = {"signature": signature, "pip_requirements": ["scikit-learn"]}
"""

FORMS = {
    "positional-path": """
with mlflow.start_run():
    mlflow.log_metric("accuracy", 0.9)
    mlflow.sklearn.log_model(model, "model", **about)
""",
    "another-path": """
with mlflow.start_run():
    mlflow.log_metric("accuracy", 0.9)
    mlflow.sklearn.log_model(model, "churn_forest", **about)
""",
    "path-with-folders": """
with mlflow.start_run():
    mlflow.log_metric("accuracy", 0.9)
    mlflow.sklearn.save_model(model, "saved", **about)
    mlflow.log_artifacts("saved", "models/forest")
""",
    "nested-run": """
with mlflow.start_run():
    mlflow.log_metrics({"accuracy": 0.9, "loss": 1.0})
    with mlflow.start_run(nested=True):
        mlflow.log_metric("loss", 0.5)
        mlflow.sklearn.log_model(model, "model", **about)
    with mlflow.start_run(nested=True):
        mlflow.log_metric("loss", 0.7)
""",
    "autolog": """
mlflow.sklearn.autolog(log_input_examples=True)
with mlflow.start_run():
    model = LogisticRegression(C=0.5).fit(X, y)
    mlflow.log_metric("accuracy", 0.9)
""",
    "registered-by-the-script": """
with mlflow.start_run():
    mlflow.log_metric("accuracy", 0.9)
    mlflow.sklearn.log_model(model, "model", registered_model_name="my-churn", **about)
""",
    "pyfunc": """
class Threshold(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return (model_input["charges"] > 50).astype(int)
with mlflow.start_run():
    mlflow.log_metric("accuracy", 0.9)
    mlflow.pyfunc.log_model("model", python_model=Threshold(), **about)
""",
    "several-one-named-model": """
with mlflow.start_run():
    mlflow.log_metric("accuracy", 0.9)
    mlflow.sklearn.log_model(LogisticRegression(C=9).fit(X, y), "scaler", **about)
    mlflow.sklearn.log_model(model, "model", **about)
    mlflow.sklearn.log_model(LogisticRegression(C=8).fit(X, y), "zebra", **about)
""",
    "two-runs": """
for step in range(2):
    with mlflow.start_run():
        mlflow.log_metric("accuracy", 0.8 + step / 10)
        mlflow.sklearn.log_model(model, "model", **about)
""",
    "never-ended": """
mlflow.start_run()
mlflow.log_metric("accuracy", 0.9)
mlflow.sklearn.log_model(model, "model", **about)
""",
    "own-experiment": """
mlflow.set_experiment("my own")
with mlflow.start_run():
    mlflow.log_metric("accuracy", 0.9)
    mlflow.sklearn.log_model(model, "model", **about)
""",
}
NAMES = {"another-path": "churn_forest", "path-with-folders": "models/forest"}


@pytest.mark.parametrize("form", FORMS)
def test_the_model_is_found(shop: Workshop, form: str) -> None:
    shop.trained(START + FORMS[form])
    answer = shop.collected()
    assert answer["store"] == "configured"
    assert answer["tracking_uri"] == shop.uri
    assert answer["metrics"]["accuracy"] == pytest.approx(0.9)
    assert answer["model"]["name"] == NAMES.get(form, "model")
    assert "python_function" in answer["model"]["flavors"]
    assert answer["model"]["signature"]
    assert any(line.startswith("scikit-learn") for line in answer["model"]["requirements"])
    assert answer["model"]["python_version"].startswith("3.11")
    assert (shop.folder / "out/model/MLmodel").is_file()
    assert not list((shop.folder / "out").glob(".model-*"))
    check_golden(answer["golden"], shop.golden(), "input-example" if form == "autolog" else "signature")
    check_form(form, answer)


def check_golden(said: dict[str, Any], written: dict[str, Any], source: str) -> None:
    assert said["source"] == written["source"] == source, said
    assert said["deterministic"]
    split = written["request"]["dataframe_split"]
    assert split["columns"] == ["tenure", "charges"]
    assert said["rows"] == len(split["data"]) == len(written["predictions"])
    assert set(written["predictions"]) <= {0, 1}


def check_form(form: str, answer: dict[str, Any]) -> None:
    assert answer["experiment"] == ("my own" if form == "own-experiment" else "churn")
    if form == "nested-run":
        assert len(answer["parents"]) == 1
        assert answer["metrics"]["loss"] == 0.5
    versions = [{"name": "my-churn", "version": "1"}] if form == "registered-by-the-script" else []
    assert answer["registered"] == versions


DATASETS = """
with mlflow.start_run():
    mlflow.log_input(mlflow.data.from_pandas(X, name="customers", digest="5d08"), "training")
    with mlflow.start_run(nested=True):
        for context in ("training", "eval"):
            mlflow.log_input(mlflow.data.from_pandas(X, name="customers", digest="5d08"), context)
        mlflow.log_input(mlflow.data.from_numpy(X.values, name="bills"), "training")
        mlflow.sklearn.log_model(model, "model", **about)
    with mlflow.start_run(nested=True):
        mlflow.log_input(mlflow.data.from_pandas(X, name="another model's"), "training")
"""


def test_datasets_are_those_of_the_models_run_and_its_parents(shop: Workshop) -> None:
    shop.trained(START + DATASETS)
    bills, customers = shop.collected()["datasets"]
    assert customers == {"name": "customers", "digest": "5d08"}
    assert bills["name"] == "bills"
    assert bills["digest"], "MLflow's own digest is passed on"


def test_a_run_that_logs_no_dataset_has_none(shop: Workshop) -> None:
    shop.trained(START + FORMS["positional-path"])
    assert shop.collected()["datasets"] == []


@pytest.mark.parametrize("mlflow", ["mlflow3", "mlflow-newest"], indirect=True)
def test_a_logged_model_by_name(shop: Workshop) -> None:
    shop.trained(
        START
        + """
with mlflow.start_run():
    mlflow.sklearn.log_model(model, name="model", **about)
    mlflow.sklearn.log_model(model, name="model", **about)
"""
    )
    answer = shop.collected()
    assert answer["model"]["uri"] == f"models:/{answer['model']['model_id']}"
    assert not (shop.folder / "out/model/registered_model_meta").exists()


@pytest.mark.parametrize("mlflow", ["mlflow2"], indirect=True)
def test_an_artifact_of_mlflow_2(shop: Workshop) -> None:
    shop.trained(START + FORMS["positional-path"])
    answer = shop.collected()
    assert answer["model"]["uri"] == f"runs:/{answer['run_id']}/model"
    assert answer["model"]["model_id"] is None
