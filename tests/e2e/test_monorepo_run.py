"""A repository of three models on a runner: a pull request that touches one, and a tag of one."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import parts
from tests.e2e import test_train_forms as forms
from tests.e2e.forge import Forge
from tests.e2e.test_workflows_run import vendor
from tests.generator.github.server import TOKEN, GitHubServer, serving
from tests.generator.repositories import commit_all, git
from tests.generator.test_cli import generator
from tests.generator.workspaces import model_yaml

pytestmark = pytest.mark.e2e
MODELS = ("churn", "demand", "fraud")
PULL = 7


@dataclass
class Seen:
    """What the pull request and the tag started."""

    forge: Forge
    github: GitHubServer
    checked: str  # what the pull request's run said, its summary included


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    parts.need_engine()
    parts.need_kustomize()
    parts.need_act()
    host, folder = parts.need_ecr(), tmp_path_factory.mktemp("monorepo")
    root, given = folder / "repo", parts.started_with()
    scaffolded(root, host)
    with serving(GitHubServer()) as github:
        forge = Forge(
            folder,
            "acme/churn",
            env={**given, "SSL_CERT_FILE": given["TESTBED_CA_BUNDLE"]},
            secrets={"GITHUB_TOKEN": TOKEN},
            api=github.url,
        )
        forge.create()
        git(root, "remote", "add", "origin", str(forge.bare))
        git(root, "push", "--quiet", "origin", "main")
        git(root, "switch", "--quiet", "--create", "better")
        (root / "models/demand/model.yaml").write_text(
            (root / "models/demand/model.yaml").read_text() + "serve: {replicas: 5}\n"
        )
        assert generator("generate", cwd=root).returncode == 0
        commit_all(root, "More pods for demand")
        git(root, "push", "--quiet", "origin", "better")
        checked = forge.pull_request(PULL, "better", labels=["rehearse"])  # run 0
        git(root, "switch", "--quiet", "main")
        git(root, "tag", "fraud/v1.0.0")
        git(root, "push", "--quiet", "origin", "fraud/v1.0.0")  # run 1
    assert not github.violations
    return Seen(forge, github, checked)


def scaffolded(root: Path, host: str) -> None:
    """Three models, generated, with the command's source inside."""
    (root / "models").mkdir(parents=True)
    (root / "tagship.yaml").write_text("models: [models/*]\npipeline: {install: ./vendor/tagship}\n")
    for name in MODELS:
        (root / "models" / name).mkdir()
        text = model_yaml(name=name) if name != "churn" else model_yaml()
        text = text.replace("script: train.py", "script: train.py, requirements: [scikit-learn]")
        registry = f"registry: {host}, repository: tagship-monorepo/{name}-{uuid.uuid4().hex[:12]}"
        text = text.replace("registry: 123456789012.dkr.ecr.eu-north-1.amazonaws.com", registry)
        (root / "models" / name / "model.yaml").write_text(text)
        (root / "models" / name / "train.py").write_text(forms.HEAD + forms.POSITIONAL)
    vendor(root)
    for command in ("lock", "generate"):
        done = generator(command, cwd=root)
        assert done.returncode == 0, done.stderr
    git(root, "init", "--quiet")
    commit_all(root, "Begin")


def test_a_pull_request_checks_what_it_touches(seen: Seen) -> None:
    assert "models/demand/model.yaml: demand is valid" in seen.checked
    for name in ("churn", "fraud"):
        assert f"models/{name}/model.yaml: {name} is unchanged" in seen.checked
    rehearsed = [name for name in MODELS if f"Rehearsal of {name}-0.1.0" in seen.checked]
    assert rehearsed == ["demand"]


def test_it_gets_one_comment_with_what_changes_and_what_training_gave(seen: Seen) -> None:
    (comment,) = seen.github.repository.comments[PULL]
    text = comment["body"]
    assert text.startswith("<!-- tagship preview -->\n")
    assert "demand" in text
    assert "accuracy" in text, "the rehearsal's figures are missing"
    assert text.splitlines()[2] in seen.checked, "not in the summary"


def test_a_tag_releases_its_model_alone(seen: Seen) -> None:
    changed = git(seen.forge.bare, "diff", "--name-only", "main~1", "main").splitlines()
    assert {path for path in changed if not path.startswith("k8s/overlays/fraud/production/")} == {".tagship.lock"}
    assert git(seen.forge.bare, "log", "-1", "--format=%s", "main") == "Deploy fraud 1.0.0 to production"
