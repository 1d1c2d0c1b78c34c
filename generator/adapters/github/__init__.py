"""GitHub's REST API: one repository of it, as far as releases and their set-up need it.

`connect` gives a GitHub; what it can do is grouped as GitHub's own reference is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from generator.adapters.github.client import PUBLIC, Client, slug_of, token_from
from generator.adapters.github.deployments import Deployments
from generator.adapters.github.environments import Environments
from generator.adapters.github.facts import Facts
from generator.adapters.github.pulls import Pulls
from generator.adapters.github.releases import Releases
from generator.adapters.github.rulesets import Rulesets
from generator.adapters.github.runs import Runs

__all__ = ["GitHub", "connect"]


@dataclass(frozen=True)
class GitHub:
    """One repository on GitHub."""

    slug: str  # owner/name
    facts: Facts
    environments: Environments
    rulesets: Rulesets
    pulls: Pulls
    deployments: Deployments
    releases: Releases
    runs: Runs


def connect(address: str, variables: Mapping[str, str], *, patience: float | None = None) -> GitHub:
    """The repository at `address`, a Git URL or owner/name. `variables` hold GITHUB_API_URL and the token.

    `patience`: seconds that one call may wait where GitHub is busy.
    """
    base = variables.get("GITHUB_API_URL")
    # A runner of github.com sets the variable, too.
    slug = slug_of(address, own_server=base is not None and base.rstrip("/") != PUBLIC)
    client = Client(slug, token_from(variables), base=base)
    if patience is not None:
        client.patience = patience
    return GitHub(
        slug=slug,
        facts=Facts(client),
        environments=Environments(client),
        rulesets=Rulesets(client),
        pulls=Pulls(client),
        deployments=Deployments(client),
        releases=Releases(client),
        runs=Runs(client),
    )
