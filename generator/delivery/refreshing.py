"""Promotion branches kept on top of the release branch: made again on its head, or deleted where nothing waits.

The version stays the one that was proposed. It is judged again, against what serves by now.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from generator.config.model import Model
from generator.delivery.environment import Environment
from generator.delivery.landing import Deployer
from generator.delivery.promotion import Asked, Edit, Promotion, promotion_branch
from generator.errors import GeneratorError
from generator.ledger import Entry, ledger_at


@dataclass(frozen=True)
class Waiting:
    """A promotion on its branch."""

    commit: str
    entry: Entry
    champion: Entry | None  # that its evidence names


@dataclass(frozen=True)
class Refreshed:
    """A promotion that was made again, and who had asked for it."""

    promotion: Promotion
    by: str


def refresh(model: Model, with_: Deployer) -> Iterator[Refreshed]:
    """The promotions of `model` that are made again, one after another; what became of the others is said.

    The working tree of `with_.git` is that of the one that was just made.
    """
    if with_.git.root.exists():
        shutil.rmtree(with_.git.root)
    with_.git.clone(with_.source, branch=model.overlays_branch)
    for target in model.targets[1:]:
        if target.settings.via == "pull-request" and (done := _refreshed(model, target.name, with_)):
            yield done


def _refreshed(model: Model, environment: str, with_: Deployer) -> Refreshed | None:
    branch, git = promotion_branch(model.name, environment), with_.git
    tip = git.head_of(branch)
    if tip is None:
        return None
    git.fetch(branch)
    head = git.fetch(model.overlays_branch)
    git.reset(head)
    if git.is_ancestor(head, tip) or git.is_ancestor(tip, head):
        return None  # on top already, or merged
    found = Environment(model, environment, with_)
    waiting = _waiting(found, tip, head)
    if waiting is None:
        with_.reporter.say(f"{branch} is left alone: it holds more than one promotion's commit")
        return None
    try:
        return _again(found, waiting, branch)
    except GeneratorError as error:
        with_.reporter.say(f"{branch} is deleted, nothing waits on it any more: {error}")
        git.delete_branch(branch)
        return None


def _waiting(found: Environment, tip: str, head: str) -> Waiting | None:
    """The promotion at `tip`; None where a person has worked on the branch, whose commits are never replaced."""
    git = found.with_.git
    message = git.message_of(tip).splitlines()
    ours = {f"Tagship-Model: {found.model.name}", f"Tagship-Environment: {found.target.name}"}
    if not ours <= set(message) or not git.is_ancestor(f"{tip}^", head):
        return None
    ledger = ledger_at(git, tip, found.overlay)
    if ledger is None or ledger.current is None:
        return None
    return Waiting(tip, ledger.current, next(iter(ledger.history), None))


def _again(found: Environment, waiting: Waiting, branch: str) -> Refreshed | None:
    """Raises GeneratorError where the promotion may no longer come."""
    git, model, entry = found.with_.git, found.model, waiting.entry
    current = found.ledger.current
    if current and current.digest == entry.digest:
        raise GeneratorError(f"{found.target.name} runs {entry.version} by now")
    if found.ledger.current != waiting.champion and model.config.deploy.push.mode != "app":
        # Only an App brings the text of a pull request up to date.
        runs = current.version if current else "nothing"
        raise GeneratorError(f"it was judged against other than {runs}, which runs there now: promote again")
    edit = Edit(model, Asked(found.target.name, entry.by, entry.version), found.with_, waiting=entry)
    landed = edit(git.commit_of("HEAD"))
    if not git.replace_branch(landed.commit, branch, was=waiting.commit):
        found.with_.reporter.say(f"{branch} has moved meanwhile: somebody promoted again")
        return None
    found.with_.reporter.say(f"{branch} is on top of {model.overlays_branch} again, by {landed.commit[:12]}")
    return Refreshed(edit.promotion(landed, branch), entry.by)
