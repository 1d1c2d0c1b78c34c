"""Real Git repositories in temporary folders, generated and pushed to a bare one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from generator.config.workspace import Workspace
from generator.files import apply
from generator.generate import compare_workspace


def git(folder: Path, *argv: str) -> str:
    return subprocess.run(["git", *argv], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def commit_all(folder: Path, message: str) -> str:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)
    return git(folder, "rev-parse", "HEAD")


def publish(workspace: Workspace, bare: Path) -> str:
    """Generates, commits and pushes `workspace` to a new bare repository; returns the commit."""
    root = workspace.root
    apply(root, compare_workspace(workspace, install="."))
    if not (root / ".git").exists():
        git(root, "init", "--quiet")
    commit = commit_all(root, "Begin")
    git(root, "init", "--quiet", "--bare", str(bare))
    git(root, "remote", "add", "origin", str(bare))
    git(root, "push", "--quiet", "origin", "main")
    return commit


def renderer_or_none() -> object:
    """Kustomize where the machine has it: then every deploy in a test is rendered too."""
    from generator.adapters.kustomize import Kustomize

    return Kustomize() if shutil.which("kustomize") or shutil.which("kubectl") else None
