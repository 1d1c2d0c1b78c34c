"""Which models a change concerns, and that the others are left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.preview.changed import changed_models
from tests.generator.repositories import commit_all, publish
from tests.generator.test_cli import generator
from tests.generator.workspaces import write, write_many

SHARED = "pipeline: {install: .}\n"


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("models/a/train.py", "a"),
        ("models/a/deep/er/x.csv", "a"),
        ("models/ab/train.py", "ab"),
        ("k8s/overlays/a/production/patch.yaml", "a"),
        ("k8s/reconciler/ab/production.yaml", "ab"),
        ("k8s/overlays/gone/production/release.yaml", ""),
        (".github/workflows/release-a.yml", "a"),
        (".github/workflows/other.yml", ""),
        ("tagship.yaml", "a ab"),
        ("k8s/base/deployment.yaml", "a ab"),
        ("k8s/components/ingress/ingress.yaml", "a ab"),
        ("k8s/patches/mine.yaml", "a ab"),
        ("templates/overlay/release.yaml", "a ab"),
        ("models/README.md", ""),
        ("README.md", ""),
        (".tagship.lock", ""),
    ],
)
def test_whose_file_it_is(path: str, names: str, tmp_path: Path) -> None:
    workspace = write_many(tmp_path, {"a": "", "ab": ""})
    assert [model.name for model in changed_models(workspace, [path])] == names.split()


def test_a_model_at_the_root_owns_everything(tmp_path: Path) -> None:
    workspace = write(tmp_path)
    assert changed_models(workspace, ["src/features.py"]) == workspace.models
    assert changed_models(workspace, []) == ()


def test_validate_leaves_out_what_is_unchanged_but_never_a_ledger(tmp_path: Path) -> None:
    root = tmp_path / "repo"
    root.mkdir()
    publish(write_many(root, {"a": "", "b": ""}, SHARED), tmp_path / "origin.git")
    for name in "ab":
        (root / f"models/{name}/train.py").write_text("def broken(:\n")
    commit_all(root, "Broken")
    (root / "models/a/more.py").write_text("x = 1\n")  # not committed: it counts here
    done = generator("validate", "--changed", "HEAD", cwd=root)
    assert done.returncode == 1
    assert "models/a/train.py:1" in done.stderr
    assert "models/b/" not in done.stderr
    ledger = root / "k8s/overlays/b/production/release.yaml"
    ledger.write_text(ledger.read_text().replace("schema_version: 1", "schema_version: 2"))
    commit_all(root, "Damaged")
    done = generator("validate", "--changed", "HEAD", cwd=root)
    assert "k8s/overlays/b/production/release.yaml:2:" in done.stderr
    assert "train.py" not in done.stderr


def test_validate_names_what_it_left_out(tmp_path: Path) -> None:
    root = tmp_path / "repo"
    root.mkdir()
    publish(write_many(root, {"a": "", "b": ""}, SHARED), tmp_path / "origin.git")
    done = generator("validate", "--changed", "HEAD", cwd=root)
    assert (done.returncode, done.stdout.splitlines()) == (
        0,
        ["models/a/model.yaml: a is unchanged", "models/b/model.yaml: b is unchanged"],
    ), done.stderr
