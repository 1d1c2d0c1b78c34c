"""The GitHub adapter over real HTTP, against GitHub's own description of its API."""

from __future__ import annotations

import dataclasses

import pytest

from generator.adapters.github import GitHub, connect
from generator.adapters.github.client import Client, slug_of, token_from
from generator.adapters.github.environments import EnvironmentSettings, Pattern
from generator.adapters.github.facts import Facts, Reviewer
from generator.adapters.github.pulls import LONGEST, Pulls
from generator.adapters.github.refusals import NotOffered, Refused
from generator.adapters.github.rulesets import Ruleset
from generator.errors import GeneratorError
from tests.generator.github.answers import PLAN_REVIEWERS, Answer, denied, refused
from tests.generator.github.description import DOCUMENT, FILE, operations
from tests.generator.github.server import TOKEN, GitHubServer
from tests.generator.github.trim import OPERATIONS


@pytest.fixture
def hub(github: GitHubServer) -> GitHub:
    return connect("https://github.com/acme/churn.git", github.variables)


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now, self.slept = 1_800_000_000.0, []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def client(github: GitHubServer, clock: Clock) -> Client:
    return Client("acme/churn", TOKEN, base=github.url, sleep=clock.sleep, now=lambda: clock.now)


# the stand-in is a judge that judges


def test_a_request_that_github_does_not_describe_is_a_violation(github: GitHubServer, clock: Clock) -> None:
    asked = client(github, clock)
    asked.patience = 0
    for method, path, body in [
        ("POST", "issues/7/comments", {"text": "no such key"}),
        ("POST", "issues/seven/comments", {"body": "no number"}),
        ("POST", "rulesets", {"name": "x", "enforcement": "on"}),
        ("POST", "rulesets", {"name": "x", "enforcement": "active", "rules": [{"type": "delete"}]}),
        ("PUT", "environments/a", {"reviewer": []}),
        ("POST", "deployments/1/statuses", {"state": "done"}),
        ("POST", "nonsense", {}),
    ]:
        before = len(github.violations)
        with pytest.raises(GeneratorError):
            asked.send(method, path, "x", body)
        assert len(github.violations) == before + 1, path
    with pytest.raises(GeneratorError):
        asked.pages("pulls", "x", status="open")
    assert "query parameter status is unknown" in github.violations.pop()
    github.violations.clear()


def test_an_answer_that_github_does_not_describe_is_a_violation(github: GitHubServer, hub: GitHub) -> None:
    github.repository.actions = {"enabled": "yes"}
    with pytest.raises(GeneratorError):
        hub.facts.actions()
    assert "the stand-in itself" in github.violations.pop()


def test_the_description_is_trimmed_to_what_is_used_and_says_its_source() -> None:
    assert set(operations()) == set(OPERATIONS)
    assert DOCUMENT["x-trimmed-from"].startswith("npm package @octokit/openapi 23.")
    assert FILE.stat().st_size < 2**20


# addresses and tokens


@pytest.mark.parametrize(
    "address",
    [
        "acme/churn",
        "https://github.com/acme/churn",
        "https://github.com/acme/churn.git",
        "https://x-token:secret@github.com/acme/churn.git",
        "git@github.com:acme/churn.git",
        "ssh://git@github.com/acme/churn.git",
        "ssh://git@ssh.github.com:443/acme/churn.git",
    ],
)
def test_a_repository_by_any_of_its_addresses(address: str) -> None:
    assert slug_of(address) == "acme/churn"


@pytest.mark.parametrize(
    "address",
    ["https://gitlab.com/acme/churn", "/srv/git/churn.git", "git@corp.example:acme/churn", "", "acme", "a/b/c"],
)
def test_another_host_is_no_repository_of_github(address: str) -> None:
    with pytest.raises(GeneratorError, match="names no repository on github.com"):
        slug_of(address)


def test_a_server_of_ones_own_has_repositories_too() -> None:
    assert slug_of("git@git.corp.example:acme/churn.git", own_server=True) == "acme/churn"


def test_a_runners_api_address_does_not_make_every_host_github() -> None:
    runner = {"GITHUB_API_URL": "https://api.github.com", "GH_TOKEN": TOKEN}
    assert connect("https://github.com/acme/churn", runner).slug == "acme/churn"
    with pytest.raises(GeneratorError, match="names no repository on github.com"):
        connect("https://gitlab.com/acme/churn", runner)


def test_a_token_is_needed_and_is_one_word() -> None:
    assert token_from({"GH_TOKEN": "", "GITHUB_TOKEN": " ghs_abc\n"}) == "ghs_abc"
    with pytest.raises(GeneratorError, match="set GH_TOKEN"):
        token_from({})
    with pytest.raises(GeneratorError) as caught:
        token_from({"GH_TOKEN": "ghs_abc\nghs_def"})
    assert "ghs_" not in str(caught.value)


