"""Registering: one version of one model for one run, from whatever an earlier try left behind."""

import json
import random
import signal
import time
from typing import Any

import pytest

from tests.harness.conftest import HARNESS, RELEASE, Workshop
from tests.harness.test_forms import START

TRAIN = START + "with mlflow.start_run():\n    mlflow.sklearn.log_model(model, 'model', **about)\n"
KILLS = 12
LIST = """
import json, mlflow
client = mlflow.MlflowClient()
versions = [
    {"version": str(v.version), "run_id": v.run_id, "tags": dict(v.tags)}
    for v in client.search_model_versions("name='churn'")
]
models = client.search_registered_models()
aliases = {k: str(v) for m in models if m.name == "churn" for k, v in m.aliases.items()}
json.dump({"versions": versions, "aliases": aliases}, open("registry.json", "w"))
"""


def request_for(shop: Workshop, **changes: Any) -> dict[str, Any]:
    """What the command asks after collect."""
    answer = shop.collected()
    request = {
        "tracking_uri": shop.uri,
        "model_uri": answer["model"]["uri"],
        "run_id": answer["run_id"],
        "name": "churn",
        "release": RELEASE,
        "tags": {"team": "growth"},
        "alias": "candidate",
        "commit": "c" * 40,
    }
    return {**request, **changes}


def registry(shop: Workshop) -> dict[str, Any]:
    shop.trained(LIST)
    return json.loads((shop.script_folder / "registry.json").read_text())


def check_one_version(shop: Workshop, request: dict[str, Any]) -> None:
    now = registry(shop)
    (version,) = now["versions"]
    assert version["run_id"] == request["run_id"]
    assert (
        version["tags"].items()
        >= {
            "team": "growth",
            "tagship.release": RELEASE,
            "tagship.commit": "c" * 40,
        }.items()
    )
    assert now["aliases"] == {"candidate": version["version"]}


def test_again_and_again_is_one_version(shop: Workshop) -> None:
    shop.trained(TRAIN)
    request = request_for(shop)
    first, second = shop.ask("register", request), shop.ask("register", request)
    assert first == {"ok": True, "name": "churn", "version": "1", "created": True, "alias": True}
    assert second == {**first, "created": False}
    check_one_version(shop, request)


HALF_STATES = {
    "model-without-version": "client.create_registered_model('churn')",
    "version-without-tags": "mlflow.register_model(uri, 'churn')",
    "version-with-some-tags": "mlflow.register_model(uri, 'churn', tags={'tagship.release': release})",
    "tags-without-alias": "mlflow.register_model(uri, 'churn', tags={'tagship.release': release,"
    " 'tagship.commit': 'c' * 40, 'team': 'growth'})",
}


@pytest.mark.parametrize("state", HALF_STATES)
def test_a_half_done_one_is_completed(shop: Workshop, state: str) -> None:
    shop.trained(TRAIN)
    request = request_for(shop)
    names = f"uri, release = {request['model_uri']!r}, {RELEASE!r}\n"
    shop.trained("import mlflow\nclient = mlflow.MlflowClient()\n" + names + HALF_STATES[state])
    answer = shop.ask("register", request)
    assert answer["created"] is (state == "model-without-version")
    check_one_version(shop, request)


def test_killed_at_any_moment(shop: Workshop) -> None:
    shop.trained(TRAIN)
    request = request_for(shop)
    asked, answer = shop.folder / "request.json", shop.folder / "killed.json"
    asked.write_text(json.dumps(request))
    chance, longest = random.Random(3), 0.9  # seconds
    killed = 0
    for _ in range(KILLS):
        moment, began = chance.uniform(0, longest), time.monotonic()
        done = shop.bench.run([HARNESS, "register", asked, answer], shop.script_folder, {}, kill_after=moment)
        killed += done["code"] == -signal.SIGKILL
        if done["code"] == 0:  # it was over: the next moments are to lie within what it takes on this machine
            longest = min(longest, time.monotonic() - began)
        if answer.exists():  # never half of one
            assert json.loads(answer.read_text())["ok"]
    assert killed > 0
    assert shop.ask("register", request)["version"] == "1"
    check_one_version(shop, request)
    assert not [path for path in shop.folder.glob(".killed*") if path.stat().st_size]


def test_a_later_attempt_supersedes_the_earlier(shop: Workshop) -> None:
    shop.trained(TRAIN)
    first = request_for(shop)
    shop.ask("register", first)
    shop.trained(TRAIN)
    second = request_for(shop)
    assert second["run_id"] != first["run_id"]
    assert shop.ask("register", second)["version"] == "2"
    assert shop.ask("register", {**second, "release": "churn-2.0.0", "run_id": second["run_id"]})["version"] == "3"
    now = registry(shop)
    tags = {version["version"]: version["tags"].get("tagship.superseded") for version in now["versions"]}
    assert tags == {"1": "2", "2": None, "3": None}
    assert now["aliases"] == {"candidate": "3"}


def test_what_the_script_registered_of_other_runs_is_left_alone(shop: Workshop) -> None:
    for name in ("churn", "other"):
        shop.trained(TRAIN.replace("'model', **", f"'model', registered_model_name='{name}', **"))
    request = request_for(shop)
    assert shop.ask("register", request)["version"] == "2"  # churn's first is another run's
    now = registry(shop)
    assert now["aliases"] == {"candidate": "2"}
    assert [v["tags"] for v in now["versions"] if v["version"] == "1"] == [{}]


def test_a_registry_that_refuses(shop: Workshop) -> None:
    shop.trained(TRAIN)
    request = request_for(shop, model_uri="models:/nothing/7")
    problem = shop.ask("register", request)["problem"]
    assert (problem["kind"], problem["name"]) == ("registry-failed", "churn")
    assert problem["error"]
