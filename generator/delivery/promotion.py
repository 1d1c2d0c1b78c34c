"""Promotion: what the environment before runs comes to the next one, by a commit or by a pull request.

Nothing is built again: the digest stands in the ledger. It is judged against what serves in the environment it
comes to, and what was rejected in either does not pass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from generator.config.addresses import https_of
from generator.config.model import Model
from generator.delivery.environment import Environment
from generator.delivery.landing import Deployer, Landed, land
from generator.errors import GeneratorError
from generator.judging import judge
from generator.ledger import Entry, Ledger
from generator.overlay import image_of


@dataclass(frozen=True)
class Asked:
    """What somebody asks for."""

    environment: str
    by: str
    version: str | None = None  # only this one, whatever the environment before runs by now
    request: str | None = None  # names the asking, such as a workflow's run


@dataclass(frozen=True)
class Evidence:
    """What speaks for a promotion."""

    model: str
    source: str  # the environment it comes from
    environment: str
    entry: Entry
    champion: Entry | None  # what serves there now
    passed: tuple[str, ...]  # sentences of the gate


@dataclass(frozen=True)
class Promotion:
    """A commit that brings the version: on the release branch, or on a branch of its own."""

    evidence: Evidence
    commit: str
    branch: str
    changed: bool  # False: the environment runs it already
    again: bool = False  # and that by this request's own commit


def promotion_branch(model: str, environment: str) -> str:
    """The one branch on which a promotion of `model` to `environment` waits for its merge."""
    return f"tagship/{model}/{environment}"


def compare_link(model: Model, branch: str) -> str | None:
    """Where a person opens the pull request of `branch`; None where model.yaml names no address."""
    url = https_of(model.overlays_url or "")
    if not url.startswith("https://"):
        return None
    return f"{url.removesuffix('.git')}/compare/{model.overlays_branch}...{branch}?expand=1"


def source_of(model: Model, environment: str) -> str:
    """The environment that `environment` gets its versions from: the one listed before it."""
    names = [target.name for target in model.targets]
    place = names.index(model.target(environment).name)
    if place == 0:
        raise GeneratorError(
            f"{environment} is {model.name}'s first environment: tags deploy to it (`generator release`), "
            "and nothing is promoted there"
        )
    return names[place - 1]


def promote(model: Model, asked: Asked, with_: Deployer) -> Promotion:
    """Commits the version to the overlay on the release branch."""
    edit = Edit(model, asked, with_)
    branch = model.overlays_branch
    landed = land(with_, branch, edit)
    return edit.promotion(landed, branch)


def propose(model: Model, asked: Asked, with_: Deployer) -> Promotion:
    """Commits the version to the promotion branch, on the release branch's head; replaces what was there."""
    edit = Edit(model, asked, with_)
    branch = promotion_branch(model.name, asked.environment)
    # Where no App keeps the pull request's text up to date, the old one is closed with its branch.
    fresh = model.config.deploy.push.mode != "app"
    landed = land(with_, model.overlays_branch, edit, push=_replacing(with_, branch, fresh=fresh))
    return edit.promotion(landed, branch)


def _replacing(with_: Deployer, branch: str, *, fresh: bool) -> Callable[[str], bool]:
    def push(commit: str) -> bool:
        if fresh:
            with_.git.delete_branch(branch)
        with_.git.replace_branch(commit, branch)
        with_.reporter.say(f"pushed {commit[:12]} to {branch}")
        return True

    return push


def close_promotions(model: Model, environment: str, with_: Deployer) -> None:
    """Deletes the branches on which what ran in `environment` waits: to come there, or to go on from there.

    That closes their pull requests. What cannot be deleted is said: the required check refuses it.
    """
    names = [target.name for target in model.targets]
    place = names.index(environment)
    for name in names[place:]:
        branch = promotion_branch(model.name, name)
        try:
            if with_.git.delete_branch(branch):
                with_.reporter.say(f"deleted {branch}: a promotion from before waits no longer")
        except GeneratorError as error:
            with_.reporter.say(str(error))


