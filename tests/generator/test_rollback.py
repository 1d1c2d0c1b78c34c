"""Rollback against a real bare repository: one commit back, and the bad version never returns."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from generator.config.workspace import load
from generator.delivery.rollback import RolledBack, Wanted, rollback
from generator.errors import GeneratorError
from generator.ledger import Ledger, read_ledger
from tests.generator.repositories import git
from tests.generator.test_cli import generator
from tests.generator.test_deploy import Scene

LEDGER = "k8s/overlays/production/release.yaml"


class History(Scene):
    """Three versions, each deployed by its own commit."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        for version, digit in (("1.0.0", "a"), ("1.1.0", "b"), ("1.2.0", "c")):
            self.deploy(version, digit)

    def back(self, to: str | None = None, *, reason: str = "answers nonsense", **more: str) -> RolledBack | None:
        wanted = Wanted("production", reason, "Grace", to, **more)
        return rollback(load(self.root).model(None), wanted, self.deployer())

    @property
    def ledger(self) -> Ledger:
        return read_ledger(self.shown(LEDGER), "release.yaml")

    def refused(self, *args: str, **more: str) -> str:
        before = git(self.bare, "rev-parse", "main")
        with pytest.raises(GeneratorError) as caught:
            self.back(*args, **more)
        assert git(self.bare, "rev-parse", "main") == before, "something was pushed"
        return str(caught.value)


@pytest.fixture
def scene(tmp_path: Path) -> History:
    return History(tmp_path)


def test_it_goes_back_by_one_commit_that_says_why(scene: History) -> None:
    done = scene.back()
    assert done
    assert (done.bad, done.version, done.digest) == ("1.2.0", "1.1.0", "sha256:" + "b" * 64)
    assert done.commit == git(scene.bare, "rev-parse", "main")
    assert 'digest: "sha256:' + "b" * 64 in scene.shown("k8s/overlays/production/kustomization.yaml")
    ledger = scene.ledger
    assert ledger.current
    assert (ledger.current.version, ledger.current.by) == ("1.1.0", "Grace")
    assert [(item.version, item.reason) for item in ledger.rejected] == [("1.2.0", "answers nonsense")]
    assert [entry.version for entry in ledger.history] == ["1.2.0", "1.1.0", "1.0.0"]
    message = git(scene.bare, "log", "-1", "--format=%B", "main").splitlines()
    assert message[:3] == ["Roll churn back from 1.2.0 to 1.1.0 in production", "", "answers nonsense"]
    assert "Tagship-Version: 1.1.0" in message
    assert git(scene.bare, "diff", "--name-only", "main~1", "main").splitlines() == [
        "k8s/overlays/production/kustomization.yaml",
        LEDGER,
    ]


def test_a_version_may_be_named(scene: History) -> None:
    done = scene.back("1.0.0")
    assert done
    assert (done.bad, done.version) == ("1.2.0", "1.0.0")


def test_the_next_one_goes_further_back_never_to_what_was_rejected(scene: History) -> None:
    scene.back()
    done = scene.back(reason="this one, too")
    assert done
    assert (done.bad, done.version) == ("1.1.0", "1.0.0")
    assert scene.refused() == (
        "production cannot go back from 1.0.0: nothing ran there before that is not rejected"
    )
    assert scene.refused("1.2.0") == (
        "1.2.0 was rejected in production: answers nonsense; nothing ran there before that is not rejected"
    )


@pytest.mark.parametrize(
    ("to", "why"),
    [("1.2.0", "1.2.0, which is what runs there"), ("9.9.9", "9.9.9, which never ran there")],
)
def test_what_it_cannot_go_back_to_is_said_with_what_it_can(scene: History, to: str, why: str) -> None:
    assert scene.refused(to) == f"production cannot go back to {why}; it had 1.0.0, 1.1.0"


@pytest.mark.parametrize(("version", "digit"), [("1.2.0", "c"), ("1.3.0", "c"), ("1.1.5", "e")])
def test_nothing_late_and_no_retry_brings_the_bad_version_back(scene: History, version: str, digit: str) -> None:
    scene.back()
    with pytest.raises(GeneratorError, match=r"1\.2\.0"):
        scene.deploy(version, digit)
    scene.deploy("1.2.1", "d")
    assert scene.ledger.current
    assert scene.ledger.current.version == "1.2.1"


