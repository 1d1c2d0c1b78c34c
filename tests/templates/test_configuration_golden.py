"""What `generate --into` writes into a configuration repository, byte for byte but for what is copied."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from generator.config.workspace import load
from generator.files import apply
from generator.generate import compare_check, compare_home
from tests.generator.configurations import INSTALL

GOLDEN = Path(__file__).parents[1] / "golden" / "configuration-repository"
COPIED = ("k8s/base/", "k8s/components/", ".github/tagship.lock", ".tagship.lock")


def texts(root: Path) -> dict[str, str]:
    paths = {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*")) if path.is_file()}
    return {name: path.read_text() for name, path in paths.items() if not any(part in name for part in COPIED)}


def test_a_configuration_repository_is_as_it_was(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    workspace = load(GOLDEN / "input")
    apply(tmp_path, compare_check(tmp_path, install=INSTALL))
    for model in workspace:
        apply(tmp_path / model.home, compare_home(workspace, model, tmp_path))
    if request.config.getoption("--update-golden"):
        shutil.rmtree(GOLDEN / "output", ignore_errors=True)
        for path, text in texts(tmp_path).items():
            (GOLDEN / "output" / path).parent.mkdir(parents=True, exist_ok=True)
            (GOLDEN / "output" / path).write_text(text)
    assert texts(tmp_path) == texts(GOLDEN / "output"), "look at it, then run pytest with --update-golden"
