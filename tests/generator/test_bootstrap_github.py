"""`generator bootstrap github` over real HTTP, against GitHub's own description of its API."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.adapters.github import GitHub, connect
from generator.bootstrap.github import Proposal, address_of, carry_out, propose
from generator.bootstrap.github_environments import wanted_environments
from generator.bootstrap.github_people import Wishes
from generator.bootstrap.github_rules import BRANCH, PULLS, TAGS
from generator.config.model import Model
from generator.config.schema import Deploy, Environment, Push
from generator.config.workspace import Workspace
from generator.delivery.approval import approval_problem
from generator.errors import GeneratorError
from generator.plan.workflows import REQUIRED_CHECK
from tests.generator.github.answers import PLAN_REVIEWERS, PLAN_RULES, denied, not_found, refused
from tests.generator.github.repository import ACTIONS
from tests.generator.github.server import TOKEN, GitHubServer
from tests.generator.repositories import git
from tests.generator.test_cli import generator
from tests.generator.workspaces import model_yaml, write, write_many

APPROVAL = "tagship-churn-production"
ADA = Wishes(reviewers=("ada",))


@pytest.fixture
def hub(github: GitHubServer) -> GitHub:
    return connect("acme/churn", github.variables)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """One model, released to staging, promoted to production after an approval."""
    return deploying(write(tmp_path))


def deploying(workspace: Workspace, mode: str = "token") -> Workspace:
    """The same models with two environments, the second approved, and that way of pushing."""
    environments = {"staging": Environment(), "production": Environment(approval=True)}
    deploy = Deploy(environments=environments, push=Push.model_validate({"mode": mode}))
    models = (Model(model.config.model_copy(update={"deploy": deploy}), model.folder) for model in workspace)
    return replace(workspace, models=tuple(models))


def applied(hub: GitHub, workspace: Workspace, wishes: Wishes = ADA) -> tuple[Proposal, list[str]]:
    proposal = propose(hub, workspace, wishes)
    return proposal, carry_out(hub, proposal, lambda _line: None)


def changes(proposal: Proposal) -> dict[str, str]:
    return {line.what.strip(): line.change for line in proposal.lines}


def rules(github: GitHubServer) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in github.repository.rulesets.values()}


def policies(github: GitHubServer, name: str) -> list[tuple[str, str]]:
    return sorted((item["type"], item["name"]) for item in github.repository.environments[name]["policies"])


# what is wanted


def test_environments_are_those_that_the_workflows_name(tmp_path: Path) -> None:
    secret = "tracking: {uri: https://mlflow.example.com, secret: MLFLOW_TRACKING_TOKEN}\n"
    workspace = write_many(tmp_path, {"churn": "", "demand": secret})
    workspace = replace(workspace, models=tuple(deploying(workspace)))
    found = {
        one.name: (sorted(map(str, one.patterns)), one.approval, set(one.secrets), set(one.variables))
        for one in wanted_environments(workspace)
    }
    assert found == {
        "tagship-publish": (
            ["tag churn/v[0-9]*", "tag demand/v[0-9]*"],
            False,
            set(),
            {"TAGSHIP_PUBLISH_ROLE"},
        ),
        "tagship-train": (["tag demand/v[0-9]*"], False, {"MLFLOW_TRACKING_TOKEN"}, set()),
        "tagship-churn-production": (["branch main"], True, set(), set()),
        "tagship-demand-production": (["branch main"], True, set(), set()),
    }


def test_who_watches_rollouts_has_an_environment_of_its_own(tmp_path: Path) -> None:
    """For releases on a tag, and on the branch for what is promoted; each cluster's kubeconfig is a secret of it."""
    first = "deploy: {observe: {kubeconfig: A}, environments: {staging: , live: {observe: {kubeconfig: B}}}}\n"
    found = {one.name: one for one in wanted_environments(write(tmp_path, model_yaml(first)))}
    observe = found["tagship-observe"]
    assert sorted(map(str, observe.patterns)) == ["branch main", "tag v[0-9]*"]
    assert observe.secrets == {"A", "B"}
    alone = "deploy: {observe: {kubeconfig: A}}\n"
    found = {one.name: one for one in wanted_environments(write(tmp_path, model_yaml(alone)))}
    assert sorted(map(str, found["tagship-observe"].patterns)) == ["tag v[0-9]*"]


