"""Announcements by the command, to GitHub's stand-in and a chat: of what real repositories say happened."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from generator.artifacts import OverlayCommit, Rollout
from generator.config.workspace import load
from generator.store import Store
from tests.generator.chat import SECRET, Chat
from tests.generator.github.answers import refused
from tests.generator.github.server import GitHubServer
from tests.generator.repositories import git
from tests.generator.test_cli import generator
from tests.generator.test_promotion import Stages

JOBS = ("train", "package", "publish", "deploy", "observe")
REASON = "it says <!channel> & `no` | $(id) @everyone"
SERVER = "https://github.com"


class Told(Stages):
    """A repository whose workflows tell the stand-in and the chat."""

    def __init__(self, folder: Path, github: GitHubServer, chat: Chat) -> None:
        super().__init__(folder)
        self.github, self.chat = github, chat
        self.out = folder / "output"

    def release_it(self, version: str, digit: str, **more: float) -> OverlayCommit:
        """What the jobs before the last one leave behind."""
        git(self.root, "tag", f"v{version}", self.commit)
        deployed = self.deploy(version, digit, **more)
        assert isinstance(deployed, OverlayCommit)
        git(self.root, "fetch", "--quiet", "origin")
        seen = Rollout(
            **self.release(version).identity, environment="staging", digest=deployed.digest,
            state="unobserved", detail="nobody looked",
        )  # fmt: skip
        store = Store(self.root / ".tagship" / f"churn-{version}")
        store.write("deploy", deployed)
        store.write("observe", seen)
        return deployed

    @property
    def variables(self) -> dict[str, str]:
        return {
            **self.github.variables,
            "GITHUB_ACTIONS": "true",
            "GITHUB_SERVER_URL": SERVER,
            "GITHUB_REPOSITORY": "acme/churn",
            "GITHUB_RUN_ID": "4711",
            "GITHUB_ACTOR": "grace",
            "GITHUB_OUTPUT": str(self.out),
            "TAGSHIP_WEBHOOK": self.chat.url,
        }

    def announce(self, *arguments: str, needs: Any) -> subprocess.CompletedProcess[str]:
        given = {**self.variables, "NEEDS": needs if isinstance(needs, str) else json.dumps(needs)}
        return generator("announce", *arguments, cwd=self.root, **given)

    def outcome(self) -> str:
        """What the last step handed on."""
        name, _, value = self.out.read_text().splitlines()[-1].partition("=")
        assert name == "outcome"
        return value

    def promoted_and_taken_back(self, reason: str) -> str:
        """1.0.0 and 1.1.0 come to production, and 1.1.0 is rolled back; what its promotion handed on."""
        for version, digit in (("1.0.0", "a"), ("1.1.0", "b")):
            self.release_it(version, digit)
            ran = generator("promote", "production", cwd=self.root, **self.variables)
            assert ran.returncode == 0, ran.stderr
        promoted = self.outcome()
        ran = generator("rollback", "production", "--reason", reason, cwd=self.root, **self.variables)
        assert ran.returncode == 0, ran.stderr
        return promoted

    @property
    def states(self) -> dict[str, list[str]]:
        """The states of each deployment."""
        found: dict[str, list[str]] = {}
        for request in self.github.writes:
            if "state" in (request.body or {}):
                number = int(request.path["deployment_id"])
                (one,) = [item for item in self.github.repository.deployments if item["id"] == number]
                found.setdefault(f"{one['ref']} in {one['environment']}", []).append(request.body["state"])
        return found

    @property
    def said(self) -> list[str]:
        return [message["text"] for message in self.chat.got]


def ends(**other: str) -> dict[str, Any]:
    nothing = {"train": None}  # as act says it
    return {name: {"result": other.get(name, "success"), "outputs": nothing.get(name, {})} for name in JOBS}


def handed(outcome: str, job: str = "production", **others: str) -> dict[str, Any]:
    unread = {"outcome": "${{ steps.change.outputs.outcome }}"}  # act says so of a job that it skipped
    skipped = {name: {"result": result, "outputs": unread} for name, result in others.items()}
    return {**skipped, job: {"result": "success", "outputs": {"outcome": outcome}}}


@pytest.fixture
def scene(tmp_path: Path, github: GitHubServer, chat: Chat) -> Told:
    return Told(tmp_path, github, chat)


# a release


def test_a_release_is_told_with_its_metrics_beside_those_before(scene: Told) -> None:
    scene.release_it("1.0.0", "a", accuracy=0.8)
    deployed = scene.release_it("1.1.0", "b", accuracy=0.9)
    done = scene.announce("release", "--release", "refs/tags/v1.1.0", needs=ends())
    assert done.returncode == 0, done.stderr
    (page,) = scene.github.repository.releases
    assert (page["tag_name"], page["name"], page["prerelease"]) == ("v1.1.0", "churn 1.1.0", False)
    notes = page["body"]
    assert "| `accuracy` | 0.8 | 0.9 | +0.1 |" in notes
    assert "Beside 1.0.0, which ran in `staging` before." in notes
    assert "sha256:" + "b" * 64 in notes
    assert f"| trained from | [`{scene.commit[:12]}`]({SERVER}/acme/churn/commit/{scene.commit}) |" in notes
    assert f"{SERVER}/acme/churn/commit/{deployed.overlay_commit}" in notes
    assert "5 rows answered as in training" in notes
    assert f"{SERVER}/acme/churn/actions/runs/4711" in notes
    assert scene.states == {"v1.1.0 in staging": ["success"]}
    (text,) = scene.said
    head = (
        f":rocket: <{SERVER}/acme/churn/releases/tag/v1.1.0|churn 1.1.0> is released to staging, where 1.0.0 ran"
    )
    assert text.splitlines() == [
        head,
        "accuracy 0.9",
        "unobserved: nobody looked",
        f"<{SERVER}/acme/churn/actions/runs/4711|the run>",
    ]


def test_told_twice_there_is_one_release_and_one_deployment(scene: Told) -> None:
    scene.release_it("1.0.0", "a")
    for _ in range(2):
        done = scene.announce("release", "--release", "refs/tags/v1.0.0", needs=ends())
        assert done.returncode == 0, done.stderr
    assert len(scene.github.repository.releases) == len(scene.github.repository.deployments) == 1
    assert "The first release in `staging`." in scene.github.repository.releases[0]["body"]


def test_a_pre_release_is_one_on_github(scene: Told) -> None:
    scene.release_it("2.0.0-rc.1", "a")
    assert scene.announce("release", "--release", "refs/tags/v2.0.0-rc.1", needs=ends()).returncode == 0
    assert scene.github.repository.releases[0]["prerelease"] is True


def test_a_failed_release_has_no_notes_and_names_the_job(scene: Told) -> None:
    git(scene.root, "tag", "v1.0.0", scene.commit)
    needs = ends(package="failure", publish="skipped", deploy="skipped", observe="skipped")
    done = scene.announce("release", "--release", "refs/tags/v1.0.0", needs=needs)
    assert done.returncode == 0, done.stderr
    assert scene.github.repository.releases == []
    assert scene.states == {"v1.0.0 in staging": ["failure"]}
    assert scene.said[0].startswith(":x: churn 1.0.0 was not released: package failed\n")


def test_a_late_run_that_is_refused_does_not_say_that_what_runs_has_failed(scene: Told) -> None:
    scene.release_it("1.0.0", "a")
    needs = ends(train="failure", package="skipped", publish="skipped", deploy="skipped", observe="skipped")
    done = scene.announce("release", "--release", "refs/tags/v1.0.0", needs=needs)
    assert done.returncode == 0, done.stderr
    assert scene.states == {}
    assert (
        ":warning: churn 1.0.0 is what staging shall run, by a commit on the branch, yet train failed"
        in scene.said[0]
    )


def test_a_release_that_nobody_could_see_is_not_called_unreleased(scene: Told) -> None:
    """The commit has landed, and the reconciler does not wait for our last job."""
    scene.release_it("1.0.0", "a")
    done = scene.announce("release", "--release", "refs/tags/v1.0.0", needs=ends(observe="failure"))
    assert done.returncode == 0, done.stderr
    head, _ = scene.said[0].splitlines()
    assert head == ":warning: churn 1.0.0 is what staging shall run, by a commit on the branch, yet observe failed"
    assert scene.states == {}
    assert scene.github.repository.releases == []


def test_a_release_that_was_rolled_back_by_its_own_run_is_told_as_that(scene: Told) -> None:
    for version, digit in (("1.0.0", "a"), ("1.1.0", "b")):
        scene.release_it(version, digit)
    ran = generator("rollback", "staging", "--reason", REASON, cwd=scene.root, **scene.variables)
    assert ran.returncode == 0, ran.stderr
    back = {"rollback": {"result": "success", "outputs": {"outcome": scene.outcome()}}}
    needs = {**ends(observe="failure"), **back}
    done = scene.announce("release", "--release", "refs/tags/v1.1.0", needs=needs)
    assert done.returncode == 0, done.stderr
    assert scene.states == {"v1.1.0 in staging": ["inactive"], "v1.0.0 in staging": ["success"]}
    assert "is rolled back from 1.1.0 to 1.0.0" in scene.said[0]
    assert scene.github.repository.releases == [], "notes of a release that was taken back"


def test_a_rollback_that_was_not_needed_hides_no_release(scene: Told) -> None:
    scene.release_it("1.0.0", "a")
    needs = {**ends(), "rollback": {"result": "skipped", "outputs": {}}}
    done = scene.announce("release", "--release", "refs/tags/v1.0.0", needs=needs)
    assert done.returncode == 0, done.stderr
    assert scene.said[0].startswith(":rocket:")


def test_a_promotion_that_was_rolled_back_by_its_own_run(scene: Told) -> None:
    promoted = scene.promoted_and_taken_back("the rollout failed")
    needs = {
        **handed(promoted, "to-production"),
        "observe-production": {"result": "failure", "outputs": {"state": "failed"}},
        **handed(scene.outcome(), "rollback-production"),
    }
    done = scene.announce("promotion", "--environment", "production", needs=needs)
    assert done.returncode == 0, done.stderr
    assert "is rolled back from 1.1.0 to 1.0.0: the rollout failed" in scene.said[0]


def test_a_release_that_somebody_took_back_meanwhile_is_no_success(scene: Told) -> None:
    """The job that watches ends as superseded, and passes; the rollback has told its own news."""
    for version, digit in (("1.0.0", "a"), ("1.1.0", "b")):
        scene.release_it(version, digit)
    ran = generator("rollback", "staging", "--reason", REASON, cwd=scene.root, **scene.variables)
    assert ran.returncode == 0, ran.stderr
    done = scene.announce("release", "--release", "refs/tags/v1.1.0", needs=ends())
    assert done.returncode == 0, done.stderr
    assert scene.states == {}
    assert scene.github.repository.releases == []
    (text,) = scene.said
    assert text.splitlines() == [
        ":fast_forward: churn 1.1.0 in staging was superseded by 1.0.0",
        "it was rejected: it says &lt;!channel&gt; &amp; `no` | $(id) @everyone",
        f"<{SERVER}/acme/churn/actions/runs/4711|the run>",
    ]


def test_a_release_that_a_newer_one_followed_is_told_as_that(scene: Told) -> None:
    for version, digit in (("1.0.0", "a"), ("1.1.0", "b")):
        scene.release_it(version, digit)
    done = scene.announce("release", "--release", "refs/tags/v1.0.0", needs=ends())
    assert done.returncode == 0, done.stderr
    assert scene.states == {}
    assert [one["tag_name"] for one in scene.github.repository.releases] == ["v1.0.0"], "it keeps its notes"
    assert scene.said[0].startswith(":fast_forward: churn 1.0.0 in staging was superseded by 1.1.0\n")
    assert "rejected" not in scene.said[0]


def test_a_promotion_that_its_own_run_took_back_is_no_success_when_jobs_run_again(scene: Told) -> None:
    """The second attempt's rollout is superseded, so its rollback is skipped."""
    promoted = scene.promoted_and_taken_back("it failed")
    needs = {
        **handed(promoted, "to-production", **{"rollback-production": "skipped"}),
        "observe-production": {"result": "success", "outputs": {"state": "superseded"}},
    }
    done = scene.announce("promotion", "--environment", "production", needs=needs)
    assert done.returncode == 0, done.stderr
    assert scene.states == {}
    head, why, _ = scene.said[0].splitlines()
    assert head == ":fast_forward: churn 1.1.0 in production was superseded by 1.0.0"
    assert why == "it was rejected: it failed"


