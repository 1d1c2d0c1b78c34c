"""A repository's environments and rulesets, in memory, as GitHub keeps and shows them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

from tests.generator.github.answers import (
    PLAN_REVIEWERS,
    PLAN_RULES,
    Answer,
    Request,
    denied,
    invalid,
    not_found,
    refused,
)
from tests.generator.github.description import operations

WHEN = "2026-11-01T12:00:00Z"


@dataclass
class Settings:
    """Of one repository: what its administrators decide."""

    owner: str = "acme"
    name: str = "churn"
    owner_type: str = "Organization"
    private: bool = False
    plan: str = "team"  # free, team, enterprise
    admin: bool = True  # whether the token's user administers the repository
    users: dict[str, int] = field(default_factory=lambda: {"ada": 11, "grace": 12, "stranger": 13})
    teams: dict[str, int] = field(default_factory=lambda: {"release": 21, "ml": 22, "outsiders": 23})
    environments: dict[str, dict[str, Any]] = field(default_factory=dict)
    rulesets: dict[int, dict[str, Any]] = field(default_factory=dict)
    foreign_rules: list[dict[str, Any]] = field(default_factory=list)  # on the branch, by the organisation
    deploy_keys: list[dict[str, Any]] = field(default_factory=list)
    _ids: Any = field(default_factory=lambda: itertools.count(1000))

    def add_deploy_key(self, title: str, *, read_only: bool = False, **more: Any) -> None:
        made = {
            "id": next(self._ids),
            "title": title,
            "key": "ssh-ed25519 AAAA",
            "verified": True,
            "created_at": WHEN,
        }
        url = f"https://api.github.com/repos/{self.owner}/{self.name}/keys/{made['id']}"
        self.deploy_keys.append({**made, "url": url, "read_only": read_only, **more})

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