def test_the_apps_key_has_an_environment_of_its_own(tmp_path: Path) -> None:
    """For releases on a tag, promotions and rollbacks on the branch; with nobody to ask."""
    found = {one.name: one for one in wanted_environments(deploying(write(tmp_path), "app"))}
    deploy = found["tagship-deploy"]
    assert sorted(map(str, deploy.patterns)) == ["branch main", "tag v[0-9]*"]
    assert (deploy.secrets, deploy.variables) == ({"TAGSHIP_APP_PRIVATE_KEY"}, {"TAGSHIP_APP_CLIENT_ID"})
    assert not deploy.approval


def test_the_deploy_key_has_the_same_environment(tmp_path: Path) -> None:
    found = {one.name: one for one in wanted_environments(deploying(write(tmp_path), "deploy-key"))}
    deploy = found["tagship-deploy"]
    assert sorted(map(str, deploy.patterns)) == ["branch main", "tag v[0-9]*"]
    assert (deploy.secrets, deploy.variables, deploy.approval) == ({"TAGSHIP_DEPLOY_KEY"}, set(), False)


@pytest.mark.parametrize(
    ("url", "needed"),
    [
        ("https://github.com/acme/churn", set()),
        ("ssh://git@ssh.github.com:443/acme/churn.git", set()),
        ("https://ghe.example.com/acme/churn", {"TAGSHIP_KNOWN_HOSTS"}),
    ],
)
def test_a_server_of_ones_own_must_be_known(tmp_path: Path, url: str, needed: set[str]) -> None:
    text = model_yaml(f"repository: {{url: '{url}'}}\ndeploy: {{push: {{mode: deploy-key}}}}\n")
    found = {one.name: one for one in wanted_environments(write(tmp_path, text))}
    assert found["tagship-deploy"].variables == needed


def test_the_webhook_has_an_environment_that_waits_for_nobody(tmp_path: Path) -> None:
    found = {
        one.name: one for one in wanted_environments(write(tmp_path, model_yaml("notify: {webhook: CHAT}\n")))
    }
    told = found["tagship-notify"]
    assert sorted(map(str, told.patterns)) == ["branch main", "tag v[0-9]*"]
    assert (told.secrets, told.variables, told.approval) == ({"CHAT"}, set(), False)


def test_a_retraining_admits_no_branch_to_the_trainings_secrets(tmp_path: Path) -> None:
    text = model_yaml("retrain: {schedule: '0 3 * * 1'}\ndeploy: {push: {mode: app}}\n")
    text = text.replace("script: train.py", "script: train.py, secrets: [TOKEN]")
    found = {one.name: one for one in wanted_environments(write(tmp_path, text))}
    assert sorted(map(str, found["tagship-train"].patterns)) == ["tag v[0-9]*"]


def test_what_comes_to_the_first_environment_comes_by_a_tag(tmp_path: Path) -> None:
    workspace = write(tmp_path)
    deploy = Deploy(environments={"production": Environment(approval=True)})
    model = workspace.models[0]
    workspace = replace(workspace, models=(Model(model.config.model_copy(update={"deploy": deploy}), "."),))
    approval = next(one for one in wanted_environments(workspace) if one.approval)
    assert sorted(map(str, approval.patterns)) == ["branch main", "tag v[0-9]*"]


def test_secrets_of_another_registry_are_asked_for(tmp_path: Path) -> None:
    text = model_yaml().replace("123456789012.dkr.ecr.eu-north-1.amazonaws.com", "registry.example.com")
    (publish,) = wanted_environments(write(tmp_path, text))
    assert publish.secrets == {"REGISTRY_USERNAME", "REGISTRY_PASSWORD"}
    assert publish.variables == set()


def test_the_required_check_is_a_job_of_the_generated_workflow() -> None:
    root = Path(__file__).parents[2]
    jobs = yaml.safe_load((root / ".github/workflows/pull-request.yml").read_text())["jobs"]
    assert REQUIRED_CHECK in [job["name"] for job in jobs.values()]


# the first time, and the second


def test_nothing_is_written_before_it_is_asked_for(
    github: GitHubServer, hub: GitHub, workspace: Workspace
) -> None:
    proposal = propose(hub, workspace, ADA)
    assert github.writes == []
    assert changes(proposal) == {
        "environment tagship-publish": "create",
        f"environment {APPROVAL}": "create",
        "who approves": "create",
        f'ruleset "{BRANCH}"': "create",
        f'ruleset "{TAGS}"': "create",
    }