def test_a_rollback_that_a_release_followed_shows_no_old_version(scene: Told) -> None:
    for version, digit in (("1.0.0", "a"), ("1.1.0", "b")):
        scene.release_it(version, digit)
    ran = generator("rollback", "staging", "--reason", REASON, cwd=scene.root, **scene.variables)
    assert ran.returncode == 0, ran.stderr
    back = scene.outcome()
    scene.release_it("1.2.0", "c")
    done = scene.announce("rollback", "--environment", "staging", needs=handed(back, "rollback"))
    assert done.returncode == 0, done.stderr
    assert scene.states == {"v1.1.0 in staging": ["inactive"]}
    assert "is rolled back from 1.1.0 to 1.0.0" in scene.said[0]
    assert scene.said[0].endswith("\n1.2.0 has come there since")


def test_a_late_run_of_what_ran_before_says_so(scene: Told) -> None:
    for version, digit in (("1.0.0", "a"), ("1.1.0", "b")):
        scene.release_it(version, digit)
    needs = ends(publish="failure", deploy="skipped", observe="skipped")
    assert scene.announce("release", "--release", "refs/tags/v1.0.0", needs=needs).returncode == 0
    assert scene.said[0].startswith(
        ":x: churn 1.0.0 ran in staging before; this run of it changed nothing: publish"
    )


