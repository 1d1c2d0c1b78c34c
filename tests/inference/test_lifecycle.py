"""Health: starting, ready, failed and stopping are told apart, and a failure reveals nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from inference.app import create_app
from inference.settings import Settings
from tests.inference.conftest import RELEASE, wait_until
from tests.inference.models import LOADS_WITH

Saved = Callable[[str], Path]


def serve(folder: Path) -> TestClient:
    return TestClient(create_app(Settings(model=folder, release=RELEASE)), raise_server_exceptions=False)


def test_starting_then_ready(saved: Saved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = saved("slow")
    monkeypatch.setenv(LOADS_WITH, str(tmp_path / "loads"))
    with serve(folder) as client:
        health = client.get("/health")
        assert health.status_code == 503
        assert health.json() == {"status": "starting", "reason": None, "model": "shop", "model_version": "1.2.3"}
        assert client.get("/livez").status_code == 200
        for path in ("/readyz", "/ping", "/v2/health/ready", "/v2/models/shop/ready"):
            assert client.get(path).status_code == 503
        early = client.post("/predict", json={"a": 1, "b": 2})
        assert (early.status_code, early.json()["error"]["code"]) == (503, "model_starting")
        assert early.headers["Retry-After"] == "1"
        assert client.post("/v2/models/shop/infer", json={}).json()["code"] == "model_starting"
        wait_until(lambda: client.get("/metadata").json()["flavors"] is not None)
        # the signature is known before the model is loaded
        assert "a" in client.get("/openapi.json").json()["components"]["schemas"]["Row"]["properties"]
        for path in ("/", "/docs", "/metrics", "/v2", "/version"):
            assert client.get(path).status_code == 200
        assert client.get("/health").json()["status"] == "starting"
        (tmp_path / "loads").touch()
        wait_until(lambda: client.get("/health").json()["status"] == "ready")
        assert client.get("/health").status_code == 200
        assert client.post("/predict", json={"a": 1, "b": 2}).json()["predictions"] == [1]


def test_stopping(saved: Saved) -> None:
    with serve(saved("orders")) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        client.app.state.service.lifecycle.stop()  # type: ignore[attr-defined]
        assert client.get("/health").json()["status"] == "stopping"
        assert client.get("/readyz").status_code == 503
        assert client.get("/livez").status_code == 200
        assert client.post("/predict", json={"a": 1, "b": 2}).status_code == 200


def _no_model(folder: Path) -> None:
    folder.mkdir()


def _not_yaml(folder: Path) -> None:
    folder.mkdir()
    (folder / "MLmodel").write_text("flavors: [")


def _no_flavors(folder: Path) -> None:
    folder.mkdir()
    (folder / "MLmodel").write_text("just text")


def _bad_signature(folder: Path) -> None:
    folder.mkdir()
    (folder / "MLmodel").write_text("flavors: {python_function: {}}\nsignature: {inputs: '[{\"name\": 1}]'}")


def _unknown_library(folder: Path) -> None:
    folder.mkdir()
    (folder / "MLmodel").write_text("flavors: {python_function: {loader_module: secret_library}}")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_no_model, "a file of the model is missing"),
        (_not_yaml, "the model's description cannot be read"),
        (_no_flavors, "the model's description cannot be read"),
        (_bad_signature, "the model's description cannot be read"),
        (_unknown_library, "a Python package that the model needs is missing"),
    ],
)
def test_failed(tmp_path: Path, make: Callable[[Path], None], reason: str) -> None:
    make(tmp_path / "secret")
    check_failed(tmp_path / "secret", reason)


def test_failed_in_the_models_own_code(saved: Saved) -> None:
    check_failed(saved("broken"), "the model could not be loaded")


def test_the_reason_in_full_is_kept_for_the_log(saved: Saved) -> None:
    with serve(saved("broken")) as client:
        lifecycle = client.app.state.service.lifecycle  # type: ignore[attr-defined]
        wait_until(lambda: lifecycle.state == "failed")
        assert lifecycle.detail == "RuntimeError: /secret/path of the model"


def check_failed(folder: Path, reason: str) -> None:
    with serve(folder) as client:
        wait_until(lambda: client.get("/health").json()["status"] != "starting")
        health = client.get("/health")
        assert (health.status_code, health.json()["status"], health.json()["reason"]) == (503, "failed", reason)
        assert client.get("/readyz").status_code == 503
        assert client.get("/livez").status_code == 200
        answer = client.post("/predict", json={"a": 1})
        assert (answer.status_code, answer.json()["error"]["message"]) == (503, reason)
        for path in ("/", "/docs", "/openapi.json", "/metadata", "/metrics", "/health", "/model/info"):
            assert "secret" not in client.get(path).text