def test_an_empty_repository_gets_all_of_it_and_a_second_run_writes_nothing(
    github: GitHubServer, hub: GitHub, workspace: Workspace
) -> None:
    _, unmet = applied(hub, workspace)
    assert unmet == []
    assert policies(github, "tagship-publish") == [("tag", "v[0-9]*")]
    assert policies(github, APPROVAL) == [("branch", "main")]
    assert github.repository.environments[APPROVAL]["reviewers"] == [{"type": "User", "id": 11}]
    assert github.repository.environments["tagship-publish"]["reviewers"] == []
    found = rules(github)
    assert [rule["type"] for rule in found[BRANCH]["rules"]] == ["deletion", "non_fast_forward"]
    assert found[BRANCH]["bypass_actors"] == []
    assert [rule["type"] for rule in found[TAGS]["rules"]] == ["creation", "update", "deletion"]
    assert found[TAGS]["conditions"]["ref_name"]["include"] == ["refs/tags/v[0-9]*"]
    assert found[TAGS]["bypass_actors"] == [
        {"actor_type": "RepositoryRole", "actor_id": 5, "bypass_mode": "always"}
    ]
    writes = len(github.writes)
    again, unmet = applied(hub, workspace)
    assert again.steps == unmet == []
    assert set(changes(again).values()) == {"-"}
    assert len(github.writes) == writes, [request.address for request in github.writes[writes:]]


def test_a_run_that_broke_off_is_finished_by_the_next(github: GitHubServer, hub: GitHub, tmp_path: Path) -> None:
    workspace = deploying(write_many(tmp_path, {"churn": "", "demand": "", "prices": ""}))
    for operation in ("repos/create-deployment-branch-policy", "repos/create-repo-ruleset"):
        github.fail(operation, refused(500, "Server Error"))
        with pytest.raises(GeneratorError, match="GitHub has trouble"):
            applied(hub, workspace)
    applied(hub, workspace)
    assert [name for _, name in policies(github, "tagship-publish")] == [
        "churn/v[0-9]*",
        "demand/v[0-9]*",
        "prices/v[0-9]*",
    ]
    assert set(rules(github)) == {BRANCH, TAGS}
    assert propose(hub, workspace, ADA).steps == []


def test_a_new_models_tags_are_added(github: GitHubServer, hub: GitHub, tmp_path: Path) -> None:
    first = write_many(tmp_path, {"churn": ""})
    applied(hub, first)
    (tmp_path / "more").mkdir()
    applied(hub, write_many(tmp_path / "more", {"churn": "", "demand": ""}))
    assert policies(github, "tagship-publish") == [("tag", "churn/v[0-9]*"), ("tag", "demand/v[0-9]*")]
    include = rules(github)[TAGS]["conditions"]["ref_name"]["include"]
    assert include == ["refs/tags/churn/v[0-9]*", "refs/tags/demand/v[0-9]*"]


# people


def test_a_team_reviews_and_a_team_releases(github: GitHubServer, hub: GitHub, workspace: Workspace) -> None:
    applied(hub, workspace, Wishes(("@acme/ml", "@ada", "ada"), release_team="@acme/release", app=4711))
    assert github.repository.environments[APPROVAL]["reviewers"] == [
        {"type": "Team", "id": 22},
        {"type": "User", "id": 11},
    ]
    assert [(item["actor_type"], item["actor_id"]) for item in rules(github)[TAGS]["bypass_actors"]] == [
        ("Team", 21),
        ("Integration", 4711),
    ]
    assert hub.environments.who_approves(APPROVAL) == ("@acme/ml", "ada")


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        (Wishes(("nobody",)), "GitHub knows no user 'nobody'"),
        (Wishes(("a b",)), "GitHub knows no user 'a b'"),
        (Wishes(("@acme/nobody",)), "GitHub shows no team @acme/nobody"),
        (Wishes(("@other/team",)), "@other/team is no team of acme, which owns the repository"),
        (Wishes(("@acme/outsiders",)), "@acme/outsiders has no access to acme/churn: give it there first"),
        (Wishes(release_team="ada"), "'ada' is no team: write @ORGANIZATION/TEAM"),
        (Wishes(tuple("bcdefgh")), "at most 6 reviewers"),
    ],
)
def test_who_cannot_be_asked_is_refused_before_anything_is_written(
    github: GitHubServer, hub: GitHub, workspace: Workspace, wishes: Wishes, message: str
) -> None:
    github.repository.users |= {name: 100 + number for number, name in enumerate("bcdefgh")}
    github.repository.readers |= set("bcdefgh")
    with pytest.raises(GeneratorError, match=message):
        applied(hub, workspace, wishes)
    assert github.writes == []


