"""The generated workflows, executed, of a model whose overlays are elsewhere: what lands where."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from generator.artifacts import PublishedImage, Record
from generator.config.workspace import load
from generator.ledger import read_ledger
from tests import parts
from tests.e2e import test_train_forms as forms
from tests.e2e.forge import Forge
from tests.e2e.rehearsals import rehearsed, repository
from tests.e2e.test_workflows_run import image_in, scaffolded, vendor
from tests.generator.configurations import CONFIGURATION, Shared
from tests.generator.github.repository import Repository
from tests.generator.github.server import TOKEN, GitHubServer, serving
from tests.generator.repositories import commit_all, git
from tests.generator.test_cli import generator

pytestmark = pytest.mark.e2e
TOKEN_ACTION = """\
name: create-github-app-token (local)
description: Hands out a made-up token, and says for what it was asked
inputs:
  client-id: {required: true}
  private-key: {required: true}
  owner: {default: "(this)"}
  repositories: {default: "(this)"}
  permission-contents: {default: ""}
  permission-pull-requests: {default: ""}
outputs:
  token: {value: "${{ steps.token.outputs.token }}"}
runs:
  using: composite
  steps:
    - id: token
      shell: bash
      env:
        FOR: "${{ inputs.owner }}/${{ inputs.repositories }}"
        KEY: ${{ inputs.private-key }}
      run: |
        test -n "$KEY"
        echo "asked for a token of $FOR"
        echo "token=TOKEN" >> "$GITHUB_OUTPUT"
"""


def runner(folder: Path) -> str:
    """A PATH whose `act-local` knows the App's action, too."""
    found = Path(parts.need_program("act-local", "source the test bed's env")).resolve()
    folder.mkdir()
    shutil.copy(found, folder / "act-local")
    shutil.copytree(found.parent / "actions", folder / "actions")
    action = folder / "actions/actions/create-github-app-token"
    action.mkdir(exist_ok=True)
    (action / "action.yml").write_text(TOKEN_ACTION.replace("=TOKEN", f"={TOKEN}"))
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@dataclass
class Story:
    """A release, and after a second deploy a promotion and a rollback."""

    forge: Forge
    shared: Shared
    said: dict[str, str] = field(default_factory=dict)  # by what was run
    seen: dict[str, dict[str, str]] = field(default_factory=dict)  # by moment: what each overlay runs
    begin: str = ""  # of the code's branch
    proposed: list[dict[str, Any]] = field(default_factory=list)  # pull requests of the configuration repository

    def look(self, moment: str) -> None:
        place = self.shared.folder / f"cluster-{moment}"
        git(self.shared.folder, "clone", "--quiet", str(self.shared.bare), str(place))
        overlays = place / "churn/k8s/overlays"
        self.seen[moment] = {path.name: image_in(path) for path in overlays.iterdir()}


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    parts.need_engine()
    parts.need_kustomize()
    parts.need_act()
    host, folder = parts.need_ecr(), tmp_path_factory.mktemp("configuration")
    shared, root, given = Shared(folder), folder / "repo", parts.started_with()
    env = {
        **given,
        "SSL_CERT_FILE": given["TESTBED_CA_BUNDLE"],
        "PATH": runner(folder / "act"),
        **shared.env("none"),
    }
    secrets = {"GITHUB_TOKEN": TOKEN, "TAGSHIP_APP_PRIVATE_KEY": "a key"}
    begin = _moved(root, host, shared)
    other = GitHubServer(repository=Repository(name="deployments"))
    with serving(GitHubServer()) as github, serving(other):
        forge = Forge(folder, "acme/churn", env, secrets, {"TAGSHIP_APP_CLIENT_ID": "an id"}, github.url)
        told = Story(forge, shared, begin=begin)
        _tell(told, root, shared, other.url)
    assert not [*github.violations, *other.violations]
    told.proposed = other.repository.pulls
    return told


def _moved(root: Path, host: str, shared: Shared) -> str:
    """What `init` makes, moved to two repositories; the commit of the code's."""
    scaffolded(root, host)
    text = (root / "model.yaml").read_text()
    assert "deploy:\n" in text, "that is not what init writes"
    wanted = f"deploy:\n  repository: {CONFIGURATION}\n  push: {{mode: app}}\n"
    (root / "model.yaml").write_text(text.replace("deploy:\n", wanted))
    git(root, "rm", "-r", "--quiet", "k8s")
    vendor(shared.checkout)  # its check installs the command from there, as this model's workflows do
    done = generator("generate", "--into", str(shared.checkout), cwd=root)
    assert done.returncode == 0, done.stderr
    shared.push("Add churn")
    return commit_all(root, "Move the manifests")


