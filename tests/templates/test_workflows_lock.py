"""templates/github/tagship.lock: not stale, and enough to install and build the command."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from generator.adapters.shell import ProcessFailed, run
from tests import parts
from tests.checks.lock import LOCK, ROOT, packages, stale


@pytest.fixture(scope="module")
def text() -> str:
    return LOCK.read_text(encoding="utf-8")


def test_it_is_what_uv_lock_wants(text: str) -> None:
    assert stale(text) == [], "run `python -m tests.checks.lock`"


def test_it_names_no_index(text: str) -> None:
    assert re.search(r"://|--(extra-)?index|--find-links", text) is None


@pytest.mark.parametrize("name", ["boto3", "click", "hatchling", "uv"])
def test_a_missing_package_is_noticed(name: str, text: str) -> None:
    without = text.replace(packages(text)[name] + "\n", "")
    assert any(problem.startswith(name) for problem in stale(without))


def test_another_version_or_hash_is_noticed(text: str) -> None:
    entry = packages(text)["click"]
    assert "click differs from uv.lock" in stale(text.replace(entry, entry.replace("click==", "click==9")))
    assert "click differs from uv.lock" in stale(text.replace(entry, entry.replace("sha256:", "sha256:0", 1)))


@pytest.mark.e2e
def test_the_command_can_be_installed_from_it(tmp_path: Path) -> None:
    """What the step "Install the command" of every workflow does."""
    python = str(tmp_path / "venv")
    uv = ("env", "-u", "UV_EXCLUDE_NEWER", "uv")  # a runner has no cut-off
    run(*uv, "venv", "--quiet", "--python", ">=3.11", python)
    try:
        run(
            *(*uv, "pip", "install", "--python", python, "--require-hashes", "--only-binary", ":all:"),
            *("-r", str(LOCK)),
        )
    except ProcessFailed as error:
        if "Failed to fetch" in error.stderr or "dns error" in error.stderr:
            parts.absent("a package index", "connect this machine to one")
        raise
    run(*uv, "pip", "install", "--python", python, "--no-deps", "--no-build-isolation", ".", cwd=ROOT)
    run(*uv, "pip", "check", "--python", python)
    assert "Usage: generator" in run(str(tmp_path / "venv/bin/generator"), "--help")
