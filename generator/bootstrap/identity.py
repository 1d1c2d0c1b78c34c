"""Which GitHub repository releases come from: names that may change hands, and numbers that never do."""

from __future__ import annotations

import re
from dataclasses import dataclass

from generator.config.model import Model
from generator.errors import GeneratorError

_GITHUB = re.compile(r"(?:https://github\.com|ssh://git@github\.com)/([^/]+)/([^/]+?)(?:\.git)?")


@dataclass(frozen=True)
class Identity:
    """A repository on github.com."""

    owner: str
    name: str
    owner_id: int
    repository_id: int


def identity_of(model: Model, *, repository_id: int | None, owner_id: int | None) -> Identity:
    """What model.yaml says, or the two numbers given. Raises GeneratorError with what is missing."""
    given = model.config.repository
    match = _GITHUB.fullmatch(given.url or "")
    if match is None:
        raise GeneratorError(
            f"{model.shown}: repository.url is {given.url or 'missing'}: write "
            "https://github.com/OWNER/REPOSITORY, spelt as GitHub spells it; only tokens of github.com can be "
            "trusted here"
        )
    owner, name = match.groups()
    numbers = {"id": (given.id, repository_id), "owner_id": (given.owner_id, owner_id)}
    for key, (known, said) in numbers.items():
        if None not in (known, said) and known != said:
            raise GeneratorError(f"repository.{key} is {known} in {model.shown}, not {said}: one of them is wrong")
    missing = [f"repository.{key}" for key, pair in numbers.items() if pair == (None, None)]
    if missing:
        raise GeneratorError(
            f"{model.shown} has no {' and no '.join(missing)}: GitHub's numbers of the repository and its owner, "
            f"which no other repository gets. `gh api repos/{owner}/{name} --jq '.id, .owner.id'` prints both; "
            "write them there, or pass --repository-id and --owner-id"
        )
    return Identity(owner, name, given.owner_id or owner_id or 0, given.id or repository_id or 0)