def test_a_stranger_cannot_review_a_private_repository(
    github: GitHubServer, hub: GitHub, workspace: Workspace
) -> None:
    github.repository.private, github.repository.plan = True, "enterprise"
    with pytest.raises(GeneratorError, match="stranger has no access"):
        propose(hub, workspace, Wishes(("stranger",)))


def test_a_personal_account_has_no_teams(github: GitHubServer, hub: GitHub, workspace: Workspace) -> None:
    github.repository.owner_type = "User"
    with pytest.raises(GeneratorError, match="acme is a personal account, which has no teams"):
        propose(hub, workspace, Wishes(release_team="@acme/release"))


def test_nobody_was_named(github: GitHubServer, hub: GitHub, workspace: Workspace) -> None:
    proposal, _ = applied(hub, workspace, Wishes())
    assert proposal.unmet == [f"{APPROVAL}: nobody is asked; name them with --reviewer USER or @ORG/TEAM"]
    problem = approval_problem(hub.environments, APPROVAL)
    assert problem
    assert problem.startswith(f"{APPROVAL} asks nobody, and nothing would wait")
    applied(hub, workspace, ADA)
    assert approval_problem(hub.environments, APPROVAL) is None


def test_an_environment_that_is_not_there_protects_nothing(hub: GitHub) -> None:
    problem = approval_problem(hub.environments, "tagship-churn-staging")
    assert problem
    assert problem.startswith("GitHub has no environment tagship-churn-staging")


# what is there is never weakened


def test_an_environment_keeps_what_protects_it(github: GitHubServer, hub: GitHub, workspace: Workspace) -> None:
    grace = [{"type": "User", "id": 12}]
    for name in (APPROVAL, "tagship-publish"):
        github.repository.add_environment(name, reviewers=grace, wait_timer=30, prevent_self_review=True)
    proposal, _ = applied(hub, workspace)
    for name in (APPROVAL, "tagship-publish"):
        item = github.repository.environments[name]
        assert (item["reviewers"], item["wait_timer"], item["prevent_self_review"]) == (grace, 30, True)
    assert [note for note in proposal.notes if note.startswith(f"{APPROVAL} has reviewers; add ada by hand")]


@pytest.mark.parametrize(
    ("there", "stays"),
    [
        ([("tag", "v1.[0-9]*")], [("tag", "v1.[0-9]*")]),
        ([("tag", "v[1-3].*")], [("tag", "v[1-3].*")]),
        ([("tag", "v*")], [("tag", "v[0-9]*")]),
        ([("tag", "*")], [("tag", "v[0-9]*")]),
        ([("branch", "main"), ("tag", "v[0-9]*")], [("tag", "v[0-9]*")]),
        ([("branch", "v[0-9]*")], [("tag", "v[0-9]*")]),
    ],
)
def test_only_release_tags_may_publish_and_fewer_of_them_where_somebody_said_so(
    github: GitHubServer,
    hub: GitHub,
    workspace: Workspace,
    there: list[tuple[str, str]],
    stays: list[tuple[str, str]],
) -> None:
    listed = {"protected_branches": False, "custom_branch_policies": True}
    given = [{"id": number, "type": kind, "name": name} for number, (kind, name) in enumerate(there)]
    github.repository.add_environment("tagship-publish", deployment_branch_policy=listed, policies=given)
    applied(hub, workspace)
    assert policies(github, "tagship-publish") == stays


def test_protected_branches_stay_where_a_branch_is_enough(
    github: GitHubServer, hub: GitHub, workspace: Workspace
) -> None:
    protected = {"protected_branches": True, "custom_branch_policies": False}
    for name in (APPROVAL, "tagship-publish"):
        github.repository.add_environment(name, deployment_branch_policy=protected)
    applied(hub, workspace)
    assert github.repository.environments[APPROVAL]["deployment_branch_policy"] == protected
    assert policies(github, "tagship-publish") == [("tag", "v[0-9]*")], "a tag is no protected branch"