def _tell(story: Story, root: Path, shared: Shared, other: str) -> None:
    forge = story.forge
    forge.create()
    git(root, "remote", "set-url", "origin", str(forge.bare))
    git(root, "push", "--quiet", "origin", "main")
    git(root, "tag", "v1.0.0")
    pushed = subprocess.run(
        ["git", "push", "origin", "v1.0.0"], cwd=root, capture_output=True, text=True, check=True
    )  # run 0
    story.said["release"] = pushed.stderr + (forge.folder / "run-0/log").read_text()
    story.look("released")
    story.said["promote"] = forge.dispatch("promote.yml", environment="production")  # run 1
    _deploy_another(root, story.begin, shared)
    story.said["promote again"] = forge.dispatch("promote.yml", environment="production")  # run 2
    story.look("second")
    # Its stand-in is one repository, and this run asks for a pull request in the other one.
    story.said["propose"] = replace(forge, api=other).dispatch("promote.yml", environment="edge")  # run 3
    story.said["rollback"] = forge.dispatch("rollback.yml", environment="production", reason="bad")  # run 4
    story.look("rolled back")


def _deploy_another(root: Path, commit: str, shared: Shared) -> None:
    """1.1.0 of the same commit, as if it had been trained and published."""
    git(root, "tag", "v1.1.0")
    image = PublishedImage(
        name="churn", version="1.1.0", commit=commit, repository=load(root).model(None).image_repository,
        tag="1.1.0", digest="sha256:" + "b" * 64, pushed=True,
        record=Record(run_id="1" * 32, metrics={"accuracy": 1.0}),
    )  # fmt: skip
    store = root / ".tagship/churn-1.1.0"
    store.mkdir(parents=True)
    (store / "publish.json").write_text(json.dumps(image.model_dump(mode="json")))
    done = generator("stage", "deploy", "--release", "v1.1.0", cwd=root, **shared.env("none"))
    assert done.returncode == 0, done.stderr


def test_a_release_lands_in_the_configuration_repository_alone(story: Story) -> None:
    (path,) = (story.forge.folder / "run-0/artifacts/publish").rglob("publish.json")
    image = json.loads(path.read_text())
    assert story.seen["released"]["staging"] == f"{image['repository']}@{image['digest']}"
    assert git(story.forge.bare, "rev-parse", "main") == story.begin, "something was committed to the code"
    assert "asked for a token of acme/deployments" in story.said["release"]
    ledger = story.shared.ledger("staging")
    assert [entry.commit for entry in ledger.history] == [story.begin]


def test_promotions_and_a_rollback_land_there(story: Story) -> None:
    assert story.seen["second"]["production"].endswith("@sha256:" + "b" * 64)
    assert story.seen["rolled back"]["production"] == story.seen["released"]["staging"]
    assert story.shared.log()[0] == "Roll churn back from 1.1.0 to 1.0.0 in production"
    assert "waits on tagship/churn/edge" in story.said["propose"]
    assert [(pull["head"]["ref"], pull["base"]["ref"]) for pull in story.proposed] == [
        ("tagship/churn/edge", "main")
    ]
    assert "deleted tagship/churn/edge" in story.said["rollback"]


def test_its_own_check_passes_on_what_landed(story: Story) -> None:
    """The configuration repository's pull-request.yml, on a pull request that changes a note."""
    place = story.shared.folder / "there"
    place.mkdir()
    forge = Forge(place, "acme/deployments", story.forge.env, {"GITHUB_TOKEN": TOKEN})
    forge.create()
    clone = place / "clone"
    git(place, "clone", "--quiet", str(story.shared.bare), str(clone))
    git(clone, "remote", "set-url", "origin", str(forge.bare))
    git(clone, "push", "--quiet", "origin", "main")
    git(clone, "switch", "--quiet", "--create", "note")
    (clone / "churn/NOTE.md").write_text("Churn.\n")
    commit_all(clone, "Add a note")
    git(clone, "push", "--quiet", "origin", "note")
    said = forge.pull_request(7, "note")
    assert "churn: the ledgers of staging, production, edge are valid" in said


def test_a_rehearsal_has_a_configuration_repository_of_its_own(tmp_path: Path) -> None:
    more = (
        "repository: {url: https://github.com/acme/churn}\n"
        f"deploy: {{repository: {CONFIGURATION}, branch: live, push: {{mode: app}}}}\n"
    )
    root = repository(tmp_path / "repo", forms.HEAD + forms.POSITIONAL, requirements="[scikit-learn]", more=more)
    outcome = rehearsed(root, keep=tmp_path / "kept")
    assert outcome.answer["model_version"] == "0.1.0"
    path = "churn/k8s/overlays/production/release.yaml"
    ledger = read_ledger(git(tmp_path / "kept/overlays.git", "show", f"live:{path}"), path)
    assert ledger.current
    assert ledger.current.version == "0.1.0"
    code = git(tmp_path / "kept/origin.git", "ls-tree", "-r", "--name-only", "main")
    assert "k8s/" not in code
