"""What happened, read from where it stands: the jobs' ends, the handed-on artifacts, the ledger of the commit."""

from __future__ import annotations

from pathlib import Path

from generator.adapters.git import GitRepository
from generator.announcing.news import News, Where, changed, not_changed, not_released, released, superseded
from generator.announcing.notes import notes_of
from generator.artifacts import OverlayCommit, Rollout
from generator.config.model import Model
from generator.errors import GeneratorError
from generator.ledger import Ledger, ledger_at, read_ledger
from generator.outcome import Needs, failed, read_outcome
from generator.plan.pipeline import JOBS, Stage
from generator.release import Release
from generator.wiring import pushing

JOB_NAMES = frozenset(job.name for job in JOBS)


def release_news(release: Release, needs: Needs, where: Where) -> News:
    """A release's end. Digest, metrics and the version before come from the ledger that the deploy committed.

    Whether it still is what shall run, the branch's head says: somebody may have rolled it back meanwhile.
    """
    model, git = release.model, GitRepository(release.root)
    first = model.targets[0].name
    head = _head_ledger(git, model, first)
    if back := read_outcome(needs, model=model.name, environment=first):
        return changed(model, back, where, head)
    if failed(needs) or any(job.result == "skipped" for name, job in needs.items() if name in JOB_NAMES):
        if model.separate and (job := needs.get(Stage.DEPLOY)) and job.result == "success":
            head = _handed_on(release.read(Stage.DEPLOY, OverlayCommit))
        return not_released(model, release.version, needs, where, head)
    deployed = release.read(Stage.DEPLOY, OverlayCommit)
    seen = release.read(Stage.OBSERVE, Rollout)
    overlay = model.overlay(first)
    ledger = _handed_on(deployed) if model.separate else ledger_at(git, deployed.overlay_commit, overlay)
    entry = ledger.current if ledger else None
    if ledger is None or entry is None or (entry.version, entry.digest) != (str(release.version), deployed.digest):
        raise GeneratorError(
            f"deploy.json names commit {deployed.overlay_commit[:12]}, whose ledger does not say that "
            f"{release.version} runs as {deployed.digest}; the artifact is refused"
        )
    before = ledger.history[0] if ledger.history else None
    notes = notes_of(model, entry, before, deployed, where)
    if head and not head.names(entry.digest):
        return superseded(model, entry.version, head, where, notes)
    return released(model, entry, before, notes, where, f"{seen.state}: {seen.detail}")


def change_news(model: Model, kind: str, environment: str, needs: Needs, where: Where, root: Path) -> News | None:
    """A promotion's or rollback's end; None where nothing changed, and so nothing is told."""
    model.target(environment)
    outcome = read_outcome(needs, model=model.name, environment=environment)
    ended_badly = failed(needs) and not (outcome and outcome.what == "rolled-back")
    if not (outcome or ended_badly):
        return None
    head = _head_ledger(GitRepository(root), model, environment)
    if outcome is None or ended_badly:
        return not_changed(model, kind, environment, needs, where, head)
    return changed(model, outcome, where, head)


def _handed_on(deployed: OverlayCommit) -> Ledger | None:
    """The ledger of a configuration repository, as the deploy committed it there."""
    return read_ledger(deployed.ledger, f"{deployed.overlay}/release.yaml") if deployed.ledger else None


def _head_ledger(git: GitRepository, model: Model, environment: str) -> Ledger | None:
    """The environment's, as the release branch has it now: a checkout has it as it was when the run began.

    None with a configuration repository, too: this job has no key to that.
    """
    if model.separate:
        return None
    head = pushing(git.root).fetch(model.config.repository.branch)
    return ledger_at(git, head, model.overlay(environment))
