"""What GitHub knows of one repository, in memory: an operation a method, answers made from GitHub's examples."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.generator.github.answers import Answer, Request, denied, invalid, not_found, refused
from tests.generator.github.description import operations
from tests.generator.github.settings import Settings

BOT = "github-actions[bot]"


ACTIONS = 15368  # the App github-actions, on github.com


@dataclass
class Repository(Settings):
    """acme/churn, with what a test puts into it."""

    default_branch: str = "main"
    readers: set[str] = field(default_factory=lambda: {"ada", "grace", "release", "ml"})
    comments: dict[int, list[dict[str, Any]]] = field(default_factory=lambda: {7: []})
    deployments: list[dict[str, Any]] = field(default_factory=list)
    statuses: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    pulls: list[dict[str, Any]] = field(default_factory=list)
    releases: list[dict[str, Any]] = field(default_factory=list)
    workflow_permissions: dict[str, Any] = field(
        default_factory=lambda: {"default_workflow_permissions": "read", "can_approve_pull_request_reviews": False}
    )
    actions: dict[str, Any] = field(default_factory=lambda: {"enabled": True, "allowed_actions": "all"})
    speaks_as: str = BOT
    runs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # newest first, by their workflow's file
    jobs: dict[int, list[dict[str, Any]]] = field(default_factory=dict)

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

    def apps_get_by_slug(self, request: Request) -> Answer:
        if request.path["app_slug"] != "github-actions":
            return not_found()
        return Answer(200, {**operations()["apps/get-by-slug"].example(), "id": ACTIONS, "slug": "github-actions"})

    def repos_list_deploy_keys(self, request: Request) -> Answer:
        return Answer(200, self.deploy_keys) if self.admin else denied("administration=read")

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

    # runs of workflows

    def add_run(self, ref: str, jobs: dict[str, str], *, ended: str | None = None, **more: Any) -> int:
        """A run of release.yml on a tag. `jobs` by name: what they ended as, or their status while they did not."""
        number, at = next(self._ids), more.get("created_at", "2026-11-22T04:00:00Z")
        made = operations()["actions/list-workflow-runs"].example()["workflow_runs"][0]
        made |= {"id": number, "head_branch": ref, "conclusion": ended, "created_at": at}
        made["run_started_at"] = more.get("run_started_at", at)
        made |= {"status": "completed" if ended else "in_progress"}
        made["html_url"] = f"https://github.com/{self.owner}/{self.name}/actions/runs/{number}"
        self.runs.setdefault("release.yml", []).insert(0, made)
        self.jobs[number] = [self._job(name, state, number) for name, state in jobs.items()]
        return number

    def _job(self, name: str, state: str, number: int) -> dict[str, Any]:
        running = state in ("queued", "in_progress", "waiting")
        made: dict[str, Any] = operations()["actions/list-jobs-for-workflow-run"].example()["jobs"][0]
        made |= {"name": name, "status": state if running else "completed"}
        made |= {"conclusion": None if running else state, "run_id": number, "created_at": "2026-11-22T04:00:00Z"}
        made |= {"started_at": "2026-11-22T04:01:00Z", "completed_at": None if running else "2026-11-22T04:05:00Z"}
        for step in made["steps"]:
            step["conclusion"] = "success"
        made["steps"][-1] |= {
            "name": "Train: run it",
            "conclusion": "failure" if state == "failure" else "success",
        }
        return made

    def actions_list_workflow_runs(self, request: Request) -> Answer:
        found = self.runs.get(request.path["workflow_id"])
        if found is None:
            return not_found()
        return Answer(200, {"total_count": len(found), "workflow_runs": found})

    def actions_list_jobs_for_workflow_run(self, request: Request) -> Answer:
        found = self.jobs[int(request.path["run_id"])]
        return Answer(200, {"total_count": len(found), "jobs": found})
