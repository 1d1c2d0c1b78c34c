"""The code's release branch, for a model whose overlays are in a repository that has no model.yaml.

On a runner it is what was checked out: the token there is for the configuration repository.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from generator.adapters.git import GitRepository
from generator.config.model import Model
from generator.config.workspace import load
from generator.release import Release
from generator.sources import check_place


def merged(release: Release) -> Callable[[str], bool]:
    """Whether the release branch has a commit."""

    def merged(commit: str) -> bool:
        # A rehearsal's commit was made for it.
        return release.rehearsal or GitRepository(release.root).is_ancestor(
            commit, _head(release.root, release.model.config.repository.branch)
        )

    return merged


def model_there(root: Path, model: Model) -> Model:
    """`model` as the release branch has it. Raises GeneratorError where its overlays are elsewhere by now."""
    branch = model.config.repository.branch
    with tempfile.TemporaryDirectory(prefix="tagship-branch-") as folder:
        there = Path(folder, "files")
        GitRepository(root).export(_head(root, branch), there)
        found = load(there).model(model.name)
    check_place(model, found, branch=branch)
    return found


def _head(root: Path, branch: str) -> str:
    git = GitRepository(root)
    return git.commit_of(f"refs/remotes/origin/{branch}") if "GITHUB_ACTIONS" in os.environ else git.fetch(branch)
