"""The checks themselves: each finds what it is there for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import parts
from tests.checks.__main__ import main
from tests.checks.rules import broken
from tests.checks.tools import TOOLS, installed
from tests.templates.workflow_variants import workflows

RELEASE = ".github/workflows/release.yml"
TOKEN_STAYS = "persist-credentials: false # no later step finds a token in .git"


def damaged(folder: Path, old: str, new: str) -> Path:
    """A release workflow in which the first `old` is `new`."""
    text = workflows("everything")[RELEASE]
    assert old in text, f"the workflow has no {old!r} to damage"
    file = folder / ".github" / "workflows" / "release.yml"
    file.parent.mkdir(parents=True)
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("tool", "old", "new", "finding"),
    [
        ("zizmor", TOKEN_STAYS, "persist-credentials: true", "artipacked"),
        ("zizmor", " # assume the AWS role that publishes", "", "undocumented-permissions"),
        ("zizmor", "    environment: tagship-train\n", "", "secrets-outside-env"),
        ("actionlint", "needs: train", "needs: trian", "trian"),
        ("actionlint", "${{ github.ref_name }}", "${{ github.ref_nam }}", "ref_nam"),
        ("check-jsonschema", "timeout-minutes: 60", "timeout-minute: 60", "timeout-minute"),
        ("yamllint", "name: Train", "name:  Train", "colons"),
        ("shellcheck", '--release "$RELEASE"', "--release $RELEASE", "SC2086"),
        ("github-parser", "${{ github.ref_name }}", "${{ github.ref_nam }}", "invalid: ref_nam"),
        ("github-parser", "${{ github.ref }}", "${{ githu.ref }}", "Unrecognized named-value: 'githu'"),
        ("github-parser", "${{ github.ref }}", "${{ tolower(github.ref) }}", "Unrecognized function: 'tolower'"),
        ("github-parser", "timeout-minutes: 60", "timeout-minute: 60", "Unexpected value 'timeout-minute'"),
        ("github-parser", "timeout-minutes: 60", "timeout-minutes: soon", "Unexpected value 'soon'"),
        ("github-parser", "queue: max", "queue: 3", "Unexpected value '3'"),
        ("github-parser", "needs: train", "needs: trian", "unknown job 'trian'"),
    ],
)
def test_a_linter_finds_what_it_should(tool: str, old: str, new: str, finding: str, tmp_path: Path) -> None:
    if not installed(tool):
        parts.absent(tool, f"put {tool} on the PATH, or source the test bed's env")
    assert finding in TOOLS[tool]([damaged(tmp_path, old, new)])


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("permissions: {}", "permissions: {contents: read}", "permissions at the top"),
        ("    timeout-minutes: 60\n", "", "no timeout-minutes"),
        (" # check the tag out", "", "does not say why"),
        ("ubuntu-24.04", "ubuntu-latest", "changes under our feet"),
        ('--release "$RELEASE"', "--release ${{ github.ref }}", "expression inside `run:`"),
        (TOKEN_STAYS, "persist-credentials: true", "leaves its token"),
        ("enable-cache: false", "enable-cache: true", "uses a cache"),
        ("overwrite: true", "compression-level: 6", "needs name, retention-days and overwrite"),
        ("    environment: tagship-train\n", "", "secrets without an environment"),
        ("workflow_dispatch:", "pull_request_target:", "strangers' code"),
        ("@3d3c42e5aac5ba805825da76410c181273ba90b1", "@v7", "not pinned"),
        ("@3d3c42e5", "@00000000", "actions/checkout v7.0.1 is"),
        ("actions/checkout", "someone/checkout", "not among our pins"),
    ],
)
def test_our_rules_find_what_they_should(old: str, new: str, finding: str, tmp_path: Path) -> None:
    assert any(finding in problem for problem in broken(damaged(tmp_path, old, new)))


def test_the_command_names_what_it_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = damaged(tmp_path / "good", "name: Train", "name: Training")
    bad = damaged(tmp_path / "bad", "    timeout-minutes: 60\n", "")
    assert main([str(good)]) == 0
    assert "our rules: nothing found" in capsys.readouterr().out
    assert main([str(good), str(bad)]) == 1
    assert "job train: no timeout-minutes" in capsys.readouterr().out
