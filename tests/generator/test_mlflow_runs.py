"""Runs and registered versions, asked of a real MLflow server over HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from generator.adapters.mlflow_runs import MlflowRuns, runs_of
from generator.errors import GeneratorError
from tests.generator.doctor_parts import answering
from tests.generator.serving_parts import TrackingServer, tracking_server
from tests.ports import held_port

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
    with held_port() as port, pytest.raises(GeneratorError, match="the tracking server does not answer"):
        MlflowRuns(f"http://127.0.0.1:{port}", "secret").tag("0" * 32, "x")


RUN = "/api/2.0/mlflow/runs/get"
VERSION = "/api/2.0/mlflow/model-versions/get"


@pytest.mark.parametrize("body", ["<html>Sign in</html>", {}, [], {"run": None, "model_version": None}])
def test_an_answer_that_is_not_mlflows_is_said(body: object) -> None:
    with answering({RUN: (200, body), VERSION: (200, body)}) as address:
        with pytest.raises(GeneratorError, match="is not MLflow's: check tracking.uri"):
            MlflowRuns(address).tag("0" * 32, "x")
        with pytest.raises(GeneratorError, match="is not MLflow's: check tracking.uri"):
            MlflowRuns(address).run_of("churn", "1")


TOKEN, LOGIN = {"MLFLOW_TRACKING_TOKEN": "t"}, {"MLFLOW_TRACKING_USERNAME": "u", "MLFLOW_TRACKING_PASSWORD": "p"}


@pytest.mark.parametrize(
    ("secret", "environ", "sent"),
    [
        (None, {}, None),
        (None, TOKEN, "Bearer t"),
        ("OURS", TOKEN, "Bearer t"),
        ("OURS", TOKEN | {"OURS": "o"}, "Bearer o"),
        (None, LOGIN, "Basic dTpw"),
        (None, LOGIN | TOKEN, "Basic dTpw"),
        (None, {"MLFLOW_TRACKING_USERNAME": "u"}, None),
    ],
)
def test_the_login_is_the_one_that_mlflow_uses(
    secret: str | None, environ: dict[str, str], sent: str | None
) -> None:
    asked: list[Mapping[str, str]] = []
    with answering({RUN: (200, {"run": {"info": {}, "data": {}}})}, asked=asked) as address:
        runs = runs_of(address, secret, environ)
        assert runs
        assert runs.tag("0" * 32, "x") == ""
    assert [headers.get("Authorization") for headers in asked] == [sent]


def test_a_login_that_lacks_is_asked_for() -> None:
    with answering({RUN: (401, {})}) as address, pytest.raises(GeneratorError, match="MLFLOW_TRACKING_USERNAME"):
        MlflowRuns(address).tag("0" * 32, "x")


@pytest.mark.parametrize("uri", [None, "sqlite:///runs.db"])
def test_what_is_no_server_is_not_asked(uri: str | None) -> None:
    assert runs_of(uri, None, {}) is None
