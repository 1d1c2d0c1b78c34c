"""What a person patched stays, byte for byte, through everything that writes to an overlay."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from generator.config.workspace import load
from generator.files import apply
from generator.generate import compare_workspace
from tests import parts
from tests.generator.repositories import commit_all, git
from tests.generator.test_refresh import BRANCH, Waiting

OVERLAYS = ("k8s/overlays/staging", "k8s/overlays/production")
LISTING = "# ours\npatches:\n  - path: patches/mine.yaml   # as agreed\n"
MINE = """\
# odd   spacing stays
apiVersion: apps/v1
kind: Deployment
metadata: {name:   inference}
spec: {minReadySeconds: 7}
"""


class Patched(Waiting):
    """1.0.0 runs in production and 1.1.0 waits for it; both overlays are patched on the release branch."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        git(self.root, "fetch", "--quiet", "origin")
        git(self.root, "checkout", "--quiet", "-B", "main", "origin/main")
        for overlay in OVERLAYS:
            listed = self.root / overlay / "kustomization.yaml"
            listed.write_text(listed.read_text() + LISTING)
            (self.root / overlay / "patches").mkdir()
            (self.root / overlay / "patches/mine.yaml").write_text(MINE)
        commit_all(self.root, "Patch")
        git(self.root, "push", "--quiet", "origin", "main")

    def regenerate(self) -> None:
        """As after an upgrade that changes all that is generated, and a change of model.yaml."""
        shutil.rmtree(self.root / "k8s/base")
        shutil.rmtree(self.root / "k8s/components", ignore_errors=True)
        (self.root / "model.yaml").write_text((self.root / "model.yaml").read_text() + "serve: {replicas: 3}\n")
        workspace = load(self.root)
        apply(self.root, compare_workspace(workspace, install="."))
        commit_all(self.root, "Generate")
        git(self.root, "push", "--quiet", "origin", "HEAD:main")

    def survive(self, happens: Callable[[], object], branch: str = "main") -> None:
        before = git(self.bare, "rev-parse", branch)
        happens()
        assert git(self.bare, "rev-parse", branch) != before, "nothing happened"
        for overlay in OVERLAYS:
            assert f"{git(self.bare, 'show', f'{branch}:{overlay}/patches/mine.yaml')}\n" == MINE
            assert f"{git(self.bare, 'show', f'{branch}:{overlay}/kustomization.yaml')}\n".endswith(LISTING)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Patched:
    parts.need_kustomize()
    return Patched(tmp_path_factory.mktemp("patched"))


# In this order, each on what the one before left.
def test_they_survive_generate(scene: Patched) -> None:
    scene.survive(scene.regenerate)


def test_they_survive_a_promotion_that_is_made_again(scene: Patched) -> None:
    scene.survive(scene.refreshed, BRANCH)


def test_they_survive_a_promotion(scene: Patched) -> None:
    scene.survive(scene.promote)


def test_they_survive_a_deploy(scene: Patched) -> None:
    scene.survive(lambda: scene.deploy("1.2.0", "c"))


def test_they_survive_a_rollback(scene: Patched) -> None:
    scene.survive(lambda: scene.back("staging"))
