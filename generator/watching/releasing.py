"""What GitHub's runs of the release workflow say of a release that has not come to its overlay yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, Protocol

from generator.adapters.github.runs import JobFacts, RunFacts
from generator.config.model import Model, Target
from generator.errors import GeneratorError
from generator.ledger import Ledger
from generator.plan.naming import workflow_file
from generator.plan.pipeline import JOBS, Stage
from generator.version import Version
from generator.watching.standing import Standing, State, moment

_STATES = {
    Stage.TRAIN: State.TRAINING,
    Stage.PACKAGE: State.BUILDING,
    Stage.PUBLISH: State.PUSHING,
    Stage.DEPLOY: State.DEPLOYING,
}
FASTEST, PER_MODEL = 15, 6  # seconds between two looks at the same thing
_BAD = ("failure", "timed_out", "cancelled", "startup_failure", "action_required")


class Runs(Protocol):
    """Runs of workflows; see adapters.github.runs."""

    def newest(self, workflow: str) -> list[RunFacts]: ...
    def jobs(self, run: int) -> list[JobFacts]: ...


class Patient:
    """The same, asked again only after some seconds: who watches must not use up GitHub's limit.

    The more `models` there are, the longer: all together ask 1800 times an hour at most, of the 5000 that a
    person's token has. A refusal counts for all, and as long.
    """

    def __init__(self, runs: Runs, *, now: Callable[[], float], models: int = 1) -> None:
        self._runs, self._now, self._seconds = runs, now, max(FASTEST, PER_MODEL * models)
        self._kept: dict[str | int, tuple[float, Any]] = {}
        self._refused: tuple[float, GeneratorError] | None = None

    def newest(self, workflow: str) -> list[RunFacts]:
        found: list[RunFacts] = self._asked(workflow, lambda: self._runs.newest(workflow))
        return found

    def jobs(self, run: int) -> list[JobFacts]:
        found: list[JobFacts] = self._asked(run, lambda: self._runs.jobs(run))
        return found

    def _asked(self, what: str | int, ask: Callable[[], Any]) -> Any:
        if what in self._kept and self._recent(self._kept[what][0]):
            return self._kept[what][1]
        if self._refused and self._recent(self._refused[0]):
            raise self._refused[1]
        try:
            found = ask()
        except GeneratorError as error:
            self._refused = (self._now(), error)
            raise
        self._kept[what] = (self._now(), found)
        return found

    def _recent(self, at: float) -> bool:
        return self._now() - at < self._seconds


def releasing(model: Model, target: Target, ledger: Ledger | None, runs: Runs) -> Standing | None:
    """Where a release is on its way to `target`, the first environment; None where its overlay has them all.

    One that goes on stands before a newer one that failed. What the other one does is told beside it.
    """
    workflow = PurePosixPath(workflow_file("release", model)).name
    tagged = [(version, run) for run in runs.newest(workflow) if (version := _version(model, run.ref))]
    rows = []
    for version, run in _underway(tagged, ledger):
        row = Standing(model.name, target.name, "", State.FAILED, version, since=run.started_at)
        rows.append(_placed(row, run, {job.name: job for job in runs.jobs(run.id)}))
    if not rows:
        return None
    beside = (words for other in rows[1:] for words in (other.told, other.detail))
    return replace(rows[0], detail="; ".join(filter(None, (rows[0].detail, *beside))))


def _underway(tagged: list[tuple[str, RunFacts]], ledger: Ledger | None) -> list[tuple[str, RunFacts]]:
    """Two at most, each costs a call: the newest that goes on; the newest of all where it failed, or another.

    An older run whose version the overlay has passed goes on in vain.
    """
    newest, coming = tagged[:1], [one for one in tagged if not _arrived(*one, ledger)]
    going = [one for one in coming if not one[1].conclusion and (one in newest or not _passed(one[0], ledger))]
    failed = [one for one in newest if one in coming and one[1].conclusion not in ("", "success")]
    return [*going[:1], *failed, *going[1:]][:2]


def _version(model: Model, ref: str) -> str:
    """Of a tag; empty for a branch, on which somebody started the workflow by hand, whatever it is called."""
    try:
        return str(Version.parse(ref.removeprefix(model.tag_prefix))) if ref.startswith(model.tag_prefix) else ""
    except GeneratorError:
        return ""


def _arrived(version: str, run: RunFacts, ledger: Ledger | None) -> bool:
    """Whether the overlay has had that version, or has passed it with a younger commit than the run."""
    if ledger is None or ledger.current is None:
        return False
    known = {ledger.current.version, *(entry.version for entry in ledger.history)}
    if version in known:
        return True
    began, committed = moment(run.started_at), moment(ledger.current.at)
    return bool(run.conclusion and _passed(version, ledger) and began and committed and committed > began)


def _passed(version: str, ledger: Ledger | None) -> bool:
    """Whether the overlay has had that version, or a higher one."""
    highest = ledger.highest if ledger else None
    return highest is not None and Version(version) <= highest


def _placed(row: Standing, run: RunFacts, jobs: dict[str, JobFacts]) -> Standing:
    """The first job that has not succeeded says it."""
    state, since = State.TRAINING, run.started_at
    for job in JOBS:
        state = _STATES.get(job.stages[0], State.DEPLOYING)
        facts = jobs.get(job.name.capitalize())
        if facts is None or facts.status != "completed":
            break
        if facts.conclusion in _BAD:
            step = f", at “{facts.failed_step}”" if facts.failed_step else ""
            why = f"job {facts.name}: {facts.conclusion}{step}: {facts.url or run.url}"
            return _with(row, State.FAILED, facts.completed_at or since, why)
        since = max(since, facts.completed_at)  # that of an earlier attempt may be long ago
    if run.conclusion:
        return _with(row, State.FAILED, since, f"the run ended as {run.conclusion}: {run.url}")
    waits = "waits for an approval" if facts and facts.status == "waiting" else ""
    began = facts.started_at if facts and facts.status == "in_progress" else ""
    return _with(row, state, began or since, waits)


def _with(row: Standing, state: State, since: str, detail: str) -> Standing:
    return Standing(row.model, row.environment, row.cluster, state, row.version, since, detail=detail)
