"""Promotion against a real bare repository: the digest that ran before, judged again, by a commit or on a branch."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.adapters.github import connect
from generator.adapters.kustomize import installed
from generator.bootstrap.github import carry_out
from generator.bootstrap.github import propose as propose_settings
from generator.bootstrap.github_people import Wishes
from generator.config.workspace import load
from generator.delivery.evidence import evidence_text
from generator.delivery.promotion import Asked, Promotion, promote, promotion_branch, propose
from generator.delivery.rollback import Wanted, rollback
from generator.errors import GeneratorError
from generator.ledger import Ledger, read_ledger
from tests.generator.github.server import GitHubServer
from tests.generator.repositories import git
from tests.generator.test_cli import generator
from tests.generator.test_deploy import Scene

ENVIRONMENTS = "deploy: {environments: {staging: {}, production: {via: commit}, edge: {}}}\n"


class Stages(Scene):
    """Three environments; versions are deployed to the first."""

    MORE = f"gate: {{metrics: {{accuracy: {{min: 0.5}}}}}}\n{ENVIRONMENTS}"
    FIRST = "staging"

    def promote(self, environment: str = "production", version: str | None = None) -> Promotion:
        return promote(load(self.root).model(None), Asked(environment, "Grace", version), self.deployer())

    def propose(self, environment: str = "production") -> Promotion:
        return propose(load(self.root).model(None), Asked(environment, "Grace"), self.deployer())

    def back(self, environment: str) -> object:
        return rollback(load(self.root).model(None), Wanted(environment, "bad", "Grace"), self.deployer())

    def ledger(self, environment: str, branch: str = "main") -> Ledger:
        return read_ledger(
            git(self.bare, "show", f"{branch}:k8s/overlays/{environment}/release.yaml"), "release.yaml"
        )

    def branches(self) -> list[str]:
        return git(self.bare, "for-each-ref", "--format=%(refname:short)", "refs/heads").splitlines()

    def refused(self, environment: str = "production", version: str | None = None) -> str:
        before = git(self.bare, "for-each-ref")
        with pytest.raises(GeneratorError) as caught:
            self.promote(environment, version)
        assert git(self.bare, "for-each-ref") == before, "something was pushed"
        return str(caught.value)


@pytest.fixture
def scene(tmp_path: Path) -> Stages:
    return Stages(tmp_path)


def test_it_brings_the_digest_that_runs_before_by_one_commit(scene: Stages) -> None:
    scene.deploy("1.0.0", "a")
    done = scene.promote()
    assert (done.changed, done.branch, done.commit) == (True, "main", git(scene.bare, "rev-parse", "main"))
    before, after = scene.ledger("staging").current, scene.ledger("production").current
    assert before
    assert after
    assert after == before.model_copy(update={"by": "Grace", "at": after.at})
    image = scene.shown("k8s/overlays/production/kustomization.yaml")
    assert 'digest: "sha256:' + "a" * 64 in image
    assert "replicas: 0" not in scene.shown("k8s/overlays/production/tagship/deployment.yaml"), "not switched on"
    assert scene.log()[0] == "Promote churn 1.0.0 from staging to production"


def test_each_environment_gets_what_the_one_before_it_runs(scene: Stages) -> None:
    scene.deploy("1.0.0", "a")
    scene.promote("production")
    scene.deploy("1.1.0", "b")
    assert scene.promote("edge").evidence.entry.version == "1.0.0"


def test_what_runs_there_already_needs_no_commit(scene: Stages) -> None:
    scene.deploy("1.0.0", "a")
    commit = scene.promote().commit
    again = scene.promote()
    assert (again.changed, again.commit) == (False, commit)


def test_what_cannot_be_promoted(scene: Stages) -> None:
    assert scene.refused() == "staging was never released: there is nothing to promote from it"
    scene.deploy("1.0.0", "a")
    assert scene.refused("production", "0.9.0") == (
        "staging runs 1.0.0, not 0.9.0: only what runs there is promoted"
    )
    assert "staging is churn's first environment" in scene.refused("staging")
    assert "has no environment 'live'; it has: staging, production, edge" in scene.refused("live")


def test_it_is_judged_against_what_serves_there(scene: Stages) -> None:
    scene.deploy("1.0.0", "a", accuracy=0.9)
    scene.promote()
    scene.deploy("1.1.0", "b", accuracy=0.8)
    said = scene.refused()
    assert said.startswith("churn 1.1.0 does not pass the gate of production:")
    assert "accuracy is 0.8, lower than 0.9 of 1.0.0" in said


def test_neither_what_was_rejected_there_nor_what_is_older_comes(scene: Stages) -> None:
    scene.deploy("1.0.0", "a")
    scene.promote()
    scene.deploy("1.1.0", "b")
    scene.promote()
    scene.back("production")
    assert "1.1.0 was rejected in production: bad" in scene.refused()
    scene.back("staging")
    assert scene.promote().changed is False, "1.0.0 runs in both"
    scene.deploy("1.2.0", "c")
    assert scene.promote().evidence.entry.version == "1.2.0"


def test_what_an_earlier_environment_rejected_goes_no_further(scene: Stages) -> None:
    for version, digit in (("1.0.0", "a"), ("1.1.0", "b")):
        scene.deploy(version, digit)
        scene.promote()
    scene.back("staging")
    assert scene.refused("edge") == "1.1.0 was rejected in staging: bad"


def test_a_proposal_is_one_branch_on_the_release_branchs_head(scene: Stages) -> None:
    scene.deploy("1.0.0", "a")
    done = scene.propose()
    branch = promotion_branch("churn", "production")
    assert done.branch == branch == "tagship/churn/production"
    assert scene.ledger("production").current is None, "main was changed"
    assert scene.ledger("production", branch).current
    scene.deploy("1.1.0", "b")
    scene.propose()
    assert scene.branches() == ["main", branch]
    assert git(scene.bare, "rev-parse", f"{branch}~1") == git(scene.bare, "rev-parse", "main")
    proposed = scene.ledger("production", branch).current
    assert proposed
    assert proposed.version == "1.1.0"


@pytest.mark.parametrize("environment", ["production", "staging"])
def test_a_rollback_closes_the_promotions_of_what_it_rejects(scene: Stages, environment: str) -> None:
    for version, digit in (("1.0.0", "a"), ("1.1.0", "b")):
        scene.deploy(version, digit)
        scene.promote()
    scene.deploy("1.2.0", "c")
    scene.propose("production")
    scene.propose("edge")
    scene.back(environment)
    assert scene.branches() == ["main"]


def test_the_evidence_shows_both_versions_metrics_and_who_asked(scene: Stages) -> None:
    scene.deploy("1.0.0", "a", accuracy=0.8)
    scene.promote()
    scene.deploy("1.1.0", "b", accuracy=0.9)
    text = evidence_text(scene.propose(), by="Grace`")
    assert "| version | 1.0.0 → **1.1.0** |" in text
    assert f"| digest | `sha256:{'b' * 64}` (the one that staging runs; nothing is built again) |" in text
    assert "| `accuracy` | 0.8 | 0.9 | +0.1 |" in text
    assert "| golden replay | 5 rows answered as in training, by `pyfunc` |" in text
    assert "| asked for by | `Grace` |" in text
    assert "- accuracy 0.9 >= the champion's 0.8" in text


# what GitHub is asked

REQUESTED = "deploy: {push: {mode: app}, environments: {staging: {}, production: {}}}\n"
APPROVED = "deploy: {environments: {staging: {}, production: {via: commit, approval: true}}}\n"


class Requested(Stages):
    MORE = f"repository: {{url: https://github.com/acme/churn}}\ngate: {{metrics: {{accuracy: {{min: 0.5}}}}}}\n{REQUESTED}"


class Approved(Stages):
    MORE = f"repository: {{url: https://github.com/acme/churn}}\n{APPROVED}"


def on_a_runner(scene: Stages, github: GitHubServer) -> dict[str, str]:
    summary = str(scene.folder / "summary.md")
    return {
        **github.variables,
        "GITHUB_ACTIONS": "true",
        "GITHUB_REPOSITORY": "acme/churn",
        "GITHUB_ACTOR": "grace",
        "GITHUB_STEP_SUMMARY": summary,
    }


def test_with_an_app_there_is_one_pull_request_that_is_kept_up_to_date(
    tmp_path: Path, github: GitHubServer
) -> None:
    scene = Requested(tmp_path)
    scene.deploy("1.0.0", "a")
    given = on_a_runner(scene, github)
    done = generator("promote", "production", cwd=scene.root, **given)
    assert done.returncode == 0, done.stderr
    scene.deploy("1.1.0", "b")
    done = generator("promote", "production", cwd=scene.root, **given)
    assert done.returncode == 0, done.stderr
    (pull,) = github.repository.pulls
    assert pull["title"] == "Promote churn 1.1.0 from staging to production"
    assert (pull["head"]["ref"], pull["base"]["ref"]) == ("tagship/churn/production", "main")
    assert "b" * 64 in pull["body"]
    assert "| asked for by | `grace` |" in pull["body"]
    assert "+        image: " in pull["body"] or not installed(), "no difference of the manifests"
    assert pull["html_url"] in done.stdout
    assert pull["html_url"] in (tmp_path / "summary.md").read_text()


def test_without_an_app_a_person_opens_it(tmp_path: Path, github: GitHubServer) -> None:
    scene = Stages(tmp_path)
    scene.deploy("1.0.0", "a")
    scene.promote("production")
    done = generator("promote", "edge", cwd=scene.root, **on_a_runner(scene, github))
    assert done.returncode == 0, done.stderr
    assert github.repository.pulls == []
    assert "waits on tagship/churn/edge" in done.stdout


def test_an_approval_that_nobody_has_to_give_is_none(tmp_path: Path, github: GitHubServer) -> None:
    scene = Approved(tmp_path)
    scene.deploy("1.0.0", "a")
    given = on_a_runner(scene, github)
    done = generator("promote", "production", cwd=scene.root)
    assert (done.returncode, "gh workflow run promote.yml -f environment=production" in done.stderr) == (1, True)
    given |= {"GITHUB_RUN_ATTEMPT": "2", "APPROVED_IN": "1"}
    done = generator("promote", "production", cwd=scene.root, **given)
    assert (done.returncode, "nobody approved this attempt" in done.stderr) == (1, True)
    given["APPROVED_IN"] = "2"
    done = generator("promote", "production", cwd=scene.root, **given, GITHUB_REF="refs/tags/v1.0.0")
    assert (done.returncode, "this runs on refs/tags/v1.0.0" in done.stderr) == (1, True)
    done = generator("promote", "production", cwd=scene.root, **given)
    assert done.returncode == 1
    assert "GitHub has no environment tagship-churn-production" in done.stderr
    assert scene.ledger("production").current is None
    hub = connect("acme/churn", github.variables)
    workspace = load(scene.root)
    carry_out(hub, propose_settings(hub, workspace, Wishes(reviewers=("ada",))), lambda _line: None)
    done = generator("promote", "production", cwd=scene.root, **given)
    assert done.returncode == 0, done.stderr
    assert scene.ledger("production").current