def test_the_token_goes_nowhere_in_the_clear() -> None:
    with pytest.raises(GeneratorError, match="not an https:// address"):
        connect("acme/churn", {"GITHUB_API_URL": "http://github.corp.example/api/v3", "GH_TOKEN": TOKEN})


# refusals


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (refused(401, "Bad credentials"), "GitHub does not accept the token"),
        (denied("administration=write"), "the token may not do this in acme/churn: it needs administration=write"),
        (refused(403, "Must have admin rights to Repository."), "it needs Metadata: read"),
        (refused(403, "Resource protected by organization SAML enforcement."), "single sign-on"),
        (
            refused(422, f"Validation\n\x1b[31m{TOKEN}"),
            r"refuses this in acme/churn \(422\): Validation \[31m\*\*\*$",
        ),
        (refused(500, "oops"), r"GitHub has trouble \(500\): run the same command again"),
        (refused(301, "Moved Permanently", Location="https://evil.example/"), "has moved on GitHub"),
        (Answer(200, "<html>not GitHub</html>"), "no JSON"),
        (Answer(403, "<html>proxy says no</html>"), "without a reason"),
    ],
)
def test_a_refusal_says_what_to_do(github: GitHubServer, hub: GitHub, answer: Answer, message: str) -> None:
    github.fail("repos/get", answer)
    with pytest.raises(GeneratorError, match=message) as caught:
        hub.facts.repository()
    assert TOKEN not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_a_wrong_token_is_said_and_not_shown(github: GitHubServer) -> None:
    hub = connect("acme/churn", {**github.variables, "GH_TOKEN": "ghp_wrong"})
    with pytest.raises(GeneratorError, match="does not accept the token") as caught:
        hub.facts.repository()
    assert "ghp_wrong" not in str(caught.value)


def test_a_change_of_what_is_not_there_names_the_right(hub: GitHub) -> None:
    with pytest.raises(GeneratorError, match="does not exist, or the token lacks Pull requests: write"):
        hub.pulls.close(99)


def test_nobody_listens() -> None:
    hub = connect("acme/churn", {"GITHUB_API_URL": "http://127.0.0.1:9", "GH_TOKEN": TOKEN})
    with pytest.raises(GeneratorError, match=r"http://127\.0\.0\.1:9 cannot be reached \(ConnectError\)"):
        hub.facts.repository()


# waiting


def test_it_waits_as_long_as_it_is_told(github: GitHubServer, clock: Clock) -> None:
    slow = refused(429, "You have exceeded a secondary rate limit.", Retry_After="7")
    spent = refused(
        403, "API rate limit exceeded", X_RateLimit_Remaining="0", X_RateLimit_Reset=str(int(clock.now) + 27)
    )
    github.fail("repos/get", refused(502, "Bad Gateway"), slow, spent, Answer(503, "<html>Unicorn!</html>"))
    found = Facts(client(github, clock)).repository()
    assert found
    assert found.slug == "acme/churn"
    assert clock.slept == [1, 7, 19, 8]


def test_it_does_not_wait_for_hours(github: GitHubServer, clock: Clock) -> None:
    reset = str(int(clock.now) + 3000)
    github.fail(
        "repos/get", refused(403, "API rate limit exceeded", X_RateLimit_Remaining="0", X_RateLimit_Reset=reset)
    )
    with pytest.raises(
        GeneratorError, match=r"rate limit .* used up until 08:50:00 UTC: run the same command again"
    ):
        Facts(client(github, clock)).repository()
    assert clock.slept == []


def test_it_gives_up(github: GitHubServer, clock: Clock) -> None:
    github.fail("repos/get", *[refused(503, "Service Unavailable")] * 9)
    with pytest.raises(GeneratorError, match="GitHub has trouble"):
        Facts(client(github, clock)).repository()
    assert len(github.log) == 5


def test_what_may_have_been_done_is_not_done_twice(github: GitHubServer, clock: Clock) -> None:
    github.fail("issues/create-comment", refused(502, "Bad Gateway"))
    with pytest.raises(GeneratorError, match="GitHub has trouble"):
        Pulls(client(github, clock)).comment(7, "tagship", "text")
    assert len(github.writes) == 1


# pages


def test_pages_are_followed_to_the_end(github: GitHubServer, hub: GitHub) -> None:
    github.page_size = 2
    for number in range(5):
        github.repository.add_comment(7, f"{number}", by="ada")
    github.repository.add_comment(7, "<!-- tagship -->\nold")
    hub.pulls.comment(7, "tagship", "new")
    assert github.repository.comments[7][-1]["body"] == "<!-- tagship -->\nnew"
    assert len(github.repository.comments[7]) == 6
    assert [request.query["page"] for request in github.log if "page" in request.query] == ["2", "3"]