def test_a_ruleset_becomes_stricter_and_nothing_else(
    github: GitHubServer, hub: GitHub, workspace: Workspace
) -> None:
    linear = {"type": "required_linear_history"}
    made = github.repository.add_ruleset(
        name=BRANCH,
        enforcement="evaluate",
        rules=[linear, {"type": "deletion"}],
        conditions={"ref_name": {"include": ["refs/heads/release"], "exclude": []}},
    )
    tags = github.repository.add_ruleset(
        name=TAGS,
        target="tag",
        rules=[{"type": "creation"}],
        conditions={"ref_name": {"include": ["~ALL"], "exclude": ["refs/tags/nightly"]}},
    )
    before = propose(hub, workspace, Wishes(("ada",), release_team="@acme/release"))
    carry_out(hub, before, lambda _line: None)
    assert made["enforcement"] == "active"
    assert made["rules"] == [linear, {"type": "deletion"}, {"type": "non_fast_forward"}]
    assert made["conditions"]["ref_name"]["include"] == ["refs/heads/release", "refs/heads/main"]
    assert tags["bypass_actors"] == [], "who may bypass is a person's decision"
    assert tags["conditions"]["ref_name"] == {"include": ["~ALL"], "exclude": ["refs/tags/nightly"]}
    now = {line.what: line.now for line in before.lines}
    assert now[f'ruleset "{BRANCH}"'] == "is evaluate; lacks refs/heads/main, non_fast_forward"
    text = "\n".join(before.notes)
    assert f'"{TAGS}" is there and does not let @acme/release by' in text
    assert f'"{TAGS}" leaves out refs/tags/nightly' in text
    assert propose(hub, workspace, Wishes(("ada",), release_team="@acme/release")).steps == []


def test_required_reviews_stay_as_many_as_they_are(
    github: GitHubServer, hub: GitHub, workspace: Workspace
) -> None:
    pull = {
        "dismiss_stale_reviews_on_push": True,
        "require_code_owner_review": True,
        "require_last_push_approval": False,
        "required_approving_review_count": 2,
        "required_review_thread_resolution": False,
        "allowed_merge_methods": ["squash"],
    }
    checks = {
        "required_status_checks": [{"context": "lint", "integration_id": 15368}],
        "strict_required_status_checks_policy": True,
    }
    made = github.repository.add_ruleset(
        name=PULLS,
        rules=[
            {"type": "pull_request", "parameters": pull},
            {"type": "required_status_checks", "parameters": checks},
        ],
        conditions={"ref_name": {"include": ["refs/heads/main"], "exclude": []}},
    )
    proposal, _ = applied(hub, deploying(workspace, "app"), Wishes(("ada",), app=4711))
    assert changes(proposal)[f'ruleset "{PULLS}"'] == "change"
    assert made["rules"][0]["parameters"] == pull
    assert made["rules"][1]["parameters"] == {
        "required_status_checks": [
            {"context": "lint", "integration_id": 15368},
            {"context": REQUIRED_CHECK, "integration_id": ACTIONS},
        ],
        "strict_required_status_checks_policy": True,
    }
    assert made["bypass_actors"] == []
    assert any("does not let the App 4711 by" in note for note in proposal.notes)


def test_a_ruleset_of_our_name_for_something_else(github: GitHubServer, hub: GitHub, workspace: Workspace) -> None:
    github.repository.add_ruleset(name=TAGS, target="branch")
    with pytest.raises(GeneratorError, match="is one for a branch: rename it there"):
        propose(hub, workspace, ADA)


# ways of pushing


def test_the_workflows_own_token_is_not_locked_out(
    github: GitHubServer, hub: GitHub, workspace: Workspace
) -> None:
    applied(hub, workspace, Wishes(("ada",), app=4711))
    assert PULLS not in rules(github)
    types = {rule["type"] for rule in hub.rulesets.on_branch("main")}
    assert types == {"deletion", "non_fast_forward"}


