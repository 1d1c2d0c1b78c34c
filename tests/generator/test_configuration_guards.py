"""What a configuration repository is guarded from: abandoned places, gates nobody merged, folders without an owner."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.generator.configurations import CONFIGURATION, INSTALL, Code, Shared
from tests.generator.repositories import commit_all, git
from tests.generator.test_cli import generator
from tests.generator.workspaces import write_many

GATED = "gate: {metrics: {accuracy: {min: 0.5}}}\n"
PAGE = Path(__file__).parents[2] / "docs/configuration-repository.md"
ENVIRONMENTS = "environments: {staging: , production: {via: commit}}"


@pytest.fixture
def shared(tmp_path: Path) -> Shared:
    return Shared(tmp_path)


def changed(code: Code, old: str, new: str) -> None:
    path = code.root / "model.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


# moving there


def several(shared: Shared) -> Code:
    """A repository of two models with their overlays, one of them with a component and a patch of its user's."""
    code = Code(shared)
    for name in ("model.yaml", "train.py", "requirements.txt"):
        (code.root / name).unlink()
    install = f"pipeline: {{install: '{INSTALL}'}}\n"
    churn = f"{install}serve: {{replicas: 2}}\ndeploy: {{engine: argocd, {ENVIRONMENTS}}}\n"
    write_many(
        code.root,
        {"churn": churn, "demand": install},
        "repository: {url: https://github.com/acme/churn}\n",
    )
    code.done("generate")
    overlay = code.root / "k8s/overlays/churn/staging"
    (overlay / "mine.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: mine}\ndata: {key: value}\n"
    )
    path = overlay / "kustomization.yaml"
    base = '  - "../../../base"\n'
    assert base in path.read_text()
    path.write_text(path.read_text().replace(base, f"{base}  - mine.yaml\n"))
    commit_all(code.root, "Begin")
    code.push()
    for version, digit in (("1.0.0", "a"), ("1.1.0", "b")):
        code.deploy(version, digit)
        git(code.root, "pull", "--quiet", str(code.bare), "main")
    code.done("promote", "production", "--model", "churn")
    git(code.root, "pull", "--quiet", str(code.bare), "main")
    return code


