"""`generator bootstrap github`: what the repository's settings are, what they shall be, and the steps between.

A proposal is data: shown as a table, then carried out on request. Nothing is ever made more permissive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from generator.adapters.github import GitHub
from generator.adapters.github.environments import EnvironmentSettings
from generator.adapters.github.facts import RepositoryFacts, Reviewer
from generator.adapters.github.refusals import NotOffered
from generator.adapters.github.rulesets import Ruleset
from generator.bootstrap import github_notes as notes
from generator.bootstrap.github_environments import WantedEnvironment, settled, wanted_environments
from generator.bootstrap.github_people import Wishes, reviewers_of, team_of
from generator.bootstrap.github_rules import Actor, WantedRules, missing_actors, stricter, unpinned, wanted_rules
from generator.config.workspace import Workspace
from generator.errors import GeneratorError
from generator.plan.workflows import REQUIRED_CHECK

NOTHING = "-"


@dataclass(frozen=True)
class Line:
    """A row of the table."""

    what: str
    now: str
    wanted: str
    change: str = NOTHING


@dataclass(frozen=True)
class SetEnvironment:
    """An environment gets these settings; `before` are those it has."""

    name: str
    settings: EnvironmentSettings
    before: EnvironmentSettings | None


@dataclass(frozen=True)
class SetRuleset:
    """A ruleset becomes this one."""

    ruleset: Ruleset


@dataclass
class Proposal:
    """What would be done, what stands in the way of the rest, and what a person should know."""

    lines: list[Line] = field(default_factory=list)
    steps: list[SetEnvironment | SetRuleset] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unmet: list[str] = field(default_factory=list)  # wanted, and not reached by the steps


def address_of(workspace: Workspace, origin: str | None) -> str:
    """Where the repository is: what model.yaml says, else the remote."""
    for model in workspace:
        if model.config.repository.url:
            return model.config.repository.url
    if origin is None:
        raise GeneratorError(
            "no repository is named: set `repository.url` in model.yaml, or add a remote `origin`"
        )
    return origin


def propose(github: GitHub, workspace: Workspace, wishes: Wishes) -> Proposal:
    """Reads the repository's settings and compares. Changes nothing."""
    facts = github.facts.repository()
    if facts is None:
        raise GeneratorError(
            f"GitHub shows this token no repository {github.slug}: check `repository.url` and the token's rights"
        )
    made = Proposal()
    made.notes += notes.of_repository(facts, workspace)
    reviewers = reviewers_of(github, facts, wishes)
    wanted = wanted_environments(workspace)
    for environment in wanted:
        _environment(github, environment, reviewers, made)
    if reviewers and not any(one.approval for one in wanted):
        made.notes.append("no environment has `approval: true`: nobody is asked, and --reviewer changes nothing")
    _rulesets(github, workspace, facts, wishes, made)
    made.notes += notes.of_push(github, workspace, app=wishes.app is not None)
    made.notes += notes.of_actions(github)
    return made


def _environment(
    github: GitHub, wanted: WantedEnvironment, reviewers: tuple[Reviewer, ...], made: Proposal
) -> None:
    found = github.environments.get(wanted.name)
    becomes = settled(wanted, found, reviewers)
    what = f"environment {wanted.name}"
    made.lines.append(Line(what, _refs(found), _refs(becomes), _change(found, _refs(found) != _refs(becomes))))
    if wanted.approval:
        have, shall = _people(found.reviewers if found else ()), _people(becomes.reviewers)
        made.lines.append(Line("  who approves", have, shall, _change(found, have != shall)))
        made.notes += notes.of_reviewers(wanted.name, found, reviewers)
        if not becomes.reviewers:
            made.unmet.append(f"{wanted.name}: nobody is asked; name them with --reviewer USER or @ORG/TEAM")
    if found != becomes:
        made.steps.append(SetEnvironment(wanted.name, becomes, found))
    made.notes += notes.of_values(github, wanted, exists=found is not None)