@pytest.mark.parametrize(("mode", "actor"), [("app", ("Integration", 4711)), ("deploy-key", ("DeployKey", None))])
def test_pull_requests_are_required_where_the_pusher_may_bypass(
    github: GitHubServer, hub: GitHub, workspace: Workspace, mode: str, actor: tuple[str, int | None]
) -> None:
    _, unmet = applied(hub, deploying(workspace, mode), Wishes(("ada",), app=4711))
    assert unmet == []
    made = rules(github)[PULLS]
    assert [(item["actor_type"], item["actor_id"]) for item in made["bypass_actors"]] == [actor]
    assert [rule["type"] for rule in made["rules"]] == ["pull_request", "required_status_checks"]
    assert rules(github)[BRANCH]["bypass_actors"] == [], "not even the App rewrites the branch"
    assert propose(hub, deploying(workspace, mode), Wishes(("ada",), app=4711)).steps == []


def test_deploy_keys_are_looked_at(github: GitHubServer, hub: GitHub, workspace: Workspace) -> None:
    def notes() -> list[str]:
        proposal = propose(hub, deploying(workspace, "deploy-key"), ADA)
        return [note for note in proposal.notes if "deploy key" in note]

    github.repository.add_deploy_key("reader", read_only=True)
    github.repository.add_deploy_key("of an organisation that forbids them", enabled=False)
    assert [note.partition(":")[0] for note in notes()] == ["no deploy key may write"]
    github.repository.add_deploy_key("tagship")
    assert notes() == []
    github.repository.add_deploy_key("another")
    assert notes() == ["2 deploy keys may write (tagship, another): every one of them passes the rules"]
    assert [note for note in propose(hub, workspace, ADA).notes if "deploy key" in note] == []


@pytest.mark.parametrize(
    ("retrain", "makers"), [("", ["RepositoryRole"]), ("retrain: {}\n", ["RepositoryRole", "DeployKey"])]
)
def test_a_deploy_key_makes_release_tags_where_it_retrains(
    github: GitHubServer, hub: GitHub, tmp_path: Path, retrain: str, makers: list[str]
) -> None:
    (tmp_path / "other").mkdir()
    workspace = write(tmp_path / "other", model_yaml(f"{retrain}deploy: {{push: {{mode: deploy-key}}}}\n"))
    applied(hub, workspace)
    assert [item["actor_type"] for item in rules(github)[TAGS]["bypass_actors"]] == makers


def checks(github: GitHubServer) -> list[dict[str, Any]]:
    parameters = rules(github)[PULLS]["rules"][1]["parameters"]
    found: list[dict[str, Any]] = parameters["required_status_checks"]
    return found


def test_the_check_is_that_of_actions_alone(github: GitHubServer, hub: GitHub, workspace: Workspace) -> None:
    """Any App with `checks: write` may report one of that name."""
    ours = deploying(workspace, "deploy-key")
    applied(hub, ours)
    pinned = [{"context": "Validate", "integration_id": ACTIONS}]
    assert checks(github) == pinned
    del checks(github)[0]["integration_id"]
    proposal, _ = applied(hub, ours)
    (line,) = [line for line in proposal.lines if PULLS in line.what]
    assert line.now == "lacks that GitHub Actions alone may report Validate"
    assert checks(github) == pinned
    checks(github)[0]["integration_id"] = 4711  # somebody's own, on purpose
    assert propose(hub, ours, ADA).steps == []


def test_a_server_that_shows_no_app_of_actions(github: GitHubServer, hub: GitHub, workspace: Workspace) -> None:
    github.fail("apps/get-by-slug", not_found())
    applied(hub, deploying(workspace, "deploy-key"))
    assert checks(github) == [{"context": "Validate"}]


def test_an_app_that_was_not_named(github: GitHubServer, hub: GitHub, workspace: Workspace) -> None:
    proposal, _ = applied(hub, deploying(workspace, "app"))
    assert PULLS not in rules(github)
    assert any("needs a GitHub App" in note and "--app" in note for note in proposal.notes)


def test_an_app_on_a_personal_account(github: GitHubServer, hub: GitHub, workspace: Workspace) -> None:
    github.repository.owner_type = "User"
    with pytest.raises(GeneratorError, match="Actor must be part of the ruleset source or owner organization"):
        applied(hub, deploying(workspace, "app"), Wishes(("ada",), app=4711))