class Edit:
    """The edit of a head, and the evidence that it was made on.

    `waiting` is what was promoted before, and waits for its merge; None: what the environment before runs now.
    """

    def __init__(self, model: Model, asked: Asked, with_: Deployer, *, waiting: Entry | None = None) -> None:
        self.model, self.name, self.asked, self.with_ = model, model.name, asked, with_
        self.waiting = waiting
        source_of(model, asked.environment)
        self.evidence: Evidence | None = None
        self.again = False

    def promotion(self, landed: Landed, branch: str) -> Promotion:
        assert self.evidence is not None
        return Promotion(self.evidence, landed.commit, branch, landed.changed, again=self.again)

    def __call__(self, _head: str) -> Landed:
        found = Environment(self.model, self.asked.environment, self.with_)
        source = Environment(self.model, source_of(found.model, found.target.name), self.with_)
        entry = (
            _still_known(source.ledger, self.waiting) if self.waiting else _candidate(source.ledger, self.asked)
        )
        current = found.ledger.current
        there = current is not None and (current.version, current.digest) == (entry.version, entry.digest)
        if there and found.with_.git.last_change(found.ledger_path) == found.done_before(self.asked.request):
            self.again, current = True, next(iter(found.ledger.history), None)
        passed = () if there else self._judged(found, entry)
        self.evidence = Evidence(self.name, source.target.name, found.target.name, entry, current, passed)
        if there:
            self.with_.reporter.say(f"{found.target.name} runs {entry.version} already: nothing to commit")
            return found.unchanged()
        entry = entry.model_copy(update={"at": self.with_.now, "by": self.asked.by})
        self._not_rejected_before(found, entry)
        ledger = found.ledger.with_release(entry)
        title = f"Promote {self.name} {entry.version} from {source.target.name} to {found.target.name}"
        repository = image_of(source.kustomization_text(), source.kustomization).repository
        message = found.message(title, entry, request=self.asked.request)
        return found.commit(ledger, message, repository=repository)

    def _not_rejected_before(self, found: Environment, entry: Entry) -> None:
        """What any earlier environment rejected goes no further, wherever it runs still."""
        names = [target.name for target in found.model.targets]
        for name in names[: names.index(found.target.name)]:
            for item in Environment(self.model, name, self.with_).ledger.rejected:
                if item.digest == entry.digest or item.version == entry.version:
                    raise GeneratorError(f"{entry.version} was rejected in {name}: {item.reason}")

    def _judged(self, found: Environment, entry: Entry) -> tuple[str, ...]:
        verdict = judge(
            entry.version,
            entry.metrics,
            found.model.config.gate,
            found.ledger,
            model_file=found.model.shown,
            say=self.with_.reporter.say,
        )
        if verdict.failures:
            failures = "\n".join(f"  {failure}" for failure in verdict.failures)
            raise GeneratorError(
                f"{self.name} {entry.version} does not pass the gate of {found.target.name}:\n{failures}"
            )
        return verdict.sentences


def _candidate(source: Ledger, asked: Asked) -> Entry:
    """What the environment before runs, if that is what was asked for."""
    entry = source.current
    if entry is None:
        raise GeneratorError(f"{source.environment} was never released: there is nothing to promote from it")
    if asked.version is not None and asked.version != entry.version:
        raise GeneratorError(
            f"{source.environment} runs {entry.version}, not {asked.version}: only what runs there is promoted"
        )
    return entry


def _still_known(source: Ledger, waiting: Entry) -> Entry:
    """What waits, as the environment before has it in its ledger: a branch is no proof that it ran there."""
    known: tuple[Entry, ...] = (*((source.current,) if source.current else ()), *source.history)
    for entry in known:
        if (entry.version, entry.digest) == (waiting.version, waiting.digest):
            return entry
    raise GeneratorError(f"{waiting.version} never ran in {source.environment}")
