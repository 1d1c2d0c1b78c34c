"""What GitHub says of the repository, of people and teams, and of its Actions settings."""

from __future__ import annotations

from dataclasses import dataclass

from generator.adapters.github.client import Client, segment

_METADATA = "Metadata: read"
_ADMINISTRATION = "Administration: read"


@dataclass(frozen=True)
class RepositoryFacts:
    """The repository itself."""

    id: int
    owner_id: int
    slug: str
    private: bool
    in_organization: bool
    default_branch: str
    admin: bool | None  # whether the token's user administers it; None where GitHub does not say


@dataclass(frozen=True)
class Reviewer:
    """Somebody who may be asked: a user by login, or a team as @org/team."""

    kind: str  # User or Team
    id: int
    name: str


@dataclass(frozen=True)
class ActionsSettings:
    """The repository's settings of Actions."""

    enabled: bool
    allowed: str  # all, local_only or selected
    may_approve: bool  # whether workflows may create and approve pull requests
    default_write: bool  # whether a job that names no permissions may write


@dataclass(frozen=True)
class DeployKeyFacts:
    """A deploy key of the repository; what it opens, it opens for whoever has its private half."""

    title: str
    writes: bool


class Facts:
    """Reads; changes nothing."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def repository(self) -> RepositoryFacts | None:
        """None where the token sees no such repository."""
        found = self._client.get("", _METADATA)
        if found is None:
            return None
        return RepositoryFacts(
            id=found["id"],
            owner_id=found["owner"]["id"],
            slug=found["full_name"],
            private=found["private"],
            in_organization=found["owner"]["type"] == "Organization",
            default_branch=found["default_branch"],
            admin=found.get("permissions", {}).get("admin"),
        )

    def user(self, login: str) -> Reviewer | None:
        found = self._client.get(f"/users/{segment(login)}", _METADATA)
        return Reviewer("User", found["id"], found["login"]) if found else None

    def team(self, organization: str, team: str) -> Reviewer | None:
        found = self._client.get(f"/orgs/{segment(organization)}/teams/{segment(team)}", "Members: read")
        return Reviewer("Team", found["id"], f"@{organization}/{found['slug']}") if found else None

    def may_read(self, reviewer: Reviewer) -> bool:
        """Whether a user or team has any right in the repository; who has none cannot be asked for a review."""
        if reviewer.kind == "User":
            path = f"collaborators/{segment(reviewer.name)}/permission"
            found = self._client.get(path, _METADATA)
            return found is not None and found["permission"] != "none"
        organization, _, team = reviewer.name.removeprefix("@").partition("/")
        return self._client.exists(
            f"/orgs/{segment(organization)}/teams/{segment(team)}/repos/{self._client.slug}", "Members: read"
        )

    def deploy_keys(self) -> list[DeployKeyFacts]:
        return [
            DeployKeyFacts(item["title"], writes=not item["read_only"] and item.get("enabled", True))
            for item in self._client.pages("keys", _ADMINISTRATION)
        ]

    def actions_app(self) -> int | None:
        """The number of the App that reports what workflows' jobs came to: 15368 on github.com."""
        found = self._client.get("/apps/github-actions", "nothing")
        return found["id"] if found else None

    def actions(self) -> ActionsSettings:
        general = self._client.get("actions/permissions", _ADMINISTRATION) or {}
        token = self._client.get("actions/permissions/workflow", _ADMINISTRATION) or {}
        return ActionsSettings(
            enabled=general.get("enabled", True),
            allowed=general.get("allowed_actions", "all"),
            may_approve=token.get("can_approve_pull_request_reviews", False),
            default_write=token.get("default_workflow_permissions") == "write",
        )