def test_a_rule_that_will_refuse_the_deploy_commit_is_said(
    github: GitHubServer, hub: GitHub, workspace: Workspace
) -> None:
    rule = {
        "type": "pull_request",
        "ruleset_source_type": "Organization",
        "ruleset_source": "acme",
        "ruleset_id": 9,
    }
    github.repository.foreign_rules = [rule]
    notes = propose(hub, workspace, ADA).notes
    assert [
        note for note in notes if note.startswith("main has rules (pull_request) that the workflow's own token")
    ]
    assert not [note for note in propose(hub, deploying(workspace, "app"), ADA).notes if "has rules" in note]


# what GitHub does not offer, and what no token can set


def test_a_plan_without_reviewers(github: GitHubServer, hub: GitHub, workspace: Workspace) -> None:
    github.repository.private = True
    _, unmet = applied(hub, workspace)
    (said,) = unmet
    assert said.startswith(f"{APPROVAL}: {PLAN_REVIEWERS}")
    assert "`via: pull-request`" in said
    assert policies(github, APPROVAL) == [("branch", "main")], "the rest of it is set"
    kept = [request.address for request in github.writes]
    _, unmet = applied(hub, workspace)
    assert len(unmet) == 1
    assert [request.address for request in github.writes[len(kept) :]] == [
        f"/repos/acme/churn/environments/{APPROVAL}"
    ], "it tries the reviewers again, and nothing else"


def test_a_plan_without_rulesets(github: GitHubServer, hub: GitHub, workspace: Workspace) -> None:
    github.repository.private, github.repository.plan = True, "free"
    proposal, _ = applied(hub, workspace, Wishes())
    assert f'ruleset "{TAGS}": {PLAN_RULES}' in "\n".join(proposal.unmet)
    assert {line.now for line in proposal.lines if "ruleset" in line.what} == {"not offered"}
    assert "tagship-publish" in github.repository.environments


def test_secrets_and_variables_are_named_and_never_set(github: GitHubServer, hub: GitHub, tmp_path: Path) -> None:
    text = model_yaml("tracking: {uri: https://mlflow.example.com, secret: MLFLOW_TRACKING_TOKEN}\n")
    workspace = write(tmp_path, text.replace("train.py}", "train.py, secrets: [WAREHOUSE_TOKEN]}"))
    github.repository.add_environment("tagship-train", secrets=["WAREHOUSE_TOKEN"])
    notes = "\n".join(propose(hub, workspace, Wishes()).notes)
    assert "gh secret set MLFLOW_TRACKING_TOKEN --env tagship-train" in notes
    assert "WAREHOUSE_TOKEN" not in notes, "it is set"
    assert "gh variable set TAGSHIP_PUBLISH_ROLE --env tagship-publish" in notes
    github.repository.add_environment(
        "tagship-publish", variables={"TAGSHIP_PUBLISH_ROLE": "arn:aws:iam::1:role/x"}
    )
    assert "TAGSHIP_PUBLISH_ROLE" not in "\n".join(propose(hub, workspace, Wishes()).notes)


def test_settings_of_actions_are_read_and_never_set(
    github: GitHubServer, hub: GitHub, workspace: Workspace
) -> None:
    before = propose(hub, workspace, ADA).notes
    github.repository.actions = {"enabled": True, "allowed_actions": "local_only"}
    github.repository.workflow_permissions = {
        "default_workflow_permissions": "write",
        "can_approve_pull_request_reviews": True,
    }
    added = [note for note in propose(hub, workspace, ADA).notes if note not in before]
    assert len(added) == 3
    assert "astral-sh/setup-uv" in added[0]
    assert "switch it off" in added[1]
    assert "make read the default" in added[2]
    assert github.writes == []


def test_what_the_token_may_not_read_is_said(github: GitHubServer, hub: GitHub, workspace: Workspace) -> None:
    github.repository.add_environment("tagship-publish")
    github.fail("actions/list-environment-variables", denied("environments=read"))
    github.fail("actions/get-github-actions-permissions-repository", denied("administration=read"))
    notes = "\n".join(propose(hub, workspace, ADA).notes)
    assert "secrets and variables of tagship-publish were not looked at: the token may not do this" in notes
    assert "the settings of Actions were not looked at" in notes
    assert "it needs administration=read" in notes


