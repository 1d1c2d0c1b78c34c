"""The README to the letter, with the command from a built wheel in an environment of its own."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from uv import find_uv_bin

from tests.generator.repositories import git

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
INSTALL = "git+https://github.com/acme/tagship@" + "0" * 40


def commands(heading: str) -> list[str]:
    """The lines of the first `sh` block below a heading of the README, without comments."""
    section = (ROOT / "README.md").read_text().split(f"## {heading}\n", 1)[1]
    block = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert block, f"no sh block below {heading}"
    return [line.split("  #")[0].strip() for line in block[1].splitlines() if line.strip()]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment that holds the wheel and nothing else of this repository."""
    folder = tmp_path_factory.mktemp("wheel")
    uv = [find_uv_bin(), "--quiet"]
    subprocess.run([*uv, "build", "--wheel", "--out-dir", str(folder), str(ROOT)], check=True)
    (wheel,) = folder.glob("tagship-*.whl")
    subprocess.run([*uv, "venv", "--python", "3.11", str(folder / "env")], check=True)
    python = str(folder / "env/bin/python")
    subprocess.run([*uv, "pip", "install", "--python", python, str(wheel)], check=True)
    return folder / "env/bin"


def test_the_two_commands_exist() -> None:
    assert [line.split(" #")[0].strip() for line in commands("Two commands")] == ["make demo", "make test"]
    for target in ("demo", "test", "check", "bench"):
        subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True)


def test_your_own_repository(installed: Path, tmp_path: Path) -> None:
    root, bare = tmp_path / "spam", tmp_path / "origin.git"
    root.mkdir()
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch", "main", str(bare))
    env = {**os.environ, "PATH": f"{installed}:{os.environ['PATH']}"}
    for command in commands("Your own repository"):
        if command.startswith("generator release"):
            git(root, "remote", "add", "origin", str(bare))
            git(root, "push", "--quiet", "origin", "main")
        done = subprocess.run(command, cwd=root, env=env, shell=True, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr[-3000:]}"
        if command.startswith("generator init"):
            # A wheel does not know which Git commit it is from; a command that was installed from Git does.
            with (root / "model.yaml").open("a") as file:
                file.write(f'pipeline: {{install: "{INSTALL}"}}\n')
            subprocess.run(["generator", "generate"], cwd=root, env=env, check=True, capture_output=True)
        if command == "generator rehearse":
            assert re.search(r'^200 .*"predictions": \[', done.stdout, re.MULTILINE)
            assert "`generator release` releases for real" in done.stdout, "what to do next"
            assert re.search(r"^clean up +removing /\S+; --keep keeps it$", done.stderr, re.MULTILINE)
    assert "never released" in done.stdout
    assert INSTALL in (root / ".github/workflows/release.yml").read_text()


def test_every_command_that_the_docs_name_exists() -> None:
    from generator.cli import COMMANDS

    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for name in re.findall(r"`generator ([a-z][a-z-]*)", page.read_text()):
            assert name in COMMANDS, f"{page.name} names `generator {name}`"
        for target in re.findall(r"`make ([a-z]+)", page.read_text()):
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), (
                f"{page.name}: make {target}"
            )


def test_links_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
