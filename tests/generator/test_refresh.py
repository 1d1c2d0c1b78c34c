"""Promotions that wait for their merge, when the release branch moves on under them."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.config.workspace import load
from generator.delivery.promotion import Asked, promote, promotion_branch
from generator.delivery.refreshing import Refreshed, refresh
from tests.generator.github.server import GitHubServer
from tests.generator.repositories import commit_all, git
from tests.generator.test_cli import generator
from tests.generator.test_promotion import Requested, Stages, on_a_runner

BRANCH = promotion_branch("churn", "production")
PATCH = "k8s/overlays/production/patches/more.yaml"


class Waiting(Stages):
    """1.0.0 runs in production, and 1.1.0 waits to come there."""

    MORE = "gate: {metrics: {accuracy: {min: 0.5}}}\ndeploy: {environments: {staging: {}, production: {}}}\n"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.deploy("1.0.0", "a")
        self.promote()
        self.deploy("1.1.0", "b")
        self.propose()

    @property
    def tip(self) -> str:
        return git(self.bare, "rev-parse", BRANCH)

    def push(self, path: str, text: str = "# by hand\n", *, branch: str = "main") -> None:
        """A person's commit on `branch`."""
        git(self.root, "fetch", "--quiet", "origin")
        git(self.root, "checkout", "--quiet", "--detach", f"origin/{branch}")
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)
        commit_all(self.root, "by hand")
        git(self.root, "push", "--quiet", "origin", f"HEAD:refs/heads/{branch}")

    def merge(self) -> None:
        """As GitHub's button does."""
        git(self.root, "fetch", "--quiet", "origin")
        git(self.root, "checkout", "--quiet", "--detach", "origin/main")
        git(self.root, "merge", "--quiet", "--no-ff", "--message", "Merge", f"origin/{BRANCH}")
        git(self.root, "push", "--quiet", "origin", "HEAD:refs/heads/main")

    def refreshed(self) -> list[Refreshed]:
        return list(refresh(load(self.root).model(None), self.deployer()))

    def version(self) -> str:
        current = self.ledger("production", BRANCH).current
        assert current
        return current.version


@pytest.fixture
def scene(tmp_path: Path) -> Waiting:
    return Waiting(tmp_path)


def said(scene: Waiting, words: str) -> bool:
    return any(words in line for line in scene.reporter.lines)


def test_it_is_made_again_on_the_new_head(scene: Waiting) -> None:
    before = scene.tip
    scene.push(PATCH)
    (done,) = scene.refreshed()
    assert scene.tip == done.promotion.commit != before
    assert git(scene.bare, "rev-parse", f"{BRANCH}~1") == git(scene.bare, "rev-parse", "main")
    assert (scene.version(), done.by) == ("1.1.0", "Grace")
    assert scene.ledger("production", BRANCH).current.by == "Grace"  # type: ignore[union-attr]
    assert git(scene.bare, "show", f"{BRANCH}:{PATCH}") == "# by hand"


def test_what_is_on_top_already_is_left_as_it_is(scene: Waiting) -> None:
    before = scene.tip
    assert scene.refreshed() == []
    assert scene.tip == before


def test_what_waits_stays_what_was_proposed_when_a_newer_version_comes(scene: Waiting) -> None:
    scene.deploy("1.2.0", "c")
    (done,) = scene.refreshed()
    assert (scene.version(), done.promotion.evidence.entry.version) == ("1.1.0", "1.1.0")


def test_what_was_rejected_meanwhile_waits_no_longer(scene: Waiting) -> None:
    scene.back("staging")  # deletes the branch; somebody restores it by GitHub's button
    commit = git(scene.root, "ls-remote", "origin", BRANCH)
    assert commit == ""
    git(scene.bare, "update-ref", f"refs/heads/{BRANCH}", _proposed(scene))
    assert scene.refreshed() == []
    assert scene.branches() == ["main"]
    assert said(scene, "1.1.0 was rejected in staging: bad")


def _proposed(scene: Waiting) -> str:
    """The proposal's commit, which the deployer's clone still has."""
    found = git(scene.bare, "fsck", "--unreachable", "--no-reflogs").split()
    commits = [found[at + 1] for at, word in enumerate(found) if word == "commit"]
    (proposed,) = [
        one for one in commits if git(scene.bare, "log", "-1", "--format=%s", one).startswith("Promote")
    ]
    return proposed