def test_the_token_is_not_sent_to_a_page_elsewhere(github: GitHubServer, hub: GitHub) -> None:
    elsewhere = {"Link": '<https://evil.example/comments?page=2>; rel="next"'}
    github.fail("issues/list-comments", Answer(200, [], elsewhere))
    with pytest.raises(GeneratorError, match=r"next page elsewhere, on 'evil\.example'"):
        hub.pulls.comment(7, "tagship", "new")


# the comment


def test_one_comment_is_kept_up_to_date(github: GitHubServer, hub: GitHub) -> None:
    hub.pulls.comment(7, "tagship: churn", "first")
    hub.pulls.comment(7, "tagship: churn", "second")
    hub.pulls.comment(7, "tagship: demand", "another model's")
    assert [item["body"] for item in github.repository.comments[7]] == [
        "<!-- tagship: churn -->\nsecond",
        "<!-- tagship: demand -->\nanother model's",
    ]
    writes = len(github.writes)
    hub.pulls.comment(7, "tagship: churn", "second")
    assert len(github.writes) == writes, "nothing new was written"


def test_somebody_elses_comment_is_left_alone(github: GitHubServer, hub: GitHub) -> None:
    github.repository.add_comment(7, "<!-- tagship -->\nmine", by="stranger")
    hub.pulls.comment(7, "tagship", "ours")
    assert [item["body"] for item in github.repository.comments[7]] == [
        "<!-- tagship -->\nmine",
        "<!-- tagship -->\nours",
    ]


def test_of_two_that_raced_one_stays(github: GitHubServer, hub: GitHub) -> None:
    github.repository.add_comment(7, "<!-- tagship -->\na")
    github.repository.add_comment(7, "<!-- tagship -->\nb")
    hub.pulls.comment(7, "tagship", "c")
    assert [item["body"] for item in github.repository.comments[7]] == ["<!-- tagship -->\nc"]


def test_a_comment_that_is_too_long_is_cut(github: GitHubServer, hub: GitHub) -> None:
    hub.pulls.comment(7, "tagship", "x" * (LONGEST + 1))
    body = github.repository.comments[7][0]["body"]
    assert len(body) == LONGEST
    assert body.endswith("the job summary has it all.\n")


# pull requests


def test_a_pull_request_from_opening_to_closing(github: GitHubServer, hub: GitHub) -> None:
    assert hub.pulls.open_from("tagship/churn/production") is None
    made = hub.pulls.create(title="Promote", head="tagship/churn/production", base="main", body="evidence")
    assert (made.number, made.url) == (8, "https://github.com/acme/churn/pull/8")
    assert hub.pulls.open_from("tagship/churn/production") == made
    assert hub.pulls.open_from("tagship/churn/staging") is None
    assert hub.pulls.update(8, title="Promote 1.1.0", body="more").title == "Promote 1.1.0"
    hub.pulls.close(8)
    assert hub.pulls.open_from("tagship/churn/production") is None
    assert github.repository.pulls[0]["state"] == "closed"


def test_a_pull_request_that_is_open_already_is_found(hub: GitHub) -> None:
    first = hub.pulls.create(title="Promote", head="b", base="main", body="")
    assert hub.pulls.create(title="Promote", head="b", base="main", body="") == first


def test_a_workflows_token_may_not_open_one(github: GitHubServer, hub: GitHub) -> None:
    github.fail(
        "pulls/create", refused(403, "GitHub Actions is not permitted to create or approve pull requests.")
    )
    with pytest.raises(GeneratorError, match="needs Pull requests: write .*not permitted to create or approve"):
        hub.pulls.create(title="Promote", head="b", base="main", body="")


# environments, rulesets


def test_an_environment_is_read_as_it_was_written(github: GitHubServer, hub: GitHub) -> None:
    wanted = EnvironmentSettings(
        reviewers=(Reviewer("User", 11, "ada"), Reviewer("Team", 21, "@acme/release")),
        wait_timer=30,
        prevent_self_review=True,
        refs="listed",
        patterns=frozenset({Pattern("tag", "v[0-9]*"), Pattern("branch", "main")}),
    )
    assert hub.environments.get("tagship/publish é") is None
    hub.environments.put("tagship/publish é", wanted)
    assert hub.environments.get("tagship/publish é") == wanted
    narrower = dataclasses.replace(wanted, patterns=frozenset({Pattern("tag", "v[0-9]*")}))
    hub.environments.put("tagship/publish é", narrower)
    assert hub.environments.get("tagship/publish é") == narrower


