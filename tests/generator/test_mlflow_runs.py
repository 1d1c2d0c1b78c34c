"""Runs and registered versions, asked of a real MLflow server over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from generator.adapters.mlflow_runs import MlflowRuns
from generator.errors import GeneratorError
from tests.generator.serving_parts import TrackingServer, free_port, tracking_server

TAGGED = "import mlflow; client = mlflow.MlflowClient(); client.set_tag({run!r}, 'tagship.release', 'churn-1.2.3')"


@dataclass(frozen=True)
class Kept:
    server: TrackingServer
    run: str

    @property
    def runs(self) -> MlflowRuns:
        return MlflowRuns(self.server.uri)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    with tracking_server(tmp_path_factory.mktemp("tracking")) as server:
        yield Kept(server, server.register(1.0))


def test_a_run_has_its_tags_until_it_is_deleted(kept: Kept) -> None:
    assert kept.runs.tag(kept.run, "tagship.release") == ""
    kept.server.run(TAGGED.format(run=kept.run))
    assert kept.runs.tag(kept.run, "tagship.release") == "churn-1.2.3"
    assert kept.runs.tag("0" * 32, "tagship.release") is None
    kept.server.run(f"import mlflow; mlflow.MlflowClient().delete_run({kept.run!r})")
    assert kept.runs.tag(kept.run, "tagship.release") is None


def test_a_registered_version_names_its_run(kept: Kept) -> None:
    assert kept.runs.run_of("churn", "1") == kept.run
    assert kept.runs.run_of("churn", "7") is None
    assert kept.runs.run_of("somebody-elses", "1") is None


def test_a_server_that_is_not_there_is_said() -> None:
    with pytest.raises(GeneratorError, match="the tracking server does not answer"):
        MlflowRuns(f"http://127.0.0.1:{free_port()}", "secret").tag("0" * 32, "x")