def test_what_was_merged_is_left_alone(scene: Waiting) -> None:
    scene.merge()
    before = scene.tip
    assert scene.refreshed() == []
    assert scene.tip == before


def test_what_came_there_another_way_waits_no_longer(scene: Waiting) -> None:
    # By another person: within one second the same person's would be the very commit that waits.
    promote(load(scene.root).model(None), Asked("production", "Ada"), scene.deployer())
    assert scene.refreshed() == []
    assert scene.branches() == ["main"]
    assert said(scene, "production runs 1.1.0 by now")


def test_a_persons_commit_on_the_branch_is_never_replaced(scene: Waiting) -> None:
    scene.push("notes.md", branch=BRANCH)
    scene.push(PATCH)
    before = scene.tip
    assert scene.refreshed() == []
    assert scene.tip == before
    assert said(scene, "is left alone: it holds more than one promotion's commit")


def test_a_branch_of_somebody_elses_making_is_left_alone(scene: Waiting) -> None:
    git(scene.bare, "update-ref", "-d", f"refs/heads/{BRANCH}")
    git(scene.bare, "update-ref", f"refs/heads/{BRANCH}", "main~1")
    scene.push("notes.md", branch=BRANCH)
    before = scene.tip
    assert scene.refreshed() == []
    assert scene.tip == before


def test_what_never_ran_before_does_not_come_by_a_branch_made_by_hand(scene: Waiting) -> None:
    """A branch that looks like a promotion: the digest is nobody's."""
    text = git(scene.bare, "show", f"{BRANCH}:k8s/overlays/production/release.yaml").replace("b" * 64, "e" * 64)
    git(scene.root, "fetch", "--quiet", "origin")
    git(scene.root, "checkout", "--quiet", "--detach", f"origin/{BRANCH}")
    (scene.root / "k8s/overlays/production/release.yaml").write_text(text + "\n")
    git(scene.root, "commit", "--quiet", "--all", "--amend", "--no-edit")
    git(scene.root, "push", "--quiet", "--force", "origin", f"HEAD:refs/heads/{BRANCH}")
    scene.push(PATCH)
    assert scene.refreshed() == []
    assert scene.branches() == ["main"]
    assert said(scene, "1.1.0 never ran in staging")


def test_evidence_that_is_no_longer_true_is_not_kept_where_nobody_can_correct_it(scene: Waiting) -> None:
    """What serves in production changed, and only an App brings a pull request's text up to date."""
    scene.deploy("1.2.0", "c")
    git(scene.bare, "branch", "kept", BRANCH)
    scene.promote()
    assert scene.refreshed() == []
    assert scene.branches() == ["kept", "main"]
    assert said(scene, "it was judged against other than 1.2.0")


def test_with_an_app_its_pull_request_stays_and_says_what_is_true(tmp_path: Path, github: GitHubServer) -> None:
    scene = Requested(tmp_path)
    given = on_a_runner(scene, github)
    for version, digit in (("1.0.0", "a"), ("1.1.0", "b")):
        scene.deploy(version, digit)
        if version == "1.0.0":
            scene.promote()
    assert generator("promote", "production", cwd=scene.root, **given).returncode == 0
    (root,) = {scene.root}
    git(root, "pull", "--quiet", "origin", "main")
    (root / "k8s/overlays/production/notes.txt").write_text("by hand")
    commit_all(root, "by hand")
    git(root, "push", "--quiet", "origin", "main")
    done = generator("promote", "--refresh", cwd=root, **given)
    assert done.returncode == 0, done.stderr
    (pull,) = github.repository.pulls
    assert pull["html_url"] in done.stderr + done.stdout
    assert "| asked for by | `grace` |" in pull["body"]
    assert git(scene.bare, "rev-parse", f"{BRANCH}~1") == git(scene.bare, "rev-parse", "main")


def test_one_or_the_other_is_asked_for(tmp_path: Path) -> None:
    for argv in ((), ("production", "--refresh")):
        done = generator("promote", *argv, cwd=tmp_path)
        assert (done.returncode, "say which ENVIRONMENT" in done.stderr) == (2, True)
