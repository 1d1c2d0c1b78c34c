"""`generator init`: what it makes, what it keeps, and that what it makes is valid."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from generator.config.workspace import load
from generator.training.script_check import script_problems
from tests.generator.repositories import git
from tests.generator.test_cli import files, generator


@pytest.mark.parametrize("framework", ["sklearn", "xgboost", "lightgbm"])
def test_each_framework_gives_a_valid_repository(framework: str, tmp_path: Path) -> None:
    done = generator("init", "My Model", "--yes", "--no-lock", "--framework", framework, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    root = tmp_path / "My Model"
    workspace = load(root)
    model = workspace.model(None)
    assert (model.name, [t.name for t in model.targets], model.config.deploy.engine) == (
        "my-model",
        ["production"],
        "none",
    )
    assert script_problems(model, root) == []
    assert (root / "model.yaml").read_text().startswith("# yaml-language-server: $schema=")
    assert "generator rehearse" in done.stdout.split("Next:")[1]
    assert "1. cd 'My Model'\n" in done.stdout


def test_flags_answer_the_questions(tmp_path: Path) -> None:
    argv = ["--name", "spam", "--aws-account", "111122223333", "--aws-region", "us-east-1", "--reconciler", "flux"]
    done = generator("init", "--yes", "--no-lock", *argv, "--environments", "staging, live", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    model = load(tmp_path).model("spam")
    assert model.config.image.registry == "111122223333.dkr.ecr.us-east-1.amazonaws.com"
    assert model.config.image.role == "arn:aws:iam::111122223333:role/spam-release"
    assert [t.name for t in model.targets] == ["staging", "live"]
    assert model.config.deploy.engine == "flux"


def test_questions_are_asked_with_defaults(tmp_path: Path) -> None:
    done = generator("init", "--no-lock", cwd=tmp_path, stdin="spam\nxgboost\n\n\n\n\n")
    assert done.returncode == 0, done.stderr
    assert "Model name [" in done.stdout
    assert load(tmp_path).model("spam")
    assert "xgboost" in (tmp_path / "train.py").read_text()


def test_a_wrong_answer_is_asked_for_again(tmp_path: Path) -> None:
    answers = ["my bad name!", "spam", "sklearn", "12", "111122223333", "", "Prod", "live", ""]
    done = generator("init", "--no-lock", cwd=tmp_path, stdin="\n".join(answers) + "\n")
    assert done.returncode == 0, done.stderr
    assert "must be the account's 12 digits" in done.stdout + done.stderr
    model = load(tmp_path).model("spam")
    assert model.config.image.registry.startswith("111122223333.")
    assert [target.name for target in model.targets] == ["live"]


def test_inside_a_repository_is_refused(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    done = generator("init", "models/one", "--yes", "--no-lock", cwd=tmp_path)
    assert (done.returncode, "run `generator init` at its root" in done.stderr) == (1, True)
    assert not (tmp_path / "models").exists()


def test_what_exists_is_kept(tmp_path: Path) -> None:
    mine = {
        "fit.py": "import mlflow.lightgbm\nmlflow.autolog()\nmlflow.lightgbm.log_model(None, 'model')\n",
        "requirements.txt": "lightgbm==4.6.0\n",
        ".gitignore": "secret\n",
    }
    for name, text in mine.items():
        (tmp_path / name).write_text(text)
    git(tmp_path, "init", "--quiet", "--initial-branch", "trunk")
    git(tmp_path, "remote", "add", "origin", "git@github.com:acme/fit.git")
    done = generator("init", "--yes", "--no-lock", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {name: (tmp_path / name).read_text() for name in mine} == mine
    assert "train.py" not in files(tmp_path)
    config = load(tmp_path).model(None).config
    assert config.train.script == "fit.py"
    assert (config.repository.url, config.repository.branch) == ("https://github.com/acme/fit", "trunk")
    assert config.deploy.engine == "argocd"


def test_twice_changes_nothing(tmp_path: Path) -> None:
    generator("init", "--yes", "--no-lock", "--name", "one", cwd=tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path) if (tmp_path / name).is_file()}
    done = generator("init", "--yes", "--no-lock", "--name", "two", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "kept  model.yaml" in done.stdout
    assert {name: (tmp_path / name).read_bytes() for name in before} == before


@pytest.mark.parametrize("name", ["x\ny: 1", "${{ secrets.A }}", "'; rm -rf /", "../up"])
def test_a_hostile_name_is_refused(name: str, tmp_path: Path) -> None:
    done = generator("init", "--yes", "--no-lock", "--name", name, cwd=tmp_path)
    assert done.returncode == 1
    assert "model.yaml:3:7: name must be" in done.stderr
    assert not (tmp_path / "model.yaml").exists(), "nothing is written"


def test_dependabot_raises_pins_after_a_while(tmp_path: Path) -> None:
    done = generator("init", "--yes", "--no-lock", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    file = tmp_path / ".github/dependabot.yml"
    tools = Path(sys.executable).parent
    for command in (
        ("check-jsonschema", "--builtin-schema", "vendor.dependabot"),
        ("zizmor", "--offline", "--no-progress", "--persona=auditor"),
    ):
        checked = subprocess.run([tools / command[0], *command[1:], file], capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_dependabot_file_of_ones_own_stays(tmp_path: Path) -> None:
    (tmp_path / ".github").mkdir()
    (tmp_path / ".github/dependabot.yml").write_text("version: 2\nupdates: []\n")
    assert "kept  .github/dependabot.yml" in generator("init", "--yes", "--no-lock", cwd=tmp_path).stdout
    assert (tmp_path / ".github/dependabot.yml").read_text() == "version: 2\nupdates: []\n"
