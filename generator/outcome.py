"""What the jobs of a workflow came to, as the last one is told: read through a strict schema like an artifact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from generator.artifacts import Commit, Digest, Line, NameText, Part, VersionText
from generator.errors import GeneratorError

VARIABLE = "NEEDS"  # holds toJSON(needs)
OUTPUT = "outcome"  # the output of a job that changed an environment


class Outcome(Part):
    """How a promotion or a rollback changed an environment, or proposes to."""

    what: Literal["promoted", "proposed", "rolled-back"]
    model: NameText
    environment: NameText
    version: VersionText  # that runs there now, or would
    before: VersionText | None = None  # that ran there
    digest: Digest
    commit: Commit
    by: Line
    reason: Line | None = None
    url: Line | None = None  # of the pull request


class Ended(Part):
    """A job's end."""

    result: Literal["success", "failure", "cancelled", "skipped"]
    outputs: dict[str, str] | None = None  # act says null where GitHub says {}


Needs = Mapping[str, Ended]


def read_needs(variables: Mapping[str, str]) -> Needs:
    """The ends of the jobs before this one, by name."""
    text = variables.get(VARIABLE)
    if text is None:
        raise GeneratorError(f"this is for the last job of a workflow: {VARIABLE} is not set")
    try:
        return TypeAdapter(dict[str, Ended]).validate_json(text)
    except ValidationError as error:
        raise GeneratorError(f"{VARIABLE} is not what GitHub says of jobs: {_first(error)}") from error


def failed(needs: Needs) -> list[str]:
    """The jobs that did not end well. A skipped one was not wanted, or waited for one of these."""
    return [name for name, job in needs.items() if job.result in ("failure", "cancelled")]


def read_outcome(needs: Needs, *, model: str, environment: str) -> Outcome | None:
    """What was handed on, the rollback of a promotion or release before that; None where nothing changed.

    Raises GeneratorError where it is about something else.
    """
    done = [job.outputs or {} for job in needs.values() if job.result == "success"]
    outcomes = [_outcome(outputs[OUTPUT], model, environment) for outputs in done if outputs.get(OUTPUT)]
    back = (outcome for outcome in outcomes if outcome.what == "rolled-back")
    return next(back, outcomes[0] if outcomes else None)


def _outcome(text: str, model: str, environment: str) -> Outcome:
    try:
        outcome = Outcome.model_validate_json(text)
    except ValidationError as error:
        raise GeneratorError(f"the outcome is refused: {_first(error)}") from error
    if (outcome.model, outcome.environment) != (model, environment):
        raise GeneratorError(
            f"the outcome is refused: it is that of {outcome.model} in {outcome.environment}, "
            f"not of {model} in {environment}"
        )
    return outcome


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    where = ".".join(str(step) for step in first["loc"])
    return f"{where}: {first['msg']}" if where else str(first["msg"])
