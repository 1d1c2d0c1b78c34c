"""Deployment environments: who must approve, which branches and tags may use them, what is stored in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from generator.adapters.github.client import Client, segment
from generator.adapters.github.facts import Reviewer

_READ = "Actions: read"
_WRITE = "Administration: write"
Refs = Literal["any", "protected", "listed"]


@dataclass(frozen=True, order=True)
class Pattern:
    """Branches or tags that may use an environment: a name with wildcards, which match no slash."""

    kind: Literal["branch", "tag"]
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True)
class EnvironmentSettings:
    """An environment as it is, or as it shall be."""

    reviewers: tuple[Reviewer, ...] = ()
    wait_timer: int = 0  # minutes
    prevent_self_review: bool = False
    refs: Refs = "any"
    patterns: frozenset[Pattern] = frozenset()  # where refs is "listed"


class Environments:
    """Reads and writes environments."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def get(self, name: str) -> EnvironmentSettings | None:
        """None where there is no such environment."""
        found = self._client.get(_path(name), _READ)
        if found is None:
            return None
        rules = {rule["type"]: rule for rule in found.get("protection_rules", [])}
        asked = rules.get("required_reviewers", {})
        policy = found.get("deployment_branch_policy") or {}
        listed = policy.get("custom_branch_policies", False)
        return EnvironmentSettings(
            reviewers=tuple(self._reviewer(item) for item in asked.get("reviewers", [])),
            wait_timer=rules.get("wait_timer", {}).get("wait_timer", 0),
            prevent_self_review=asked.get("prevent_self_review", False),
            refs="listed" if listed else "protected" if policy.get("protected_branches") else "any",
            patterns=frozenset(self._policies(name)) if listed else frozenset(),
        )

    def who_approves(self, name: str) -> tuple[str, ...] | None:
        """See ports.Approvals. A workflow's token needs `actions: read` for it."""
        found = self.get(name)
        return None if found is None else tuple(reviewer.name for reviewer in found.reviewers)

    def put(self, name: str, settings: EnvironmentSettings) -> None:
        """Makes the environment, or gives it exactly these settings.

        What only some plans offer (reviewers, timer) is sent only where it is used: GitHub refuses even a zero.
        """
        body: dict[str, Any] = {"deployment_branch_policy": _policy(settings.refs)}
        if settings.wait_timer:
            body["wait_timer"] = settings.wait_timer
        if settings.reviewers:
            body["reviewers"] = [{"type": item.kind, "id": item.id} for item in settings.reviewers]
            body["prevent_self_review"] = settings.prevent_self_review
        self._client.send("PUT", _path(name), _WRITE, body)
        if settings.refs == "listed":
            self._list(name, settings.patterns)

    def _list(self, name: str, wanted: frozenset[Pattern]) -> None:
        there = self._policies(name)
        path = f"{_path(name)}/deployment-branch-policies"
        for pattern in sorted(wanted - set(there)):
            self._client.send("POST", path, _WRITE, {"name": pattern.name, "type": pattern.kind})
        for pattern in sorted(set(there) - wanted):
            self._client.send("DELETE", f"{path}/{there[pattern]}", _WRITE)

    def variables(self, name: str) -> dict[str, str]:
        """The environment's variables; they are no secrets."""
        path = f"{_path(name)}/variables"
        found = self._client.pages(path, "Environments: read", key="variables")
        return {item["name"]: item["value"] for item in found}

    def secret_names(self, name: str) -> list[str]:
        """GitHub tells names only."""
        path = f"{_path(name)}/secrets"
        return [item["name"] for item in self._client.pages(path, "Environments: read", key="secrets")]

    def _policies(self, name: str) -> dict[Pattern, int]:
        path = f"{_path(name)}/deployment-branch-policies"
        found = self._client.pages(path, _READ, key="branch_policies")
        return {Pattern(item.get("type", "branch"), item["name"]): item["id"] for item in found}

    def _reviewer(self, item: dict[str, Any]) -> Reviewer:
        who = item["reviewer"]
        if item["type"] == "User":
            return Reviewer("User", who["id"], who["login"])
        return Reviewer("Team", who["id"], f"@{self._client.slug.partition('/')[0]}/{who['slug']}")


def _path(name: str) -> str:
    return f"environments/{segment(name)}"


def _policy(refs: Refs) -> dict[str, bool] | None:
    if refs == "any":
        return None
    return {"protected_branches": refs == "protected", "custom_branch_policies": refs == "listed"}
