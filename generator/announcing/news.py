"""What is told, as data: lines for a chat, states of deployments, a release's notes. Nothing is sent here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from generator.adapters.webhook import escaped, link
from generator.config.addresses import commit_url
from generator.config.model import Model
from generator.ledger import Entry, Ledger
from generator.outcome import Needs, Outcome, failed
from generator.plan.naming import deployment_environment
from generator.version import Version

State = Literal["success", "failure", "inactive"]


@dataclass(frozen=True)
class Deployed:
    """The state of one version in one environment."""

    tag: str
    environment: str  # as GitHub knows it
    state: State
    description: str


@dataclass(frozen=True)
class Notes:
    """A release's page on GitHub."""

    tag: str
    title: str
    text: str  # Markdown
    prerelease: bool


@dataclass(frozen=True)
class News:
    """All that is told of one run."""

    chat: str  # mrkdwn
    deployments: tuple[Deployed, ...] = ()
    notes: Notes | None = None


@dataclass(frozen=True)
class Where:
    """Addresses for people; empty where the run is on no runner."""

    repository: str
    run: str

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Where:
        names = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
        server, slug, run = (variables.get(name, "") for name in names)
        repository = f"{server}/{slug}" if server and slug else ""
        return cls(repository, f"{repository}/actions/runs/{run}" if repository and run else "")

    def commit(self, commit: str) -> str:
        return f"{self.repository}/commit/{commit}" if self.repository else ""

    def overlay_commit(self, model: Model, commit: str) -> str:
        """Of a commit in the repository that holds the overlays."""
        return (commit_url(model.overlays_url, commit) or "") if model.separate else self.commit(commit)


def released(model: Model, entry: Entry, before: Entry | None, notes: Notes, where: Where, seen: str) -> News:
    """A release that went through. `seen` is what observe saw."""
    environment = model.targets[0].name
    page = link(f"{where.repository}/releases/tag/{notes.tag}", f"{model.name} {entry.version}")
    lines = [
        f":rocket: {page} is released to {environment}" + (f", where {before.version} ran" if before else ""),
        _metrics(entry),
        escaped(seen),
        link(where.run, "the run"),
    ]
    state = Deployed(
        notes.tag, deployment_environment(model, environment), "success", f"{entry.version} was released"
    )
    return News("\n".join(filter(None, lines)), (state,), notes)


def not_released(model: Model, version: Version, needs: Needs, where: Where, ledger: Ledger | None) -> News:
    """A release that failed. A version that may have reached the environment is not said to have failed there.

    `ledger` is that of the branch's head: a job may fail after its commit has landed, and so may one after it.
    That of a configuration repository is known where the deploy handed it on; None elsewhere.
    """
    jobs, what = ", ".join(failed(needs)) or "a job", escaped(f"{model.name} {version}")
    first, why = model.targets[0].name, f"{link(where.run, 'The run')} says why, and how to go on"
    if ledger and ledger.current and ledger.current.version == str(version):
        text = f":warning: {what} is what {first} shall run, by a commit on the branch, yet {escaped(jobs)} failed"
        return News(f"{text}\n{why}")
    if ledger and str(version) in {entry.version for entry in ledger.history}:
        return News(
            f":x: {what} ran in {first} before; this run of it changed nothing: {escaped(jobs)} failed\n{why}"
        )
    lines = [f":x: {what} was not released: {escaped(jobs)} failed", why]
    if model.separate:
        return News("\n".join(lines))
    environment = deployment_environment(model, first)
    state = Deployed(model.tag(version), environment, "failure", f"{jobs} failed")
    return News("\n".join(lines), (state,))


def superseded(model: Model, version: str, head: Ledger, where: Where, notes: Notes | None = None) -> News:
    """What was released or promoted, and is not what `head` names any more: no success, whoever saw it serve.

    Its `notes` it keeps, unless it was rejected.
    """
    what = f"{escaped(model.name)} {version} in {head.environment}"
    lines = [f":fast_forward: {what} was superseded by {_current(head)}"]
    why = next((item.reason for item in head.rejected if item.version == version), None)
    if why is not None:
        lines.append(f"it was rejected: {escaped(why)}")
    return News(
        "\n".join(filter(None, [*lines, link(where.run, "the run")])), notes=None if why is not None else notes
    )


def _current(head: Ledger) -> str:
    return head.current.version if head.current else "nothing"


def changed(model: Model, outcome: Outcome, where: Where, head: Ledger | None) -> News:
    """A promotion, one that waits for its merge, or a rollback.

    `head` is what the branch says by now: a job that is run again tells of what may be over. None where it is
    not known.
    """
    environment = deployment_environment(model, outcome.environment)
    tag = model.tag(Version(outcome.version))
    by = f"asked for by {escaped(outcome.by)}"
    commit = link(where.overlay_commit(model, outcome.commit), outcome.commit[:12])
    what = f"{escaped(model.name)} {outcome.version}"
    if outcome.what == "proposed":
        waits = link(outcome.url or "", "its pull request")
        return News(f":hourglass: {what} waits for {outcome.environment}: {waits}\n{by}")
    other = head if head and not head.names(outcome.digest) else None
    if outcome.what == "promoted":
        if other:
            return superseded(model, outcome.version, other, where)
        state = Deployed(tag, environment, "success", f"{outcome.version} was promoted")
        before = f", where {outcome.before} ran" if outcome.before else ""
        return News(f":arrow_up: {what} is promoted to {outcome.environment}{before}\n{commit}, {by}", (state,))
    reason = outcome.reason or "no reason given"
    back = Deployed(tag, environment, "success", f"{outcome.version} runs again: {reason}")
    gone = [
        Deployed(model.tag(Version(bad)), environment, "inactive", f"rolled back: {reason}")
        for bad in _before(outcome)
    ]
    text = (
        f":rewind: {escaped(model.name)} in {outcome.environment} is rolled back from {outcome.before} to "
        f"{outcome.version}: {escaped(reason)}\n{commit}, {by}"
    )
    if other:
        return News(f"{text}\n{_current(other)} has come there since", tuple(gone))
    return News(text, (*gone, back))


def not_changed(
    model: Model, kind: str, environment: str, needs: Needs, where: Where, ledger: Ledger | None
) -> News:
    """A promotion or rollback that failed. What shall run there is what the branch's head says."""
    jobs = ", ".join(failed(needs)) or "a job"
    runs = ledger.current.version if ledger and ledger.current else "nothing yet"
    known = "" if model.separate else f"; what shall run there, by the branch: {runs}"
    text = (
        f":x: the {kind} of {escaped(model.name)} in {environment} failed ({escaped(jobs)}){known}\n"
        f"{link(where.run, 'The run')} says why, and how to go on"
    )
    return News(text)


def _before(outcome: Outcome) -> tuple[str, ...]:
    return (outcome.before,) if outcome.before else ()


def _metrics(entry: Entry) -> str:
    shown = [f"{name} {value:.4g}" for name, value in entry.metrics.items() if isinstance(value, float)]
    return escaped(", ".join(shown[:4]))
