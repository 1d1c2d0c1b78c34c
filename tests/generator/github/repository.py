"""What GitHub knows of one repository, in memory: an operation a method, answers made from GitHub's examples."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tests.generator.github.description import Operation, operations

PLAN_REVIEWERS = (
    "Failed to create the environment protection rule. "
    "Please ensure the billing plan supports the required reviewers protection rule."
)
PLAN_RULES = "Upgrade to GitHub Pro or make this repository public to enable this feature."
BOT = "github-actions[bot]"
WHEN = "2026-11-01T12:00:00Z"


@dataclass(frozen=True)
class Request:
    """A request that was understood."""

    operation: Operation
    path: dict[str, str]
    query: dict[str, str]
    body: Any

    @property
    def method(self) -> str:
        return self.operation.method

    @property
    def address(self) -> str:
        return re.sub(r"\{(\w+)\}", lambda match: quote(self.path[match[1]], safe=""), self.operation.template)


@dataclass(frozen=True)
class Answer:
    """Status, JSON (or text as it is), and headers."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def text(self) -> bytes:
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


def refused(status: int, message: str, **headers: str) -> Answer:
    """An error as GitHub says it. Headers are given with underscores: Retry_After="3"."""
    body = {"message": message, "documentation_url": "https://docs.github.com/rest", "status": str(status)}
    return Answer(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def denied(right: str) -> Answer:
    """A fine-grained or Actions token without the right."""
    return refused(403, "Resource not accessible by integration", X_Accepted_GitHub_Permissions=right)


def not_found() -> Answer:
    return refused(404, "Not Found")


def invalid(message: str) -> Answer:
    return Answer(422, {"message": message, "documentation_url": "https://docs.github.com/rest"})


@dataclass
class Repository:
    """acme/churn, with what a test puts into it."""

    owner: str = "acme"
    name: str = "churn"
    owner_type: str = "Organization"
    private: bool = False
    plan: str = "team"  # free, team, enterprise
    admin: bool = True  # whether the token's user administers the repository
    default_branch: str = "main"
    users: dict[str, int] = field(default_factory=lambda: {"ada": 11, "grace": 12, "stranger": 13})
    readers: set[str] = field(default_factory=lambda: {"ada", "grace", "release", "ml"})
    teams: dict[str, int] = field(default_factory=lambda: {"release": 21, "ml": 22, "outsiders": 23})
    comments: dict[int, list[dict[str, Any]]] = field(default_factory=lambda: {7: []})
    environments: dict[str, dict[str, Any]] = field(default_factory=dict)
    rulesets: dict[int, dict[str, Any]] = field(default_factory=dict)
    foreign_rules: list[dict[str, Any]] = field(default_factory=list)  # on the branch, by the organisation
    deployments: list[dict[str, Any]] = field(default_factory=list)
    statuses: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    pulls: list[dict[str, Any]] = field(default_factory=list)
    releases: list[dict[str, Any]] = field(default_factory=list)
    workflow_permissions: dict[str, Any] = field(
        default_factory=lambda: {"default_workflow_permissions": "read", "can_approve_pull_request_reviews": False}
    )
    actions: dict[str, Any] = field(default_factory=lambda: {"enabled": True, "allowed_actions": "all"})
    speaks_as: str = BOT
    _ids: Any = field(default_factory=lambda: itertools.count(1000))

    def answer(self, request: Request) -> Answer:
        place = (request.path.get("owner", self.owner), request.path.get("repo", self.name))
        if place != (self.owner, self.name):
            return not_found()
        handler: Callable[[Request], Answer] = getattr(
            self, request.operation.name.replace("/", "_").replace("-", "_")
        )
        return handler(request)

    # the repository and its people

    def repos_get(self, request: Request) -> Answer:
        made = request.operation.example()
        made |= {"name": self.name, "full_name": f"{self.owner}/{self.name}", "language": "Python", "id": 456789}
        made |= {"private": self.private, "visibility": "private" if self.private else "public"}
        made |= {"default_branch": self.default_branch}
        made["owner"] |= {"login": self.owner, "id": 123456, "type": self.owner_type}
        made["permissions"] = {"admin": self.admin, "push": True, "pull": True}
        made.pop("source", None)
        return Answer(200, made)

    def users_get_by_username(self, request: Request) -> Answer:
        name = request.path["username"]
        if name not in self.users:
            return not_found()
        return Answer(200, request.operation.example() | {"login": name, "id": self.users[name]})

    def repos_get_collaborator_permission_level(self, request: Request) -> Answer:
        name = request.path["username"]
        if name not in self.users:
            return not_found()
        right = "write" if name in self.readers else ("none" if self.private else "read")
        return Answer(200, {"permission": right, "role_name": right, "user": None})

    def teams_get_by_name(self, request: Request) -> Answer:
        name = request.path["team_slug"]
        if request.path["org"] != self.owner or self.owner_type != "Organization" or name not in self.teams:
            return not_found()
        made = request.operation.example() | {
            "slug": name,
            "name": name,
            "id": self.teams[name],
            "type": "organization",
        }
        made["organization"]["archived_at"] = None
        return Answer(200, made)

    def teams_check_permissions_for_repo_in_org(self, request: Request) -> Answer:
        return Answer(204) if request.path["team_slug"] in self.readers else not_found()

    def actions_get_github_actions_permissions_repository(self, request: Request) -> Answer:
        return Answer(200, self.actions)

    def actions_get_github_actions_default_workflow_permissions_repository(self, request: Request) -> Answer:
        return Answer(200, self.workflow_permissions)

    # environments

    def add_environment(
        self, name: str, *, reviewers: list[dict[str, Any]] | None = None, **more: Any
    ) -> dict[str, Any]:
        """An environment as somebody set it by hand."""
        made = {"id": next(self._ids), "wait_timer": 0, "prevent_self_review": False, "reviewers": reviewers or []}
        made |= {"deployment_branch_policy": None, "policies": [], "secrets": [], "variables": {}, **more}
        return self.environments.setdefault(name, made)

    def repos_get_environment(self, request: Request) -> Answer:
        name = request.path["environment_name"]
        return Answer(200, self._shown(name)) if name in self.environments else not_found()

    def repos_create_or_update_environment(self, request: Request) -> Answer:
        """A key that is left out goes back to its default: the harshest reading of the description."""
        if not self.admin:
            return denied("administration=write")
        body, name = request.body or {}, request.path["environment_name"]
        gated = {"wait_timer", "prevent_self_review", "reviewers"} & set(body)
        if gated and self.private and self.plan != "enterprise":
            return invalid(PLAN_REVIEWERS)
        if body.get("prevent_self_review") and not body.get("reviewers"):
            return invalid("Required reviewers must have at least one reviewer to set prevent_self_review.")
        if len(body.get("reviewers") or []) > 6:
            return invalid("You can list up to six users or teams as reviewers.")
        item = self.add_environment(name)
        item |= {"wait_timer": body.get("wait_timer", 0), "reviewers": body.get("reviewers") or []}
        item |= {"prevent_self_review": body.get("prevent_self_review", False)}
        item |= {"deployment_branch_policy": body.get("deployment_branch_policy")}
        return Answer(200, self._shown(name))

    def _shown(self, name: str) -> dict[str, Any]:
        item = self.environments[name]
        made = operations()["repos/get-environment"].example() | {"name": name, "id": item["id"]}
        rules: list[dict[str, Any]] = []
        if item["wait_timer"]:
            rules.append({"id": 1, "node_id": "a", "type": "wait_timer", "wait_timer": item["wait_timer"]})
        if item["reviewers"]:
            shown = [self._reviewer(reviewer) for reviewer in item["reviewers"]]
            rule = {"id": 2, "node_id": "b", "type": "required_reviewers", "reviewers": shown}
            rules.append({**rule, "prevent_self_review": item["prevent_self_review"]})
        if item["deployment_branch_policy"]:
            rules.append({"id": 3, "node_id": "c", "type": "branch_policy"})
        return made | {"protection_rules": rules, "deployment_branch_policy": item["deployment_branch_policy"]}

    def _reviewer(self, given: dict[str, Any]) -> dict[str, Any]:
        example = operations()["repos/get-environment"].example()["protection_rules"]
        samples = {item["type"]: item["reviewer"] for rule in example for item in rule.get("reviewers", [])}
        people = self.users if given["type"] == "User" else self.teams
        name = next(name for name, number in people.items() if number == given["id"])
        named = (
            {"login": name} if given["type"] == "User" else {"slug": name, "name": name, "type": "organization"}
        )
        return {"type": given["type"], "reviewer": {**samples[given["type"]], **named, "id": given["id"]}}

    def repos_list_deployment_branch_policies(self, request: Request) -> Answer:
        item = self.environments.get(request.path["environment_name"])
        if item is None:
            return not_found()
        return Answer(200, {"total_count": len(item["policies"]), "branch_policies": item["policies"]})

    def repos_create_deployment_branch_policy(self, request: Request) -> Answer:
        item = self.environments.get(request.path["environment_name"])
        if item is None or not (item["deployment_branch_policy"] or {}).get("custom_branch_policies"):
            return not_found()
        made = {"id": next(self._ids), "name": request.body["name"], "type": request.body.get("type", "branch")}
        if any((old["name"], old["type"]) == (made["name"], made["type"]) for old in item["policies"]):
            return Answer(303)
        item["policies"].append(made)
        return Answer(200, made)

    def repos_delete_deployment_branch_policy(self, request: Request) -> Answer:
        item = self.environments[request.path["environment_name"]]
        kept = [old for old in item["policies"] if old["id"] != int(request.path["branch_policy_id"])]
        if len(kept) == len(item["policies"]):
            return not_found()
        item["policies"] = kept
        return Answer(204)

    def actions_list_environment_secrets(self, request: Request) -> Answer:
        item = self.environments.get(request.path["environment_name"])
        if item is None:
            return not_found()
        secrets = [{"name": name, "created_at": WHEN, "updated_at": WHEN} for name in item["secrets"]]
        return Answer(200, {"total_count": len(secrets), "secrets": secrets})

    def actions_list_environment_variables(self, request: Request) -> Answer:
        item = self.environments.get(request.path["environment_name"])
        if item is None:
            return not_found()
        dates = {"created_at": WHEN, "updated_at": WHEN}
        found = [{"name": name, "value": value, **dates} for name, value in item["variables"].items()]
        return Answer(200, {"total_count": len(found), "variables": found})

    # rulesets

    def add_ruleset(self, **given: Any) -> dict[str, Any]:
        """A ruleset as somebody made it by hand."""
        number = next(self._ids)
        made = {"id": number, "target": "branch", "bypass_actors": [], "rules": [], "enforcement": "active"}
        made |= {"conditions": {"ref_name": {"include": [], "exclude": []}}}
        made |= {"source_type": "Repository", "source": f"{self.owner}/{self.name}", **given}
        self.rulesets[number] = made
        return made

    @property
    def _no_rules(self) -> Answer | None:
        return refused(403, PLAN_RULES) if self.private and self.plan == "free" else None

    def repos_get_repo_rulesets(self, request: Request) -> Answer:
        """A list has no rules and no conditions: those are told of each alone."""
        short = ("id", "name", "target", "source_type", "source", "enforcement")
        return self._no_rules or Answer(
            200, [{key: item[key] for key in short} for item in self.rulesets.values()]
        )

    def repos_get_repo_ruleset(self, request: Request) -> Answer:
        found = self.rulesets.get(int(request.path["ruleset_id"]))
        return Answer(200, found) if found else not_found()

    def repos_create_repo_ruleset(self, request: Request) -> Answer:
        if any(item["name"] == request.body["name"] for item in self.rulesets.values()):
            return invalid("Name must be unique")
        return self._bypass_problem(request.body) or Answer(201, self.add_ruleset(**request.body))

    def repos_update_repo_ruleset(self, request: Request) -> Answer:
        found = self.rulesets.get(int(request.path["ruleset_id"]))
        if found is None:
            return not_found()
        if problem := self._bypass_problem(request.body):
            return problem
        found |= request.body
        return Answer(200, found)

    def _bypass_problem(self, body: dict[str, Any]) -> Answer | None:
        if not self.admin:
            return denied("administration=write")
        actors = {actor["actor_type"] for actor in body.get("bypass_actors", [])}
        if self.owner_type == "User" and actors & {"Integration", "Team", "OrganizationAdmin"}:
            return invalid("Validation Failed: Actor must be part of the ruleset source or owner organization")
        return None

    def repos_get_branch_rules(self, request: Request) -> Answer:
        if self._no_rules:
            return self._no_rules
        reference = f"refs/heads/{request.path['branch']}"
        rules = [
            {**rule, "ruleset_source_type": "Repository", "ruleset_source": "acme/churn", "ruleset_id": item["id"]}
            for item in self.rulesets.values()
            if item["enforcement"] == "active" and reference in item["conditions"]["ref_name"]["include"]
            for rule in item["rules"]
        ]
        return Answer(200, [*rules, *self.foreign_rules])

    # comments and pull requests

    def issues_list_comments(self, request: Request) -> Answer:
        found = self.comments.get(int(request.path["issue_number"]))
        return not_found() if found is None else Answer(200, found)

    def add_comment(self, number: int, body: str, by: str = BOT) -> dict[str, Any]:
        made = operations()["issues/create-comment"].example(201)
        made |= {"id": next(self._ids), "body": body}
        made["user"] |= {"login": by, "type": "Bot" if by.endswith("[bot]") else "User"}
        self.comments[number].append(made)
        return made

    def issues_create_comment(self, request: Request) -> Answer:
        number = int(request.path["issue_number"])
        if number not in self.comments:
            return not_found()
        if len(request.body["body"]) > 65536:
            return invalid("Body is too long (maximum is 65536 characters)")
        return Answer(201, self.add_comment(number, request.body["body"], self.speaks_as))

    def issues_update_comment(self, request: Request) -> Answer:
        for comment in itertools.chain(*self.comments.values()):
            if comment["id"] == int(request.path["comment_id"]):
                comment["body"] = request.body["body"]
                return Answer(200, comment)
        return not_found()

    def issues_delete_comment(self, request: Request) -> Answer:
        for comments in self.comments.values():
            comments[:] = [item for item in comments if item["id"] != int(request.path["comment_id"])]
        return Answer(204)

    def pulls_list(self, request: Request) -> Answer:
        head, state = request.query.get("head"), request.query.get("state", "open")
        found = [pull for pull in self.pulls if pull["state"] == state and head in (None, pull["head"]["label"])]
        return Answer(200, [self._simple(pull) for pull in found])

    def _simple(self, pull: dict[str, Any]) -> dict[str, Any]:
        """A list tells of each pull request what its own example has, and no more."""
        return {key: pull[key] for key in operations()["pulls/list"].example()[0] if key in pull}

    def pulls_create(self, request: Request) -> Answer:
        body = request.body
        label = f"{self.owner}:{body['head']}"
        if any(pull["head"]["label"] == label and pull["state"] == "open" for pull in self.pulls):
            message = f"A pull request already exists for {label}."
            error = {"resource": "PullRequest", "code": "custom", "message": message}
            return Answer(422, {"message": "Validation Failed", "documentation_url": "x", "errors": [error]})
        made = request.operation.example(201)
        made |= {"number": len(self.pulls) + 8, "title": body["title"], "body": body.get("body"), "state": "open"}
        made |= {"html_url": f"https://github.com/{self.owner}/{self.name}/pull/{len(self.pulls) + 8}"}
        made["head"] |= {"label": label, "ref": body["head"]}
        made["base"] |= {"label": f"{self.owner}:{body['base']}", "ref": body["base"]}
        made["requested_teams"] = []
        self.pulls.append(made)
        return Answer(201, made)

    def pulls_update(self, request: Request) -> Answer:
        for pull in self.pulls:
            if pull["number"] == int(request.path["pull_number"]):
                pull |= request.body
                return Answer(200, pull)
        return not_found()

    # deployments and releases

    def repos_list_deployments(self, request: Request) -> Answer:
        wanted = {key: request.query[key] for key in ("ref", "environment", "task") if key in request.query}
        found = [item for item in self.deployments if all(item[key] == value for key, value in wanted.items())]
        return Answer(200, list(reversed(found)))

    def repos_create_deployment(self, request: Request) -> Answer:
        body = request.body
        if body.get("auto_merge", True) or body.get("required_contexts") != []:
            return refused(409, "Conflict: Commit status checks failed for main.")
        if body["ref"] == "gone":
            return invalid("No ref found for: gone")
        made = request.operation.example(201) | {"id": next(self._ids)}
        made |= {key: body[key] for key in ("ref", "environment", "description", "task") if key in body}
        self.deployments.append(made)
        return Answer(201, made)

    def repos_create_deployment_status(self, request: Request) -> Answer:
        body, number = request.body, int(request.path["deployment_id"])
        if len(body.get("description", "")) > 140:
            return invalid("Validation Failed: description is too long (maximum is 140 characters)")
        if number not in [item["id"] for item in self.deployments]:
            return not_found()
        made = {**request.operation.example(201), **body, "id": next(self._ids)}
        self.statuses.setdefault(number, []).append(made)
        return Answer(201, made)

    def repos_get_release_by_tag(self, request: Request) -> Answer:
        found = [item for item in self.releases if item["tag_name"] == request.path["tag"]]
        return Answer(200, found[0]) if found else not_found()

    def repos_create_release(self, request: Request) -> Answer:
        body = request.body
        if any(item["tag_name"] == body["tag_name"] for item in self.releases):
            error = {"resource": "Release", "code": "already_exists", "field": "tag_name"}
            return Answer(422, {"message": "Validation Failed", "documentation_url": "x", "errors": [error]})
        made = request.operation.example(201) | {"id": next(self._ids), **body}
        made |= {"html_url": f"https://github.com/{self.owner}/{self.name}/releases/tag/{body['tag_name']}"}
        self.releases.append(made)
        return Answer(201, made)

    def repos_update_release(self, request: Request) -> Answer:
        for item in self.releases:
            if item["id"] == int(request.path["release_id"]):
                item |= request.body
                return Answer(200, item)
        return not_found()
