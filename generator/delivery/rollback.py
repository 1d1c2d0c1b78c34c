"""Rollback: an environment goes back to a version that ran there before, and the one that ran is rejected.

It waits for nobody and needs no registry: the earlier digest stands in the ledger. What was rejected is refused by
every later deploy of it, be it a late run or one that is run again.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from generator.artifacts import Line, Rollout
from generator.config.model import Model
from generator.delivery.environment import Environment
from generator.delivery.landing import Deployer, Landed, land
from generator.delivery.promotion import close_promotions
from generator.errors import GeneratorError
from generator.ledger import Ledger


@dataclass(frozen=True)
class Wanted:
    """What somebody asks for. `request` names the asking: asked again under the same name, it is done already."""

    environment: str
    reason: str
    by: str
    to: str | None = None  # a version; None: the last one that is not rejected
    request: str | None = None
    only: str | None = None  # this digest; where another one is current, there is nothing to go back from
    serving: str | None = None  # the digest to go back to rather than to the last one, where that is allowed


@dataclass(frozen=True)
class RolledBack:
    """What runs now, by which commit. `bad` is the version that ran before."""

    bad: str
    version: str
    digest: str
    commit: str
    again: bool = False  # this request did so before


def because_of(seen: Rollout, model: Model, environment: str, by: str, request: str | None) -> Wanted:
    """What a failed rollout asks for. Raises GeneratorError where `seen` is of something else, or did not fail."""
    if (seen.name, seen.environment) != (model.name, environment):
        raise GeneratorError(f"what was observed is {seen.name} in {seen.environment}, not this: it is refused")
    if seen.state != "failed":
        raise GeneratorError(f"what was observed did not fail ({seen.state}): there is no reason to go back")
    reason = f"the rollout failed: {seen.detail}"[:1000]
    return Wanted(environment, reason, by, request=request, only=seen.digest, serving=seen.serving)


def rollback(model: Model, wanted: Wanted, with_: Deployer) -> RolledBack | None:
    """Commits the earlier version to the overlay on the release branch.

    Where this request did so before, nothing is committed; None where something else has come there since, or
    where another digest than the one that was meant is current.
    """
    _check_reason(wanted.reason)
    branch, superseded = model.overlays_branch, False

    def edit(head: str) -> Landed:
        nonlocal superseded
        found = Environment(model, wanted.environment, with_)
        if done := found.done_before(wanted.request):
            with_.reporter.say(f"{branch} has this rollback already, by {done[:12]}: nothing to commit")
            return found.unchanged(done)
        if wanted.only and (superseded := not _is_current(found.ledger, wanted.only)):
            where = wanted.environment
            with_.reporter.say(f"{branch} names another release in {where} meanwhile: nothing to commit")
            return found.unchanged(head)
        ledger = found.ledger.rolled_back(
            wanted.to, reason=wanted.reason, at=with_.now, by=wanted.by, serving=wanted.serving
        )
        assert ledger.current is not None
        bad = ledger.rejected[0].version
        title = f"Roll {model.name} back from {bad} to {ledger.current.version} in {wanted.environment}"
        return found.commit(ledger, found.message(title, ledger.current, wanted.reason, request=wanted.request))

    landed = land(with_, branch, edit)
    if superseded:
        return None
    if landed.changed or with_.git.last_change(f"{landed.overlay}/release.yaml") == landed.commit:
        close_promotions(model, wanted.environment, with_)
        now = landed.ledger.current
        assert now is not None
        bad = landed.ledger.rejected[0].version
        return RolledBack(bad, now.version, now.digest, landed.commit, again=not landed.changed)
    return None


def _is_current(ledger: Ledger, digest: str) -> bool:
    """Whether it is what runs. Raises GeneratorError where it had come by a rollback itself."""
    if not ledger.names(digest):
        return False
    if ledger.by_rollback:
        raise GeneratorError(
            f"what {ledger.environment} runs is itself what a rollback brought: nothing goes back further by "
            "itself, or one fault of the cluster would reject every version. Look at the cluster first; "
            "`generator rollback --reason` goes on"
        )
    return True


def _check_reason(reason: str) -> None:
    try:
        TypeAdapter(Line).validate_python(reason)
    except ValidationError as error:
        raise GeneratorError("the reason is one line of at most 1000 characters") from error
    if not reason.strip():
        raise GeneratorError(
            "a rollback needs a reason: the ledger keeps it, and each refusal of the version says it"
        )
