"""What `generator serve` may name: runs and registered models, found, brought, or refused with what there is."""

import json
from typing import Any

import pytest

from tests.harness.conftest import Workshop
from tests.harness.test_forms import START

TWO_VERSIONS = (
    START
    + """
import json
ids = []
for release in ("churn-1.2.3", None):
    tags = {"tagship.release": release, "tagship.commit": "c" * 40} if release else {}
    with mlflow.start_run() as run:
        info = mlflow.sklearn.log_model(model, "model", **about)
    ids.append(run.info.run_id)
    mlflow.register_model(info.model_uri, "churn", tags=tags)
client = mlflow.MlflowClient()
client.set_registered_model_alias("churn", "live", "1")
with mlflow.start_run() as run:
    mlflow.sklearn.log_model(model, "left", **about)
    mlflow.sklearn.log_model(model, "right", **about)
ids.append(run.info.run_id)
with mlflow.start_run() as run:
    mlflow.log_metric("accuracy", 1)
ids.append(run.info.run_id)
json.dump(ids, open("ids.json", "w"))
"""
)


@pytest.fixture
def ids(shop: Workshop) -> list[str]:
    """Run ids: version 1's, version 2's, one with two models, one without any."""
    shop.trained(TWO_VERSIONS)
    return json.loads((shop.script_folder / "ids.json").read_text())


def ask(shop: Workshop, **named: Any) -> dict[str, Any]:
    request = {"tracking_uri": shop.uri, "folder": str(shop.folder), "output": None, **named}
    return shop.ask("source", request)


def registered(shop: Workshop, **named: Any) -> dict[str, Any]:
    return ask(shop, kind="registered", name="churn", **named)


def facts(answer: dict[str, Any], *keys: str) -> tuple[Any, ...]:
    assert answer["ok"], json.dumps(answer, indent=1)
    return tuple(answer[key] for key in keys)


def problem(answer: dict[str, Any]) -> dict[str, Any]:
    assert not answer["ok"], json.dumps(answer, indent=1)
    return answer["problem"]


def test_what_is_found_by_each_name(shop: Workshop, ids: list[str]) -> None:
    keys = ("version", "run_id", "release", "commit")
    first = ("1", ids[0], "churn-1.2.3", "c" * 40)
    assert facts(registered(shop, version="1"), *keys) == first
    assert facts(registered(shop, alias="live"), *keys) == first
    newest = registered(shop)
    assert facts(newest, "name", "version", "run_id") == ("churn", "2", ids[1])
    assert newest["model_id"] != registered(shop, version="1")["model_id"]
    run = ask(shop, kind="run", run_id=ids[1])
    assert facts(run, "name", "version", "run_id") == ("model", None, ids[1])
    assert run["created"].endswith("Z")
    assert facts(ask(shop, kind="run", run_id=ids[2], path="right"), "name") == ("right",)


@pytest.mark.parametrize("named", [{"kind": "run"}, {"kind": "registered", "name": "churn", "alias": "live"}])
def test_the_model_is_brought(shop: Workshop, ids: list[str], named: dict[str, Any]) -> None:
    more = {"run_id": ids[0]} if named["kind"] == "run" else {}
    facts(ask(shop, **named, **more, output=str(shop.folder / "out")), "uri")
    model = shop.folder / "out" / "model"
    assert (model / "MLmodel").is_file()
    assert not (model / "registered_model_meta").exists()


def test_what_is_not_there_is_told_with_what_is(shop: Workshop, ids: list[str]) -> None:
    absent = problem(registered(shop, version="7"))
    assert (absent["kind"], absent["names"]) == ("unknown-version", ["2", "1"])
    absent = problem(registered(shop, alias="challenger"))
    assert (absent["kind"], absent["names"]) == ("unknown-alias", ["live"])
    absent = problem(ask(shop, kind="registered", name="chrun"))
    assert (absent["kind"], absent["names"]) == ("unknown-model", ["churn"])
    assert problem(ask(shop, kind="run", run_id="0" * 32))["kind"] == "unknown-run"
    absent = problem(ask(shop, kind="run", run_id=ids[2]))
    assert (absent["kind"], absent["names"]) == ("several-models", ["left", "right"])
    absent = problem(ask(shop, kind="run", run_id=ids[2], path="middle"))
    assert (absent["kind"], absent["names"]) == ("unknown-path", ["left", "right"])
    absent = problem(ask(shop, kind="run", run_id=ids[3]))
    assert (absent["kind"], absent["names"]) == ("unknown-path", [])


def test_a_store_that_is_not_there_is_not_made(shop: Workshop) -> None:
    answer = ask(shop, kind="run", run_id="0" * 32, tracking_uri="sqlite:///nowhere.db")
    assert problem(answer) == {"kind": "store-absent", "uri": f"sqlite:///{shop.folder / 'nowhere.db'}"}
    assert not (shop.folder / "nowhere.db").exists()