def test_a_token_that_may_not_administer(github: GitHubServer, hub: GitHub, workspace: Workspace) -> None:
    github.repository.admin = False
    assert any("does not administer" in note for note in propose(hub, workspace, ADA).notes)
    with pytest.raises(GeneratorError, match="it needs administration=write"):
        applied(hub, workspace)


def test_another_repository_than_model_yaml_says(github: GitHubServer, hub: GitHub, workspace: Workspace) -> None:
    model = workspace.models[0]
    said = model.config.repository.model_copy(update={"id": 1})
    other = Model(model.config.model_copy(update={"repository": said}), ".")
    with pytest.raises(GeneratorError, match=r"model\.yaml says repository\.id: 1, GitHub says 456789"):
        propose(hub, replace(workspace, models=(other,)), ADA)


def test_a_repository_that_is_not_there(github: GitHubServer, workspace: Workspace) -> None:
    with pytest.raises(GeneratorError, match="GitHub shows this token no repository acme/other"):
        propose(connect("acme/other", github.variables), workspace, ADA)


def test_the_address_is_model_yamls_then_the_remotes(tmp_path: Path) -> None:
    assert address_of(write(tmp_path), "git@github.com:acme/churn.git") == "git@github.com:acme/churn.git"
    with pytest.raises(GeneratorError, match="no repository is named"):
        address_of(write(tmp_path), None)
    named = write(tmp_path, model_yaml("repository: {url: https://github.com/acme/other}\n"))
    assert address_of(named, "git@github.com:acme/churn.git") == "https://github.com/acme/other"


# the command


@pytest.fixture
def cloned(tmp_path: Path) -> Path:
    write(tmp_path)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "remote", "add", "origin", "git@github.com:acme/churn.git")
    return tmp_path


def bootstrap(github: GitHubServer, root: Path, *argv: str, **more: Any) -> subprocess.CompletedProcess[str]:
    done = generator("bootstrap", "github", *argv, cwd=root, **{**github.variables, **more})
    assert TOKEN not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_the_command_shows_then_asks_then_does(github: GitHubServer, cloned: Path) -> None:
    done = bootstrap(github, cloned)
    assert done.returncode == 0, done.stderr
    assert "environment tagship-publish" in done.stdout
    assert "only tag v[0-9]*" in done.stdout
    assert "nothing was changed: --apply makes the changes" in done.stdout
    assert "acme/churn is repository 456789 of owner 123456" in done.stdout
    for answer in ("n\n", ""):
        silent = bootstrap(github, cloned, "--apply", stdin=answer)
        assert silent.returncode == 2
        assert "add --yes where nobody answers" in silent.stderr
    assert github.writes == []
    done = bootstrap(github, cloned, "--apply", stdin="y\n")
    assert done.returncode == 0, done.stderr
    assert "Make these changes in acme/churn?" in done.stdout
    assert "environment tagship-publish is set" in done.stderr
    writes = len(github.writes)
    done = bootstrap(github, cloned, "--apply", "--yes")
    assert done.returncode == 0, done.stderr
    assert "create" not in done.stdout
    assert len(github.writes) == writes > 0


def test_what_could_not_be_set_makes_the_command_fail(github: GitHubServer, cloned: Path) -> None:
    github.repository.private, github.repository.plan = True, "free"
    done = bootstrap(github, cloned, "--apply", "--yes")
    assert done.returncode == 1
    assert "not set:" in done.stderr
    assert PLAN_RULES in done.stderr
    assert policies(github, "tagship-publish") == [("tag", "v[0-9]*")]


def test_without_a_token_it_says_how_to_get_one(github: GitHubServer, cloned: Path) -> None:
    done = generator("bootstrap", "github", cwd=cloned, GITHUB_API_URL=github.url)
    assert done.returncode == 1
    assert "set GH_TOKEN" in done.stderr
    done = bootstrap(github, cloned, GH_TOKEN="ghp_wrong")
    assert done.returncode == 1
    assert "GitHub does not accept the token" in done.stderr
    assert "ghp_wrong" not in done.stderr


def test_help_of_the_group_imports_nothing_heavy(tmp_path: Path) -> None:
    done = generator("bootstrap", "--help", cwd=tmp_path)
    assert "github" in done.stdout
    done = generator("bootstrap", "githbu", cwd=tmp_path)
    assert done.returncode == 2
    assert "Did you mean 'github'?" in done.stderr
