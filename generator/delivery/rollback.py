"""Rollback: an environment goes back to a version that ran there before, and the one that ran is rejected.

It waits for nobody and needs no registry: the earlier digest stands in the ledger. What was rejected is refused by
every later deploy of it, be it a late run or one that is run again.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from generator.artifacts import Line
from generator.config.model import Model
from generator.delivery.environment import Environment
from generator.delivery.landing import Deployer, Landed, land
from generator.delivery.promotion import close_promotions
from generator.errors import GeneratorError


@dataclass(frozen=True)
class Wanted:
    """What somebody asks for. `request` names the asking: asked again under the same name, it is done already."""

    environment: str
    reason: str
    by: str
    to: str | None = None  # a version; None: the last one that is not rejected
    request: str | None = None


@dataclass(frozen=True)
class RolledBack:
    """What runs now, by which commit. `bad` is the version that ran before."""

    bad: str
    version: str
    digest: str
    commit: str
    again: bool = False  # this request did so before


def rollback(model: Model, wanted: Wanted, with_: Deployer) -> RolledBack | None:
    """Commits the earlier version to the overlay on the release branch.

    Where this request did so before, nothing is committed; None where something else has come there since.
    """
    _check_reason(wanted.reason)
    branch = model.overlays_branch

    def edit(_head: str) -> Landed:
        found = Environment(model, wanted.environment, with_)
        if done := found.done_before(wanted.request):
            with_.reporter.say(f"{branch} has this rollback already, by {done[:12]}: nothing to commit")
            return found.unchanged(done)
        ledger = found.ledger.rolled_back(wanted.to, reason=wanted.reason, at=with_.now, by=wanted.by)
        assert ledger.current is not None
        bad = ledger.rejected[0].version
        title = f"Roll {model.name} back from {bad} to {ledger.current.version} in {wanted.environment}"
        return found.commit(ledger, found.message(title, ledger.current, wanted.reason, request=wanted.request))

    landed = land(with_, branch, edit)
    if landed.changed or with_.git.last_change(f"{landed.overlay}/release.yaml") == landed.commit:
        close_promotions(model, wanted.environment, with_)
        now = landed.ledger.current
        assert now is not None
        bad = landed.ledger.rejected[0].version
        return RolledBack(bad, now.version, now.digest, landed.commit, again=not landed.changed)
    return None


def _check_reason(reason: str) -> None:
    try:
        TypeAdapter(Line).validate_python(reason)
    except ValidationError as error:
        raise GeneratorError("the reason is one line of at most 1000 characters") from error
    if not reason.strip():
        raise GeneratorError(
            "a rollback needs a reason: the ledger keeps it, and each refusal of the version says it"
        )