def test_an_environment_of_many_patterns(github: GitHubServer, hub: GitHub) -> None:
    github.page_size = 3
    patterns = frozenset(Pattern("tag", f"model-{number}/v[0-9]*") for number in range(10))
    hub.environments.put("tagship-publish", EnvironmentSettings(refs="listed", patterns=patterns))
    found = hub.environments.get("tagship-publish")
    assert found
    assert found.patterns == patterns


def test_a_plan_without_reviewers_gets_what_it_offers(github: GitHubServer, hub: GitHub) -> None:
    github.repository.private = True
    wanted = EnvironmentSettings(refs="listed", patterns=frozenset({Pattern("tag", "v[0-9]*")}))
    hub.environments.put("tagship-publish", wanted)
    with pytest.raises(NotOffered) as caught:
        hub.environments.put("x", dataclasses.replace(wanted, reviewers=(Reviewer("User", 11, "ada"),)))
    assert caught.value.said == PLAN_REVIEWERS


def test_names_of_secrets_and_variables(github: GitHubServer, hub: GitHub) -> None:
    github.repository.add_environment("tagship-train", secrets=["A", "B"], variables={"ROLE": "arn"})
    assert hub.environments.secret_names("tagship-train") == ["A", "B"]
    assert hub.environments.variables("tagship-train") == {"ROLE": "arn"}
    assert hub.environments.secret_names("absent") == []


def test_a_ruleset_is_read_as_it_was_written(github: GitHubServer, hub: GitHub) -> None:
    rules = ({"type": "deletion"}, {"type": "non_fast_forward"})
    wanted = Ruleset("ours", "branch", "active", ("refs/heads/main",), (), rules, ())
    assert hub.rulesets.find("ours") is None
    hub.rulesets.put(wanted)
    found = hub.rulesets.find("ours")
    assert found
    assert dataclasses.replace(found, id=None) == wanted
    hub.rulesets.put(dataclasses.replace(found, rules=(*rules, {"type": "required_linear_history"})))
    again = hub.rulesets.find("ours")
    assert again
    assert again.id == found.id
    assert len(again.rules) == 3
    assert {rule["type"] for rule in hub.rulesets.on_branch("main")} == {rule["type"] for rule in again.rules}


def test_who_may_bypass_stays_where_the_token_may_not_see_it(github: GitHubServer, hub: GitHub) -> None:
    made = github.repository.add_ruleset(name="ours", rules=[{"type": "deletion"}])
    hidden = {key: value for key, value in made.items() if key != "bypass_actors"}
    github.fail("repos/get-repo-ruleset", Answer(200, hidden))
    found = hub.rulesets.find("ours")
    assert found
    assert found.bypass is None
    hub.rulesets.put(found)
    assert "bypass_actors" not in github.writes[-1].body


# deployments and releases


def test_a_deployment_goes_through_its_states(github: GitHubServer, hub: GitHub) -> None:
    run = "https://github.com/acme/churn/actions/runs/1"
    number = hub.deployments.announce("v1.0.0", "production", "in_progress", "publishing", log_url=run)
    hub.deployments.announce("v1.0.0", "production", "success", "a\n" + "long " * 40)
    hub.deployments.announce("v1.0.0", "staging", "failure", "gate")
    assert [item["environment"] for item in github.repository.deployments] == ["production", "staging"]
    first, second = github.repository.statuses[number]
    assert (first["state"], first["log_url"]) == ("in_progress", run)
    assert second["state"] == "success"
    assert len(second["description"]) == 140


def test_a_deployment_of_what_is_not_there(hub: GitHub) -> None:
    with pytest.raises(Refused, match="No ref found for: gone"):
        hub.deployments.announce("gone", "production", "success", "")


def test_a_release_is_made_once_and_kept_up_to_date(github: GitHubServer, hub: GitHub) -> None:
    url = hub.releases.publish("churn/v1.0.0", title="churn 1.0.0", notes="accuracy 0.9")
    assert url == "https://github.com/acme/churn/releases/tag/churn/v1.0.0"
    hub.releases.publish("churn/v1.0.0", title="churn 1.0.0", notes="accuracy 0.9")
    assert len(github.writes) == 1
    hub.releases.publish("churn/v1.0.0", title="churn 1.0.0", notes="accuracy 0.91")
    assert [item["body"] for item in github.repository.releases] == ["accuracy 0.91"]


def test_a_release_that_another_run_made_meanwhile(github: GitHubServer, hub: GitHub) -> None:
    hub.releases.publish("v1", title="a", notes="a")
    github.fail("repos/get-release-by-tag", refused(404, "Not Found"))
    hub.releases.publish("v1", title="b", notes="b")
    assert [item["body"] for item in github.repository.releases] == ["b"]
