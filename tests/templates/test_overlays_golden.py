"""Whole folders of manifests, byte for byte: what a reviewer sees change when a template changes.

tests/golden/k8s-<case>/input is the repository, output what `generate` makes of its k8s folder, without the
base and components, which are copied. `pytest tests/templates --update-golden` writes the outputs anew.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.templates.manifests import generate, release_all

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = {"smallest": False, "clusters": False, "argocd": True, "argocd-unreleased": False, "flux-many": True, "pull-secrets": True, "workload": True}


def generated(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): path.read_text()
        for folder in ("k8s/overlays", "k8s/reconciler")
        for path in sorted((root / folder).rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("case", CASES)
def test_manifests_are_as_they_were(case: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    golden = GOLDEN / f"k8s-{case}"
    shutil.copytree(golden / "input", tmp_path, dirs_exist_ok=True)
    generate(tmp_path)
    if CASES[case]:
        release_all(tmp_path)
    found = generated(tmp_path)
    if request.config.getoption("--update-golden"):
        shutil.rmtree(golden / "output", ignore_errors=True)
        for path, text in found.items():
            (golden / "output" / path).parent.mkdir(parents=True, exist_ok=True)
            (golden / "output" / path).write_text(text)
    expected = generated(golden / "output")
    assert found.keys() == expected.keys()
    for path, text in expected.items():
        assert found[path] == text, f"{golden.name}/output/{path} (see --update-golden)"


def test_every_golden_folder_belongs_to_a_case() -> None:
    assert {path.name for path in GOLDEN.glob("k8s-*")} == {f"k8s-{case}" for case in CASES}
