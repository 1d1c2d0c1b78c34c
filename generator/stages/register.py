"""register: makes the trained model a version of the registered model, with the alias `candidate`.

The harness finds the version that an earlier, killed try made: one release has one version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from generator.adapters.output import Masking
from generator.artifacts import GateReport, RegisteredModel, TrainedModel
from generator.errors import GeneratorError
from generator.ports import Environments, Harness, Reporter
from generator.release import Release
from generator.training.environment import find_environment
from generator.training.found import EMBEDDED, SCRIPTS_OWN, public_uri
from generator.training.problems import About, problem_message
from generator.training.script_check import read_script
from generator.training.variables import script_variables

ALIAS = "candidate"


@dataclass(frozen=True)
class Registrar:
    """What a registration works with."""

    environments: Environments
    harness: Harness
    variables: Mapping[str, str]  # the caller's environment
    reporter: Reporter


def register(
    release: Release,
    trained: TrainedModel,
    report: GateReport,
    with_: Registrar,
    *,
    tracking_uri: str | None = None,
    registry: bool | None = None,
) -> RegisteredModel:
    """Registers `trained`, which `report` let pass, under the model's name.

    `tracking_uri` is what train was given, by default tracking.uri of model.yaml. `registry` says whether
    that is one which outlives the release; by default exactly a tracking server is.
    """
    if (report.run_id, report.model_sha256) != (trained.run_id, trained.model_sha256):
        raise GeneratorError("gate.json is about another training; run `generator stage gate` again")
    server = release.model.config.tracking.uri
    outlives = registry if registry is not None else server is not None
    uri = _uri_of_run(release, trained, tracking_uri or server) if outlives else None
    if uri is None:
        with_.reporter.say(f"{_why_not(release, trained)}: nothing is registered")
        return _artifact(release, trained, None, None)
    answer = _ask(release, trained, with_, uri)
    if not answer.get("alias"):
        with_.reporter.say(f"the registry has no alias {ALIAS}: {answer.get('alias_error')}")
    name, version = release.model.name, _version(answer)
    with_.reporter.say(f"{name} version {version}, {'registered' if answer.get('created') else 'as before'}")
    return _artifact(release, trained, name, version)


def _why_not(release: Release, trained: TrainedModel) -> str:
    if release.rehearsal and trained.tracking_uri not in (EMBEDDED, SCRIPTS_OWN):
        return f"the script sends its runs to {trained.tracking_uri}, whose registry a rehearsal leaves as it is"
    return "the run is in no tracking store that outlives this job"


def _version(answer: dict[str, Any]) -> int:
    try:
        return int(answer["version"])
    except (KeyError, TypeError, ValueError) as error:
        raise GeneratorError(f"what MLflow answered about the version is not understood: {error!r}") from error


def _artifact(release: Release, trained: TrainedModel, name: str | None, version: int | None) -> RegisteredModel:
    return RegisteredModel(
        **release.identity,
        run_id=trained.run_id,
        registered=name,
        registered_version=version,
    )


def _uri_of_run(release: Release, trained: TrainedModel, configured: str | None) -> str | None:
    """The store that holds the run, with what train.json leaves out of its address; None for a script's own file.

    A script that sends its runs to a server of its own gets its version there; but not in a rehearsal, which
    promises that the user's registry stays as it is.
    """
    if configured is not None and trained.tracking_uri == public_uri(configured):
        return configured
    if release.rehearsal or trained.tracking_uri in (EMBEDDED, SCRIPTS_OWN):
        return None
    literals = read_script(release.model, release.root).tracking_uris
    return next((uri for uri in literals if public_uri(uri) == trained.tracking_uri), trained.tracking_uri)


def _ask(release: Release, trained: TrainedModel, with_: Registrar, uri: str) -> dict[str, Any]:
    python = find_environment(release, with_.environments, trained.lock_sha256, with_.variables, with_.reporter)
    home = release.work / "home"
    home.mkdir(parents=True, exist_ok=True)
    variables = script_variables(
        release, with_.variables, folder=release.root, home=home, python=python, tracking_uri=uri
    )
    request = {
        "tracking_uri": uri,
        "model_uri": trained.model_uri,
        "run_id": trained.run_id,
        "name": release.model.name,
        "release": release.id,
        "tags": {},
        "alias": ALIAS,
        "commit": release.commit,
    }
    answer = with_.harness.call(python, "register", request, env=variables.harness, secrets=variables.secrets)
    if not answer["ok"]:
        about = About(release.model.config.train.script, release.model.lock_file, release.model.shown, ())
        raise GeneratorError(Masking(variables.secrets)(problem_message(answer["problem"], about)))
    return answer