@pytest.mark.parametrize(
    "change", [{"digest": "sha256:" + "f" * 64}, {"overlay_commit": "f" * 40}, {"version": "9.9.9"}]
)
def test_a_forged_artifact_is_refused(scene: Told, change: dict[str, str]) -> None:
    deployed = scene.release_it("1.0.0", "a")
    store = Store(scene.root / ".tagship/churn-1.0.0")
    store.write("deploy", deployed.model_copy(update=change))
    done = scene.announce("release", "--release", "refs/tags/v1.0.0", needs=ends())
    assert (done.returncode, "the artifact is refused" in done.stderr) == (1, True)
    assert scene.github.writes == scene.said == []


# who cannot be reached


def test_whoever_cannot_be_reached_keeps_nobody_else_from_hearing(scene: Told) -> None:
    scene.release_it("1.0.0", "a")
    scene.chat.status = 500
    scene.github.fail("repos/create-release", refused(403, "Resource not accessible by integration"))
    done = scene.announce("release", "--release", "refs/tags/v1.0.0", needs=ends())
    assert done.returncode == 1
    assert "notes of v1.0.0: " in done.stderr
    assert "message to the webhook: the webhook in TAGSHIP_WEBHOOK answered 500" in done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert scene.states == {"v1.0.0 in staging": ["success"]}
    scene.chat.status = 200
    assert scene.announce("release", "--release", "refs/tags/v1.0.0", needs=ends()).returncode == 0
    assert len(scene.github.repository.releases) == 1