def test_what_ran_again_may_be_deployed_again_without_a_commit(scene: History) -> None:
    done = scene.back()
    assert done
    assert scene.deploy("1.1.0", "b").changed is False  # type: ignore[attr-defined]


def test_the_same_request_goes_back_once(scene: History) -> None:
    first, head = scene.back(request="4711"), git(scene.bare, "rev-parse", "main")
    again = scene.back(request="4711")
    assert first
    assert again == replace(first, again=True), (
        "what was done is told again: the first attempt may not have come to it"
    )
    assert git(scene.bare, "rev-parse", "main") == head
    assert scene.ledger.current
    assert scene.ledger.current.version == "1.1.0"
    scene.deploy("1.3.0", "d")
    assert scene.back(request="4711") is None, "a deploy came between"
    assert scene.back(request="471"), "another request"


@pytest.mark.parametrize("reason", ["", "  ", "two\nlines", "x" * 1001, "bell\a"])
def test_a_reason_is_one_line(scene: History, reason: str) -> None:
    assert "reason" in scene.refused(reason=reason)


def test_an_environment_that_was_never_released(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    with pytest.raises(GeneratorError, match="production was never released"):
        rollback(load(scene.root).model(None), Wanted("production", "why", "Grace"), scene.deployer())


def test_a_rollback_and_a_deploy_at_once(scene: History) -> None:
    """A deploy lands between the rollback's fetch and its push: what runs by then is what is rejected."""
    own = scene.deployer("rollback")

    class Overtaken:
        """The branch moves once, just before the first push."""

        moved = False

        def __getattr__(self, name: str) -> object:
            return getattr(own.git, name)

        def push(self, commit: str, branch: str) -> bool:
            if not self.moved:
                self.moved = True
                scene.deploy("1.3.0", "d")
            return own.git.push(commit, branch)

    wanted = Wanted("production", "why", "Grace", "1.1.0")
    done = rollback(load(scene.root).model(None), wanted, replace(own, git=Overtaken()))
    assert done
    assert (done.bad, done.version) == ("1.3.0", "1.1.0")


def test_the_command(scene: History) -> None:
    git(scene.root, "pull", "--quiet", "origin", "main")
    ran = generator("rollback", "production", "--reason", "answers nonsense", cwd=scene.root)
    assert ran.returncode == 0, ran.stderr
    assert "churn in production: 1.2.0 is rejected, 1.1.0 runs again" in ran.stdout
    assert scene.ledger.rejected[0].version == "1.2.0"
    assert git(scene.root, "status", "--porcelain") == ""
    refused = generator("rollback", "staging", "--reason", "x", cwd=scene.root)
    assert (refused.returncode, refused.stderr.strip()) == (
        1,
        "error: churn has no environment 'staging'; it has: production",
    )


def test_the_job_s_summary_says_what_was_done(scene: History) -> None:
    summary = scene.folder / "summary.md"
    runner = {
        "GITHUB_STEP_SUMMARY": str(summary),
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": "acme/churn",
    }
    reason = "it | says `no` <b>"
    ran = generator("rollback", "production", "--reason", reason, cwd=scene.root, **runner)
    assert ran.returncode == 0, ran.stderr
    commit = git(scene.bare, "rev-parse", "main")
    lines = summary.read_text().splitlines()
    assert lines[0] == "**rollback** of churn in production: 1.1.0 runs again"
    assert "| rejected | `1.2.0` |" in lines
    assert f"| runs again | `1.1.0`, `sha256:{'b' * 64}` |" in lines
    assert "| why | ``it ¦ says `no` <b>`` |" in lines
    assert f"| commit | [`{commit[:12]}`](https://github.com/acme/churn/commit/{commit}) |" in lines


def test_the_summary_says_where_nothing_was_done(scene: History) -> None:
    scene.deploy("1.3.0", "d")
    summary = scene.folder / "summary.md"
    seen = str(observed(scene))
    ran = generator("rollback", "production", "--observed", seen, cwd=scene.root, GITHUB_STEP_SUMMARY=str(summary))
    assert ran.returncode == 0, ran.stderr
    assert "another release has come there since, it stays" in summary.read_text()


# asked for by what was observed


def observed(scene: History, **changes: object) -> Path:
    """What `generator observe` keeps of a rollout that failed."""
    seen = {
        "name": "churn",
        "version": "1.2.0",
        "commit": "0" * 40,
        "environment": "production",
        "digest": "sha256:" + "c" * 64,
        "state": "failed",
        "detail": "the server ends and is started again (Error, exit code 1): read its log",
        "kind": "crash-loop",
        "seconds": 12.5,
    }
    path = scene.root / "seen/observe.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**seen, **changes}))
    return path


def test_what_was_observed_is_the_reason(scene: History) -> None:
    done = generator("rollback", "production", "--observed", str(observed(scene)), cwd=scene.root)
    assert done.returncode == 0, done.stderr
    assert "1.2.0 is rejected, 1.1.0 runs again" in done.stdout
    (rejected,) = scene.ledger.rejected
    assert rejected.reason.startswith(
        "the rollout failed: the server ends and is started again (Error, exit code 1)"
    )


def test_the_very_file_that_is_named_is_read(scene: History) -> None:
    """Whatever it is called, and whatever lies beside it."""
    other = observed(scene).rename(scene.root / "seen/observe.txt")
    observed(scene, detail="of another rollout", environment="staging")
    done = generator("rollback", "production", "--observed", str(other), cwd=scene.root)
    assert done.returncode == 0, done.stderr
    refused = generator("rollback", "production", "--observed", "model.yaml", cwd=scene.root)
    assert refused.returncode == 1
    assert "model.yaml: " in refused.stderr
    assert "run `generator observe` again" in refused.stderr


def test_nothing_goes_back_where_another_release_came_since(scene: History) -> None:
    scene.deploy("1.3.0", "d")
    head = git(scene.bare, "rev-parse", "main")
    done = generator("rollback", "production", "--observed", str(observed(scene)), cwd=scene.root)
    assert (done.returncode, done.stdout) == (0, "")
    assert "another release" in done.stderr
    assert git(scene.bare, "rev-parse", "main") == head


def test_what_a_rollback_brought_is_not_taken_back_by_itself(scene: History) -> None:
    """A full namespace would reject one version after the other."""
    scene.back()
    again = observed(scene, version="1.1.0", digest="sha256:" + "b" * 64)
    head = git(scene.bare, "rev-parse", "main")
    done = generator("rollback", "production", "--observed", str(again), cwd=scene.root)
    assert (done.returncode, git(scene.bare, "rev-parse", "main")) == (1, head)
    assert "itself what a rollback brought" in done.stderr
    done = generator("rollback", "production", "--reason", "it is bad, too", cwd=scene.root)
    assert "1.1.0 is rejected, 1.0.0 runs again" in done.stdout


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"environment": "staging"}, "not this"),
        ({"name": "other"}, "not this"),
        ({"state": "late"}, "did not fail"),
        ({"state": "serving"}, "did not fail"),
        ({"digest": "c" * 64}, "the artifact is refused"),
        ({"detail": "two\nlines"}, "the artifact is refused"),
        ({"more": 1}, "the artifact is refused"),
    ],
)
def test_what_was_observed_is_held_to_its_schema(scene: History, changes: dict[str, object], why: str) -> None:
    head = git(scene.bare, "rev-parse", "main")
    done = generator("rollback", "production", "--observed", str(observed(scene, **changes)), cwd=scene.root)
    assert (done.returncode, git(scene.bare, "rev-parse", "main")) == (1, head)
    assert why in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "argv", [(), ("--reason", "why", "--observed", "FILE"), ("--observed", "FILE", "--to", "1.0.0")]
)
def test_a_reason_or_what_was_observed(scene: History, argv: tuple[str, ...]) -> None:
    path = str(observed(scene))
    done = generator(
        "rollback", "production", *(path if item == "FILE" else item for item in argv), cwd=scene.root
    )
    assert done.returncode == 2
