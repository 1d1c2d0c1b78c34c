"""The generated workflows, unmodified, executed: a pushed tag becomes a commit with a digest that was published."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from pathlib import Path

import pytest
import yaml

from generator.adapters.kustomize import Kustomize
from tests import parts
from tests.e2e import test_train_forms as forms
from tests.e2e.forge import Forge
from tests.generator.repositories import commit_all, git
from tests.generator.test_cli import generator
from tests.generator.workspaces import model_yaml

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("workflows")]
SOURCE = ("pyproject.toml", "README.md", "LICENSE", "generator", "inference", "templates", "k8s")
PROJECT = Path(__file__).parents[2]


def vendor(root: Path) -> None:
    """The command's own source inside a repository: workflows install it from there."""
    for name in SOURCE:
        source, target = PROJECT / name, root / "vendor/tagship" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "overlays", "reconciler"))
        else:
            shutil.copyfile(source, target)


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Forge:
    """A repository of one model with two environments, pushed, and released once as v1.0.0."""
    parts.need_engine()
    parts.need_kustomize()
    parts.need_act()
    host, folder = parts.need_ecr(), tmp_path_factory.mktemp("forge")
    root = folder / "repo"
    root.mkdir()
    environments = "deploy: {environments: {staging: {}, production: {}}}\n"
    text = model_yaml(
        f"gate: {{metrics: {{accuracy: {{min: 0.5}}}}}}\n{environments}pipeline: {{install: ./vendor/tagship}}\n"
    )
    text = text.replace("script: train.py", f"script: train.py, requirements: [scikit-learn], {forms.RETRY_ONCE}")
    registry = f"registry: {host}, repository: tagship-workflows/{uuid.uuid4().hex[:12]}"
    text = text.replace("registry: 123456789012.dkr.ecr.eu-north-1.amazonaws.com", registry)
    (root / "model.yaml").write_text(text)
    (root / "train.py").write_text(forms.HEAD + forms.POSITIONAL)
    vendor(root)
    for command in ("lock", "generate"):
        done = generator(command, cwd=root)
        assert done.returncode == 0, done.stderr
    given = parts.started_with()
    forge = Forge(
        folder, "acme/churn", env={**given, "SSL_CERT_FILE": given["TESTBED_CA_BUNDLE"], "GITHUB_ACTOR": "ada"}
    )
    forge.create()
    git(root, "init", "--quiet")
    commit_all(root, "Begin")
    git(root, "remote", "add", "origin", str(forge.bare))
    git(root, "push", "--quiet", "origin", "main")
    git(root, "tag", "v1.0.0")
    git(root, "push", "--quiet", "origin", "v1.0.0")
    return forge


def overlay_image(forge: Forge, environment: str, folder: Path) -> str:
    git(folder, "clone", "--quiet", str(forge.bare), "cluster")
    objects = Kustomize().build(folder / "cluster/k8s/overlays" / environment)
    (deployment,) = [item for item in objects if item["kind"] == "Deployment"]
    (server,) = deployment["spec"]["template"]["spec"]["containers"]
    return str(server["image"])


def test_a_pushed_tag_becomes_a_commit_with_the_published_digest(forge: Forge, tmp_path: Path) -> None:
    published = json.loads((forge.folder / "run-0/artifacts/publish/churn-1.0.0/publish.json").read_text())
    assert overlay_image(forge, "staging", tmp_path) == f"{published['repository']}@{published['digest']}"
    assert git(forge.bare, "log", "-1", "--format=%s", "main") == "Deploy churn 1.0.0 to staging"


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
