"""Who is meant: reviewers and the release team, as given on the command line and as GitHub knows them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from generator.adapters.github import GitHub
from generator.adapters.github.facts import RepositoryFacts, Reviewer
from generator.errors import GeneratorError

_USER = re.compile(r"@?([A-Za-z0-9][A-Za-z0-9-]{0,38}(?:_[A-Za-z0-9]+)?)")
_TEAM = re.compile(r"@?([A-Za-z0-9-]+)/([A-Za-z0-9._-]+)")
_MOST = 6  # GitHub's limit of an environment's reviewers


@dataclass(frozen=True)
class Wishes:
    """What a person asks for on the command line."""

    reviewers: tuple[str, ...] = ()  # USER or @ORG/TEAM
    release_team: str | None = None  # @ORG/TEAM
    app: int | None = None  # the number of the GitHub App that pushes


def reviewers_of(github: GitHub, facts: RepositoryFacts, wishes: Wishes) -> tuple[Reviewer, ...]:
    """The reviewers that were named. Raises GeneratorError for one that GitHub does not know, or would refuse."""
    found = {reviewer: None for name in wishes.reviewers if (reviewer := _reviewer(github, facts, name))}
    if len(found) > _MOST:
        raise GeneratorError(f"GitHub asks at most {_MOST} reviewers: name a team instead of its members")
    return tuple(found)


def team_of(github: GitHub, facts: RepositoryFacts, name: str | None) -> Reviewer | None:
    """The team that `name` (@ORG/TEAM) means; None where none was named."""
    if name is None:
        return None
    match = _TEAM.fullmatch(name)
    if not match:
        raise GeneratorError(f"{name[:100]!r} is no team: write @ORGANIZATION/TEAM")
    owner = facts.slug.partition("/")[0]
    if not facts.in_organization:
        raise GeneratorError(f"{owner} is a personal account, which has no teams: leave {name} out, or name users")
    if match[1].lower() != owner.lower():
        raise GeneratorError(f"{name} is no team of {owner}, which owns the repository")
    team = github.facts.team(match[1], match[2])
    if team is None:
        raise GeneratorError(
            f"GitHub shows no team {name}: check its name (the last part of its address), "
            "and that the token has Members: read"
        )
    return _with_access(github, facts, team)


def _reviewer(github: GitHub, facts: RepositoryFacts, name: str) -> Reviewer | None:
    if "/" in name:
        return team_of(github, facts, name)
    match = _USER.fullmatch(name)
    user = github.facts.user(match[1]) if match else None
    if user is None:
        raise GeneratorError(f"GitHub knows no user {name[:100]!r}: write a login, or @ORGANIZATION/TEAM")
    return _with_access(github, facts, user)


def _with_access(github: GitHub, facts: RepositoryFacts, who: Reviewer) -> Reviewer:
    if not github.facts.may_read(who):
        raise GeneratorError(
            f"{who.name} has no access to {facts.slug}: give it there first (Settings, Collaborators and teams)"
        )
    return who