def test_without_a_webhook_github_alone_is_told(scene: Told) -> None:
    scene.release_it("1.0.0", "a")
    given = {**scene.variables, "TAGSHIP_WEBHOOK": "", "NEEDS": json.dumps(ends())}
    done = generator("announce", "release", "--release", "v1.0.0", cwd=scene.root, **given)
    assert done.returncode == 0, done.stderr
    assert (scene.said, len(scene.github.repository.releases)) == ([], 1)


# promotions and rollbacks


def test_a_promotion_by_commit(scene: Told) -> None:
    scene.release_it("1.0.0", "a")
    ran = generator("promote", "production", cwd=scene.root, **scene.variables)
    assert ran.returncode == 0, ran.stderr
    needs = handed(scene.outcome(), edge="skipped")
    done = scene.announce("promotion", "--environment", "production", needs=needs)
    assert done.returncode == 0, done.stderr
    assert scene.states == {"v1.0.0 in production": ["success"]}
    (text,) = scene.said
    assert text.startswith(":arrow_up: churn 1.0.0 is promoted to production\n")
    assert "asked for by grace" in text
    assert scene.github.repository.releases == []
    ran = generator("promote", "production", cwd=scene.root, **scene.variables)
    assert "runs there already" in ran.stdout
    done = scene.announce("promotion", "--environment", "production", needs={"production": {"result": "success"}})
    assert (done.returncode, done.stdout.strip()) == (0, "nothing changed: nobody is told")


@pytest.mark.parametrize("kind", ["promotion", "rollback"])
def test_what_landed_before_the_job_failed_is_told_by_the_next_attempt(scene: Told, kind: str) -> None:
    """The commit landed and the job failed after it: a second attempt finds it, and says what it did."""
    scene.release_it("1.0.0", "a")
    scene.release_it("1.1.0", "b")
    argv, environment = ["promote", "production"], "production"
    if kind == "rollback":
        argv, environment = ["rollback", "staging", "--reason", REASON], "staging"
    assert generator(*argv, cwd=scene.root, **scene.variables).returncode == 0
    first = scene.outcome()
    done = scene.announce(kind, "--environment", environment, needs={"change": {"result": "failure"}})
    assert done.returncode == 0, done.stderr
    runs = "1.0.0" if kind == "rollback" else "1.1.0"
    assert f"failed (change); what shall run there, by the branch: {runs}\n" in scene.said[0]
    scene.out.write_text("")
    assert generator(*argv, cwd=scene.root, **scene.variables).returncode == 0
    assert json.loads(scene.outcome()) == json.loads(first)
    done = scene.announce(kind, "--environment", environment, needs=handed(scene.outcome(), "change"))
    assert done.returncode == 0, done.stderr
    assert scene.states[f"v{runs} in {environment}"] == ["success"]


