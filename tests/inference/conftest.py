"""Served models: `client("labels")` is an HTTP client of a server, in this process, whose model is ready."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from inference.app import create_app
from inference.settings import Release, Settings
from tests.inference.models import SAVE

RELEASE = Release(name="shop", version="1.2.3", run_id="run-1", commit="c" * 40)
Serve = Callable[..., TestClient]


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a model in `models.SAVE`, saved when it is first asked for."""
    root = tmp_path_factory.mktemp("models")

    def folder(name: str) -> Path:
        path = root / name
        if not path.exists():
            with pytest.MonkeyPatch.context() as saving:
                saving.setenv("MLFLOW_TRACKING_URI", (root / "tracking").as_uri())
                SAVE[name](path)
        return path

    return folder


@pytest.fixture(scope="session")
def client(saved: Callable[[str], Path]) -> Iterator[Serve]:
    """A ready server for a model; settings may be given beside it. One server for the same question."""
    found: dict[Any, TestClient] = {}
    with ExitStack() as stack:

        def serve(name: str, **settings: Any) -> TestClient:
            key = (name, *sorted(settings.items()))
            if key not in found:
                app = create_app(Settings(**{"model": saved(name), "release": RELEASE, **settings}))
                found[key] = stack.enter_context(TestClient(app, raise_server_exceptions=False))
                wait_until(lambda: found[key].get("/readyz").status_code == 200)
            return found[key]

        yield serve


def wait_until(happened: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
