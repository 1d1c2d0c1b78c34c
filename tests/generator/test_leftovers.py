"""What leaves model.yaml: how a cluster gets rid of it is said, since the reconciler does not follow its own objects."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from generator.files import Change, Kind
from generator.leftovers import leftovers
from tests.generator.configurations import CONFIGURATION, separate
from tests.generator.repositories import git
from tests.generator.test_cli import generator
from tests.generator.workspaces import model_yaml, write

URL = "repository: {url: 'https://github.com/acme/churn'}\npipeline: {install: .}\n"
ARGOCD = "deploy: {engine: argocd, environments: {staging: , live: {clusters: {eu: , us: }}}}\n"
APPLICATION = "  kubectl --namespace argocd delete application.argoproj.io/churn-"
ONE_LESS = {
    "a cluster": (
        ARGOCD.replace(", us: ", ""),
        [f"{APPLICATION}live-us", "  kubectl --namespace argocd delete appproject.argoproj.io/churn-live-us"],
    ),
    "an engine": (
        ARGOCD.replace("engine: argocd", "engine: flux"),
        [f"{APPLICATION}live-us", f"{APPLICATION}live-eu", f"{APPLICATION}staging"],
    ),
    "an environment": (
        ARGOCD.replace("staging: , ", "").replace("clusters", "namespace: churn-live, clusters"),
        [f"{APPLICATION}staging", "  (the namespace churn-staging stays, with what runs in it: docs/reconcilers.md)"],
    ),
    "a namespace": (
        ARGOCD.replace("staging: ", "staging: {namespace: ml}"),
        ["  (the namespace churn-staging stays, with what runs in it: docs/reconcilers.md)"],
    ),
    "a watcher": (
        ARGOCD.replace("staging: ", "staging: {observe: none}"),
        [
            f"  kubectl --namespace {namespace} delete {kind}.rbac.authorization.k8s.io/churn-staging-observer"
            for namespace in ("argocd", "churn-staging")
            for kind in ("rolebinding", "role")
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", ONE_LESS)
def test_what_leaves_a_reconcilers_file_is_told_with_its_command(what: str, tmp_path: Path) -> None:
    after, commands = ONE_LESS[what]
    observed = "staging: {observe: {kubeconfig: KUBECONFIG_STAGING}}"
    before = ARGOCD.replace("staging: ", observed) if what == "a watcher" else ARGOCD
    write(tmp_path, model_yaml(URL + before))
    done = generator("generate", cwd=tmp_path)
    assert (done.returncode, "delete" in done.stderr) == (0, False), done.stderr
    (tmp_path / "model.yaml").write_text(model_yaml(URL + after))
    overlay = tmp_path / "k8s/overlays/staging"
    if "staging: " not in after:
        shutil.rmtree(overlay)
    elif "namespace: ml" in after:
        text = (overlay / "kustomization.yaml").read_text()
        (overlay / "kustomization.yaml").write_text(text.replace('"churn-staging"', "ml"))
    foreseen = generator("generate", "--dry-run", cwd=tmp_path)
    done = generator("generate", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [line for line in foreseen.stderr.splitlines() if line in commands] == commands
    assert [line for line in done.stderr.splitlines() if line in commands] == commands, done.stderr
    assert generator("generate", cwd=tmp_path).stderr == ""


@pytest.mark.parametrize("into", [["--into", "../deployments"], []])
def test_what_moves_to_a_configuration_repository_is_followed_still(into: list[str], tmp_path: Path) -> None:
    code, deployments = tmp_path / "churn", tmp_path / "deployments"
    code.mkdir()
    text = separate()
    write(code, text.replace(f"repository: {CONFIGURATION}, push: {{mode: app}},", ""))
    assert generator("generate", cwd=code).returncode == 0
    (code / "model.yaml").write_text(text)
    shutil.rmtree(code / "k8s/overlays")
    deployments.mkdir()
    git(deployments, "init", "--quiet")
    git(deployments, "remote", "add", "origin", CONFIGURATION)
    done = generator("generate", *into, cwd=code)
    assert done.returncode == 0, done.stderr
    assert "removed: k8s/reconciler/staging.yaml" in done.stdout
    assert "delete" not in done.stderr


def test_an_environment_that_is_alone_may_stay_where_it_is(tmp_path: Path) -> None:
    """Its namespace has another default then."""
    write(tmp_path, model_yaml(URL + ARGOCD))
    assert generator("generate", cwd=tmp_path).returncode == 0
    shutil.rmtree(tmp_path / "k8s/overlays/staging")
    (tmp_path / "model.yaml").write_text(model_yaml(URL + ARGOCD.replace("staging: , ", "")))
    refused = generator("generate", cwd=tmp_path)
    assert (
        refused.returncode,
        "write `namespace: churn-live` for live in model.yaml to stay" in refused.stderr,
    ) == (
        1,
        True,
    )


def _change(path: str, before: str | None, after: str | None, kind: Kind = Kind.UPDATE) -> Change:
    return Change(path, kind, before, after)


ROLE = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: a b, namespace: n}\n"


def test_what_moves_to_another_file_stays() -> None:
    moved = [_change("k8s/reconciler/a.yaml", ROLE, None), _change("k8s/reconciler/b.yaml", None, ROLE)]
    assert leftovers(moved) == []


def test_a_name_reaches_no_shell() -> None:
    (left,) = leftovers([_change("k8s/reconciler/a.yaml", ROLE, "")])
    assert left.command == "kubectl --namespace n delete 'role.rbac.authorization.k8s.io/a b'"


@pytest.mark.parametrize(
    "text", ["a: [", "just words", "- 1\n", "metadata: 1\n", "kind: Role\nmetadata: {}\n", ""]
)
def test_a_file_that_somebody_made_something_else_says_nothing(text: str) -> None:
    assert leftovers([_change("k8s/reconciler/a.yaml", text, ROLE)]) == []


@pytest.mark.parametrize("kind", [Kind.KEEP_ORPHAN, Kind.FOREIGN])
def test_a_file_that_is_left_alone_keeps_what_it_has(kind: Kind) -> None:
    assert leftovers([_change("k8s/reconciler/a.yaml", ROLE, None, kind)]) == []


def test_other_files_say_nothing() -> None:
    assert leftovers([_change("k8s/base/role.yaml", ROLE, None)]) == []