def follow_the_page(code: Code) -> None:
    """Runs the block below "Moving there", as it stands."""
    found = re.search(r"## Moving there.*?```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found
    script = f'set -euo pipefail\ngenerator() {{ {sys.executable} -m generator "$@"; }}\n{found[1]}'
    env = {**os.environ, **code.shared.env(code.name)}
    done = subprocess.run(
        ["bash", "-c", script], cwd=code.root, env=env, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout


def test_moving_there_as_the_page_says_brings_ledgers_and_what_is_the_users(shared: Shared) -> None:
    code = several(shared)
    path = code.root / "models/churn/model.yaml"
    wanted = f"engine: argocd, repository: {CONFIGURATION}, push: {{mode: app}},"
    path.write_text(path.read_text().replace("engine: argocd,", wanted))
    before = git(code.root, "show", "HEAD:k8s/overlays/churn/staging/release.yaml")
    follow_the_page(code)
    assert not (code.root / "k8s/overlays/churn").exists()
    assert (code.root / "k8s/overlays/demand/production/release.yaml").is_file()
    overlay = shared.checkout / "churn/k8s/overlays/staging"
    assert (overlay / "release.yaml").read_text().strip() == before
    assert (overlay / "mine.yaml").is_file()
    assert "replicas: 2" in (overlay / "tagship/deployment.yaml").read_text()
    assert {item.name for item in overlay.iterdir()} == {
        "kustomization.yaml", "release.yaml", "mine.yaml", "tagship",
    }  # fmt: skip
    code.done("generate", "--check", "--into", str(shared.checkout))
    code.done("generate", "--check")
    checked = generator("validate", "--ledgers", cwd=shared.checkout)
    assert checked.returncode == 0, checked.stderr
    shared.push("Add churn")
    commit_all(code.root, "Move churn's manifests")
    code.push()
    code.deploy("1.2.0", "c")
    code.done("promote", "production", "--model", "churn")
    ledger = shared.ledger("production")
    assert [entry.version for entry in (ledger.current, *ledger.history) if entry] == ["1.2.0", "1.1.0"]
    git(code.root, "checkout", "--quiet", "churn/v1.1.0")
    stale = code.run("rollback", "staging", "--model", "churn", "--reason", "it is wrong")
    assert (
        "has the overlays in this repository, but main has them in github.com/acme/deployments, branch main"
        in stale.stderr
    )


def test_a_file_that_is_not_ours_is_named_with_its_checkout(shared: Shared) -> None:
    code = Code(shared)
    path = shared.checkout / "churn/k8s/overlays/staging/tagship/kustomization.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("resources: []\n")
    assert f"{path}: exists already" in code.run("generate", "--into", str(shared.checkout)).stderr


# whose model.yaml counts


@pytest.mark.parametrize(
    ("new", "where"),
    [
        ("repository: https://github.com/acme/others,", "github.com/acme/others, branch main"),
        (f"repository: {CONFIGURATION}, branch: live,", "github.com/acme/deployments, branch live"),
    ],
)
def test_nothing_is_committed_where_the_overlays_were_once(shared: Shared, new: str, where: str) -> None:
    code = Code(shared)
    code.begin()
    code.deploy("1.0.0")
    code.deploy("1.1.0", "b")
    tag, before = code.tag("1.2.0", "c"), shared.log()
    changed(code, f"repository: {CONFIGURATION},", new)
    commit_all(code.root, "Move")
    code.push()
    git(code.root, "checkout", "--quiet", tag)
    said = f"but main has them in {where}: "
    for argv in (
        ("stage", "deploy", "--release", tag),
        ("promote", "production"),
        ("promote", "--refresh"),
        ("rollback", "staging", "--reason", "it is wrong"),
    ):
        done = code.run(*argv)
        assert (done.returncode, said in done.stderr) == (1, True), done.stderr
    assert shared.log() == before


def test_the_gate_of_a_promotion_is_that_of_the_release_branch(shared: Shared) -> None:
    code = Code(shared, more=GATED)
    code.begin()
    code.deploy("1.0.0")
    changed(code, "min: 0.5", "min: 0.95")
    commit_all(code.root, "Ask for more")
    code.push()
    changed(code, "gate: {metrics: {accuracy: {min: 0.95}}}", "gate: {}")
    refused = code.run("promote", "production")
    assert "churn 1.0.0 does not pass the gate of production" in refused.stderr
    assert shared.ledger("production").current is None


def test_on_a_runner_the_release_branch_is_what_was_checked_out(shared: Shared) -> None:
    """Its token opens the configuration repository alone."""
    code = Code(shared)
    code.begin()
    code.deploy("1.0.0")
    git(code.root, "remote", "set-url", "origin", str(shared.folder / "none"))
    done = generator("promote", "production", cwd=code.root, GITHUB_ACTIONS="true", **shared.env("churn"))
    assert done.returncode == 0, done.stderr
    current = shared.ledger("production").current
    assert current
    assert current.version == "1.0.0"


# what a change takes away


def test_a_folder_that_is_gone_is_refused(shared: Shared) -> None:
    for name in ("churn", "demand"):
        Code(shared, name).begin()
    check = ("validate", "--ledgers", "--changed", "HEAD")
    added = generator("validate", "--ledgers", "--changed", "HEAD~1", cwd=shared.checkout)
    assert added.returncode == 0, added.stderr
    shutil.rmtree(shared.checkout / "churn")
    gone = generator(*check, cwd=shared.checkout)
    assert gone.returncode == 1
    assert "churn/.tagship.source.yaml: is gone; restore churn/ with git" in gone.stderr


def test_environments_that_are_gone_or_in_another_order_are_refused(shared: Shared) -> None:
    Code(shared).begin()
    source = shared.checkout / "churn/.tagship.source.yaml"
    check = ("validate", "--ledgers", "--changed", "HEAD")
    text, staging = source.read_text(), '  - "staging"\n'
    shutil.rmtree(shared.checkout / "churn/k8s/overlays/staging")
    source.write_text(text.replace(staging, ""))
    gone = generator(*check, cwd=shared.checkout)
    assert gone.returncode == 1
    assert "churn/.tagship.source.yaml: no longer names staging" in gone.stderr
    git(shared.checkout, "checkout", "--", ".")
    source.write_text(text.replace(staging, "") + staging)
    turned = generator(*check, cwd=shared.checkout)
    assert turned.returncode == 1
    assert "has another order than staging, production, in which versions are promoted" in turned.stderr


# whose folder it is


def test_a_folder_that_nothing_says_the_owner_of_is_not_touched(shared: Shared) -> None:
    code = Code(shared)
    code.begin()
    code.deploy("1.0.0")
    tag = code.tag("1.1.0", "b")
    git(shared.checkout, "pull", "--quiet", str(shared.bare), "main")
    (shared.checkout / "churn/.tagship.source.yaml").unlink()
    shared.push("Forget whose it is")
    said, before = "churn/.tagship.source.yaml is not there, and nothing else says whose churn/ is", shared.log()
    for argv in (
        ("stage", "deploy", "--release", tag),
        ("promote", "production"),
        ("rollback", "staging", "--reason", "it is wrong"),
        ("status",),
        ("generate", "--into", str(shared.checkout)),
    ):
        done = code.run(*argv)
        assert (done.returncode, said in done.stderr) == (1, True), (argv, done.stderr)
    assert shared.log() == before
