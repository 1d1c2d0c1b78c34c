"""The register stage: when there is a registry, which, and in which environment it is asked."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from generator.artifacts import GateReport, RegisteredModel, TrainedModel
from generator.disk import file_sha256
from generator.errors import GeneratorError
from generator.release import Release
from generator.stages.register import Registrar, register
from tests.generator.test_gate import trained_with
from tests.generator.trainings import SharedEnvironments, Told, Training, prepare

SCRIPT = "import mlflow\nmlflow.autolog()\n"
SERVER = "tracking: {uri: https://mlflow.example.com}\n"


@dataclass
class Registry:
    """Answers as the harness does."""

    answer: dict[str, Any] = field(
        default_factory=lambda: {"ok": True, "name": "churn", "version": "3", "created": True, "alias": True}
    )
    asked: list[dict[str, Any]] = field(default_factory=list)

    def call(
        self,
        python: Path,
        command: str,
        request: Mapping[str, Any],
        *,
        env: Mapping[str, str],
        secrets: Sequence[str] = (),
    ) -> dict[str, Any]:
        assert command == "register"
        self.asked.append(dict(request))
        return self.answer


@dataclass
class Case:
    release: Release
    trained: TrainedModel
    report: GateReport
    environments: SharedEnvironments
    registry: Registry
    told: Told
    variables: Mapping[str, str] = field(default_factory=dict)

    def run(self, **more: Any) -> RegisteredModel:
        with_ = Registrar(self.environments, self.registry, self.variables, self.told)
        return register(self.release, self.trained, self.report, with_, **more)


def case(tmp_path: Path, tracking_uri: str, *, more: str = "", script: str = SCRIPT) -> Case:
    environments = SharedEnvironments(Path(sys.executable))
    training: Training = prepare(tmp_path, script, more=more, environments=environments, train_keys="timeout: 60")
    release = training.release
    trained = trained_with(accuracy=0.9).model_copy(
        update={
            "commit": release.commit,
            "tracking_uri": tracking_uri,
            "lock_sha256": file_sha256(release.root / "requirements.lock"),
        }
    )
    report = GateReport(
        **release.identity, environment="production", run_id="run1", model_sha256=trained.model_sha256, checks=()
    )
    return Case(release, trained, report, environments, Registry(), Told())


def test_a_tracking_server_gets_the_version(tmp_path: Path) -> None:
    given = case(tmp_path, "https://mlflow.example.com", more=SERVER)
    registered = given.run()
    assert (registered.registered, registered.registered_version) == ("churn", 3)
    assert given.registry.asked == [
        {
            "tracking_uri": "https://mlflow.example.com",
            "model_uri": "models:/m-1",
            "run_id": "run1",
            "name": "churn",
            "release": "churn-1.2.3",
            "tags": {},
            "alias": "candidate",
            "commit": given.release.commit,
        }
    ]
    assert "churn version 3, registered" in given.told.said


def test_without_a_server_nothing_is_registered_and_that_is_said(tmp_path: Path) -> None:
    given = case(tmp_path, "embedded")
    registered = given.run()
    assert (registered.registered, registered.registered_version) == (None, None)
    assert given.registry.asked == []
    assert given.environments.created == 0
    assert given.told.said == ["the run is in no tracking store that outlives this job: nothing is registered"]


def test_a_rehearsals_database_counts_as_a_registry(tmp_path: Path) -> None:
    given = case(tmp_path, "embedded")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    assert given.run(tracking_uri=uri, registry=True).registered_version == 3
    assert given.registry.asked[0]["tracking_uri"] == uri


def test_a_database_of_the_scripts_own_is_none(tmp_path: Path) -> None:
    given = case(tmp_path, "embedded, the script's own")
    assert given.run(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db", registry=True).registered is None


def test_a_server_of_the_scripts_own_is_asked_with_the_address_in_the_script(tmp_path: Path) -> None:
    script = f"{SCRIPT}mlflow.set_tracking_uri('https://ada:pass@own.example.com/')\n"
    given = case(tmp_path, "https://own.example.com", more=SERVER, script=script)
    given.run()
    assert given.registry.asked[0]["tracking_uri"] == "https://ada:pass@own.example.com/"


def test_a_rehearsal_leaves_a_server_of_the_scripts_own_as_it_is(tmp_path: Path) -> None:
    script = f"{SCRIPT}mlflow.set_tracking_uri('http://mlflow.prod:5000')\n"
    given = case(tmp_path, "http://mlflow.prod:5000", script=script)
    given = replace(given, release=replace(given.release, rehearsal=True))
    registered = given.run(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db", registry=True)
    assert (registered.registered, given.registry.asked) == (None, [])
    assert (
        "the script sends its runs to http://mlflow.prod:5000, whose registry a rehearsal" in given.told.said[-1]
    )


def test_the_environment_is_made_again_once_where_it_is_gone(tmp_path: Path) -> None:
    given = case(tmp_path, "https://mlflow.example.com", more=SERVER)
    given.run()
    given.run()
    assert given.environments.created == 1


def test_another_lock_than_the_trainings_is_refused(tmp_path: Path) -> None:
    given = case(tmp_path, "https://mlflow.example.com", more=SERVER)
    given.trained = given.trained.model_copy(update={"lock_sha256": "0" * 64})
    with pytest.raises(
        GeneratorError, match=r"requirements\.lock is not the lock that churn-1\.2\.3 was trained with"
    ):
        given.run()


def test_a_report_about_another_training_is_refused(tmp_path: Path) -> None:
    given = case(tmp_path, "https://mlflow.example.com", more=SERVER)
    given.report = given.report.model_copy(update={"run_id": "run0"})
    with pytest.raises(GeneratorError, match=r"gate\.json is about another training"):
        given.run()


def test_a_registry_without_aliases_is_said(tmp_path: Path) -> None:
    given = case(tmp_path, "https://mlflow.example.com", more=SERVER)
    given.registry.answer |= {"alias": False, "alias_error": "not implemented", "created": False}
    given.run()
    assert given.told.said[-2:] == [
        "the registry has no alias candidate: not implemented",
        "churn version 3, as before",
    ]


def test_a_failure_is_put_into_words_without_secrets(tmp_path: Path) -> None:
    given = case(
        tmp_path, "https://mlflow.example.com", more="tracking: {uri: https://mlflow.example.com, secret: TOKEN}\n"
    )
    given = replace(given, variables={"TOKEN": "s3cret-token"})
    given.registry.answer = {
        "ok": False,
        "problem": {"kind": "registry-failed", "name": "churn", "error": "403 for s3cret-token"},
    }
    with pytest.raises(GeneratorError) as caught:
        given.run()
    assert str(caught.value) == "churn could not be registered: 403 for ***; run the stage again"


@pytest.mark.parametrize("version", ["three", None, [3]])
def test_an_answer_without_a_version_is_an_error(tmp_path: Path, version: object) -> None:
    given = case(tmp_path, "https://mlflow.example.com", more=SERVER)
    given.registry.answer["version"] = version
    with pytest.raises(GeneratorError, match="about the version is not understood"):
        given.run()
