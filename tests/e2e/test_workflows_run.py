"""The generated workflows, unmodified, executed: a pushed tag becomes a commit with a digest that was published."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator.adapters.kustomize import Kustomize
from tests import parts
from tests.e2e import test_train_forms as forms
from tests.e2e.forge import Forge
from tests.generator.github.server import TOKEN, GitHubServer, serving
from tests.generator.repositories import commit_all, git
from tests.generator.test_cli import generator

pytestmark = pytest.mark.e2e
SOURCE = (
    *("pyproject.toml", "README.md", "LICENSE", "generator", "inference", "templates"),
    *("k8s/base", "k8s/components"),
)
PROJECT = Path(__file__).parents[2]


def vendor(root: Path) -> None:
    """The command's own source inside a repository: workflows install it from there."""
    for name in SOURCE:
        source, target = PROJECT / name, root / "vendor/tagship" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, target)


REASON = "it says 'no' to \"all\"; $(id) `id` ${{ github.token }}"


@dataclass
class Story:
    """What happened in a repository of one model: two releases, promotions, a rollback, and a run that is late."""

    forge: Forge
    seen: dict[str, dict[str, str]] = field(
        default_factory=dict
    )  # by moment: what each environment's overlay runs
    waiting: tuple[str, str] = ("", "")  # what edge's promotion was based on, and main, after a person's commit
    late: str = ""  # what the late run said
    github: GitHubServer | None = None  # what it was told

    def look(self, moment: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            git(Path(folder), "clone", "--quiet", str(self.forge.bare), "cluster")
            overlays = Path(folder, "cluster/k8s/overlays")
            self.seen[moment] = {path.name: image_in(path) for path in overlays.iterdir()}

    def artifact(self, run: int) -> dict[str, Any]:
        """What `publish` of that run wrote."""
        (path,) = (self.forge.folder / f"run-{run}/artifacts/publish").rglob("publish.json")
        return dict(json.loads(path.read_text()))

    def published(self, run: int) -> str:
        image = self.artifact(run)
        return f"{image['repository']}@{image['digest']}"

    def log(self) -> list[str]:
        return git(self.forge.bare, "log", "--format=%s", "main").splitlines()


def image_in(overlay: Path) -> str:
    """The image that an overlay renders to."""
    objects = Kustomize().build(overlay)
    (deployment,) = [item for item in objects if item["kind"] == "Deployment"]
    (server,) = deployment["spec"]["template"]["spec"]["containers"]
    return str(server["image"])


def scaffolded(root: Path, host: str) -> None:
    """What `generator init` makes, with the command's own source inside and production by commit."""
    root.mkdir()
    git(root, "init", "--quiet")
    git(root, "remote", "add", "origin", "https://github.com/acme/churn.git")
    done = generator(
        *("init", str(root), "--yes", "--no-lock", "--name", "churn", "--framework", "sklearn"),
        *("--registry", host, "--environments", "staging,production,edge", "--reconciler", "argocd"),
        cwd=root.parent,
    )
    assert done.returncode == 0, done.stderr
    text = (root / "model.yaml").read_text()
    repository = f"registry: {host}\n  repository: tagship-workflows/{uuid.uuid4().hex[:12]}"
    changes = {
        f'registry: "{host}"': repository,
        '"production": {}': '"production": {via: commit}',
        "  timeout: 300": f"  {forms.RETRY_ONCE}\n  timeout: 300",
    }
    for old, new in changes.items():
        assert old in text, f"{old} is not what init writes"
        text = text.replace(old, new)
    lines = [line for line in text.splitlines() if not line.startswith("pipeline:")]
    (root / "model.yaml").write_text("\n".join([*lines, "pipeline: {install: ./vendor/tagship}", ""]))
    vendor(root)
    for command in ("lock", "generate"):
        done = generator(command, cwd=root)
        assert done.returncode == 0, done.stderr
    commit_all(root, "Begin")


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    parts.need_engine()
    parts.need_kustomize()
    parts.need_act()
    host, folder = parts.need_ecr(), tmp_path_factory.mktemp("forge")
    root, given = folder / "repo", parts.started_with()
    scaffolded(root, host)
    env = {**given, "SSL_CERT_FILE": given["TESTBED_CA_BUNDLE"]}
    with serving(GitHubServer()) as github:
        told = _told(root, Forge(folder, "acme/churn", env=env, secrets={"GITHUB_TOKEN": TOKEN}, api=github.url))
    assert not github.violations, "\n".join(github.violations)
    told.github = github
    return told


def _told(root: Path, forge: Forge) -> Story:
    forge.create()
    git(root, "remote", "set-url", "origin", str(forge.bare))
    git(root, "push", "--quiet", "origin", "main")
    story = Story(forge)
    git(root, "tag", "v1.0.0")
    git(root, "push", "--quiet", "origin", "v1.0.0")  # run 0
    story.look("released")
    forge.dispatch("promote.yml", environment="production")  # run 1
    story.look("promoted")
    git(root, "pull", "--quiet", "--no-rebase", "origin", "main")
    with (root / "train.py").open("a") as script:
        script.write("# better\n")
    commit_all(root, "Improve")
    git(root, "tag", "v1.1.0")
    git(root, "push", "--quiet", "origin", "main", "v1.1.0")  # run 2
    forge.dispatch("promote.yml", environment="production", version="1.1.0")  # run 3
    forge.dispatch("promote.yml", environment="edge")  # run 4
    story.look("second")
    git(root, "pull", "--quiet", "--no-rebase", "origin", "main")
    (root / "k8s/overlays/edge/NOTE.md").write_text("Nearer to those who ask.\n")
    commit_all(root, "Say what edge is")
    git(root, "push", "--quiet", "origin", "main")  # run 5
    story.waiting = git(forge.bare, "rev-parse", "tagship/churn/edge~1"), git(forge.bare, "rev-parse", "main")
    forge.dispatch("rollback.yml", environment="production", reason=REASON)  # run 6
    story.look("rolled back")
    story.late = forge.run("release.yml", "push", {"ref": "refs/tags/v1.0.0"}, fails=True)  # run 7
    story.look("run again")
    return story


def test_a_pushed_tag_becomes_a_commit_with_the_published_digest(story: Story) -> None:
    assert story.seen["released"]["staging"] == story.published(0)
    assert "Deploy churn 1.0.0 to staging" in story.log()


def test_a_promotion_brings_the_same_digest_to_the_next_environment(story: Story) -> None:
    assert story.seen["promoted"]["production"] == story.published(0)
    assert story.seen["second"]["production"] == story.published(2) != story.published(0)
    ledger = git(story.forge.bare, "show", "main:k8s/overlays/production/release.yaml")
    assert '"by": "ada"' in ledger


def test_by_default_a_promotion_waits_on_its_branch(story: Story) -> None:
    assert story.seen["second"]["edge"] == story.seen["released"]["edge"], "it came without a merge"
    assert "waits on tagship/churn/edge" in (story.forge.folder / "run-4/log").read_text()


def test_what_waits_is_made_again_when_its_overlay_changes_under_it(story: Story) -> None:
    based, main = story.waiting
    assert based == main
    assert "is on top of main again" in (story.forge.folder / "run-5/log").read_text()


def test_a_rollback_goes_back_and_says_why_literally(story: Story) -> None:
    assert story.seen["rolled back"] == {**story.seen["second"], "production": story.published(0)}
    message = git(story.forge.bare, "log", "-1", "--format=%B", "main").splitlines()
    assert message[0] == "Roll churn back from 1.1.0 to 1.0.0 in production"
    assert message[2] == REASON
    assert "tagship/churn/edge" not in git(story.forge.bare, "for-each-ref"), "its promotion waits still"


def test_a_whole_run_again_ends_with_the_image_and_record_that_are_there(story: Story) -> None:
    """Of a tag that was published and superseded: one image, nothing pushed, no commit, nothing older over newer."""
    assert story.seen["run again"] == story.seen["rolled back"]
    first, again = story.artifact(0), story.artifact(7)
    assert (again["digest"], again["record"]) == (first["digest"], first["record"])
    assert (first["pushed"], again["pushed"]) == (True, False)
    deploys = [line for line in story.log() if line.startswith("Deploy churn 1.0.0")]
    assert deploys == ["Deploy churn 1.0.0 to staging"]
    assert "1.0.0 is not newer than 1.1.0" in story.late


def test_github_is_told_of_each_release_promotion_and_rollback(story: Story) -> None:
    assert story.github
    repository = story.github.repository
    assert sorted(item["tag_name"] for item in repository.releases) == ["v1.0.0", "v1.1.0"]
    deployed = sorted((item["ref"], item["environment"]) for item in repository.deployments)
    both = ("production", "staging")
    assert deployed == [(tag, environment) for tag in ("v1.0.0", "v1.1.0") for environment in both]


UNKNOWN_TO_ACT = {("concurrency", "queue"), ("environment", "deployment"), ("permissions", "artifact-metadata")}


def without(value: object, parent: str = "") -> object:
    """A workflow without the keys that GitHub has and act refuses."""
    if isinstance(value, dict):
        return {k: without(v, str(k)) for k, v in value.items() if (parent, k) not in UNKNOWN_TO_ACT}
    return [without(item, parent) for item in value] if isinstance(value, list) else value


def test_what_is_executed_is_what_was_generated_but_for_three_keys(tmp_path: Path) -> None:
    parts.need_act()
    parts.need_kustomize()
    stand_in = tmp_path / "cache/bin/act"
    stand_in.parent.mkdir(parents=True)
    stand_in.write_text(
        f'#!/bin/sh\nwhile [ "$1" != --workflows ]; do shift; done\ncp -r "$2" {tmp_path}/executed\n'
    )
    stand_in.chmod(0o755)
    (tmp_path / "event.json").write_text("{}")
    environment = {**os.environ, **parts.started_with(), "TESTBED_CACHE": str(tmp_path / "cache")}
    command = ["act-local", "push", "-C", str(PROJECT), "-e", str(tmp_path / "event.json")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    compared = 0
    for path in (PROJECT / ".github/workflows").glob("*.yml"):
        written, executed = (
            yaml.safe_load(file.read_text()) for file in (path, tmp_path / "executed" / path.name)
        )
        assert executed == without(written), path.name
        compared += executed != written
    assert compared, "no workflow has any of the keys: this compares nothing"