def _rulesets(
    github: GitHub, workspace: Workspace, facts: RepositoryFacts, wishes: Wishes, made: Proposal
) -> None:
    team = team_of(github, facts, wishes.release_team)
    by = Actor("Team", team.id, team.name) if team else None
    app = Actor("Integration", wishes.app, f"the App {wishes.app}") if wishes.app is not None else None
    for wanted in wanted_rules(workspace, team=by, app=app, checker=github.facts.actions_app()):
        try:
            _ruleset(github, wanted, made)
        except NotOffered as error:
            made.lines.append(Line(f'ruleset "{wanted.ruleset.name}"', "not offered", wanted.says))
            made.unmet.append(f'ruleset "{wanted.ruleset.name}": {error.said} {notes.WITHOUT_RULES}')


def _ruleset(github: GitHub, wanted: WantedRules, made: Proposal) -> None:
    name = wanted.ruleset.name
    found = github.rulesets.find(name)
    if found and found.target != wanted.ruleset.target:
        raise GeneratorError(f'the ruleset "{name}" on GitHub is one for a {found.target}: rename it there')
    becomes = stricter(wanted.ruleset, found)
    now = "missing" if found is None else "as wanted" if found == becomes else _weakness(found, becomes)
    made.lines.append(Line(f'ruleset "{name}"', now, wanted.says, _change(found, found != becomes)))
    if found != becomes:
        made.steps.append(SetRuleset(becomes))
    if found:
        made.notes += notes.of_ruleset(found, missing_actors(wanted, found))


def carry_out(github: GitHub, proposal: Proposal, say: Callable[[str], None]) -> list[str]:
    """Does the steps; returns what the owner's plan does not offer."""
    unmet: list[str] = []
    for step in proposal.steps:
        try:
            _do(github, step, say)
        except NotOffered as error:
            unmet += _without(github, step, error, say)
    return unmet


def _do(github: GitHub, step: SetEnvironment | SetRuleset, say: Callable[[str], None]) -> None:
    if isinstance(step, SetRuleset):
        github.rulesets.put(step.ruleset)
        say(f'ruleset "{step.ruleset.name}" is set')
    else:
        github.environments.put(step.name, step.settings)
        say(f"environment {step.name} is set")


def _without(
    github: GitHub, step: SetEnvironment | SetRuleset, error: NotOffered, say: Callable[[str], None]
) -> Iterator[str]:
    """An environment without reviewers is still one that only release tags may use."""
    if isinstance(step, SetRuleset):
        yield f'ruleset "{step.ruleset.name}": {error.said} {notes.WITHOUT_RULES}'
        return
    yield f"{step.name}: {error.said} {notes.WITHOUT_REVIEWERS}"
    before = step.before or EnvironmentSettings()
    fewer = replace(step.settings, reviewers=before.reviewers)
    if step.settings.reviewers and fewer != step.before:
        try:
            _do(github, replace(step, settings=fewer), say)
        except NotOffered:
            yield f"{step.name}: the plan offers no environments in this repository"


def _change(found: object, differs: bool) -> str:
    return ("create" if found is None else "change") if differs else NOTHING


def _refs(settings: EnvironmentSettings | None) -> str:
    if settings is None:
        return "missing"
    if settings.refs == "listed":
        return "only " + (", ".join(str(pattern) for pattern in sorted(settings.patterns)) or "nothing")
    return "only protected branches" if settings.refs == "protected" else "any branch or tag"


def _people(reviewers: tuple[Reviewer, ...]) -> str:
    return ", ".join(reviewer.name for reviewer in reviewers) or "nobody"


def _weakness(found: Ruleset, becomes: Ruleset) -> str:
    """What a ruleset lacks, in words."""
    lacks = [ref for ref in becomes.include if ref not in found.include]
    there = {rule["type"] for rule in found.rules}
    lacks += [rule["type"] for rule in becomes.rules if rule["type"] not in there]
    if unpinned(found.rules) and not unpinned(becomes.rules):
        lacks.append(f"that GitHub Actions alone may report {REQUIRED_CHECK}")
    if not lacks and found.rules != becomes.rules:
        lacks = ["stricter parameters"]
    parts = [f"is {found.enforcement}"] if found.enforcement != "active" else []
    return "; ".join([*parts, *([f"lacks {', '.join(lacks)}"] if lacks else [])])
