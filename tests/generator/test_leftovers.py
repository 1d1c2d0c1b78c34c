"""What leaves model.yaml: how a cluster gets rid of it is said, since the reconciler does not follow its own objects."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from generator.files import Change, Kind
from generator.leftovers import leftovers
from tests.generator.test_cli import generator
from tests.generator.workspaces import model_yaml, write

URL = "repository: {url: 'https://github.com/acme/churn'}\npipeline: {install: .}\n"
ARGOCD = "deploy: {engine: argocd, environments: {staging: , live: {namespace: live, clusters: {eu: , us: }}}}\n"
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
        ARGOCD.replace("staging: , ", ""),
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


def _change(path: str, before: str | None, after: str | None) -> Change:
    return Change(path, Kind.UPDATE, before, after)


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


def test_other_files_say_nothing() -> None:
    assert leftovers([_change("k8s/base/role.yaml", ROLE, None)]) == []