def test_another_run_that_finds_it_done_tells_nothing(scene: Told) -> None:
    scene.release_it("1.0.0", "a")
    assert generator("promote", "production", cwd=scene.root, **scene.variables).returncode == 0
    scene.out.write_text("")
    ran = generator("promote", "production", cwd=scene.root, **{**scene.variables, "GITHUB_RUN_ID": "4712"})
    assert (ran.returncode, "runs there already" in ran.stdout) == (0, True)
    assert scene.out.read_text() == ""


def test_a_promotion_that_waits_is_no_deployment(scene: Told) -> None:
    scene.release_it("1.0.0", "a")
    scene.promote("production")
    ran = generator("promote", "edge", cwd=scene.root, **scene.variables)
    assert ran.returncode == 0, ran.stderr
    done = scene.announce("promotion", "--environment", "edge", needs=handed(scene.outcome(), "edge"))
    assert done.returncode == 0, done.stderr
    assert scene.github.writes == []
    assert scene.said[0].startswith(":hourglass: churn 1.0.0 waits for edge: ")


def test_a_rollback_says_why_and_calls_nobody(scene: Told) -> None:
    for version, digit in (("1.0.0", "a"), ("1.1.0", "b")):
        scene.release_it(version, digit)
    ran = generator("rollback", "staging", "--reason", REASON, cwd=scene.root, **scene.variables)
    assert ran.returncode == 0, ran.stderr
    done = scene.announce("rollback", "--environment", "staging", needs=handed(scene.outcome(), "rollback"))
    assert done.returncode == 0, done.stderr
    assert scene.states == {"v1.1.0 in staging": ["inactive"], "v1.0.0 in staging": ["success"]}
    (text,) = scene.said
    assert "is rolled back from 1.1.0 to 1.0.0: it says &lt;!channel&gt; &amp; `no`" in text
    assert "<!" not in text


@pytest.mark.parametrize("kind", ["promotion", "rollback"])
def test_a_change_that_failed(scene: Told, kind: str) -> None:
    needs = {"approve-production": {"result": "failure"}, "production": {"result": "skipped"}}
    done = scene.announce(kind, "--environment", "production", needs=needs)
    assert done.returncode == 0, done.stderr
    assert f":x: the {kind} of churn in production failed (approve-production)" in scene.said[0]
    assert "what shall run there, by the branch: nothing yet" in scene.said[0]
    assert scene.github.writes == []


@pytest.mark.parametrize(
    ("needs", "why"),
    [
        ("", "NEEDS is not what GitHub says of jobs"),
        ('{"a": {"result": "fine"}}', "a.result: Input should be 'success'"),
        (handed("{}"), "the outcome is refused: what: Field required"),
        (handed('{"what": "promoted", "more": 1}'), "the outcome is refused"),
    ],
)
def test_what_is_told_is_held_to_its_schema(scene: Told, needs: Any, why: str) -> None:
    done = scene.announce("promotion", "--environment", "production", needs=needs)
    assert (done.returncode, why in done.stderr) == (1, True), done.stderr
    assert scene.said == []


def test_an_outcome_of_another_environment_is_refused(scene: Told) -> None:
    scene.release_it("1.0.0", "a")
    assert generator("promote", "production", cwd=scene.root, **scene.variables).returncode == 0
    done = scene.announce("promotion", "--environment", "edge", needs=handed(scene.outcome()))
    assert (done.returncode, "of churn in production, not of churn in edge" in done.stderr) == (1, True)


def test_an_environment_of_this_model_alone_is_named(scene: Told) -> None:
    assert [target.name for target in load(scene.root).model(None).targets] == ["staging", "production", "edge"]
    done = scene.announce("rollback", "--environment", "live", needs={})
    assert (done.returncode, "has no environment 'live'" in done.stderr) == (1, True)
