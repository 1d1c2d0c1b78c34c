"""The command as a person meets it: a real process, its exit code and what it prints."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from generator.cli import COMMANDS
from tests.generator.repositories import commit_all, git, publish
from tests.generator.workspaces import SMALLEST, model_yaml, write, write_many


def generator(*argv: str, cwd: Path, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """Runs the command; standard input is closed after `stdin`."""
    command = [sys.executable, "-m", "generator", *argv]
    environment = {**os.environ, **env}
    return subprocess.run(
        command, cwd=cwd, env=environment, input=stdin, capture_output=True, text=True, timeout=900, check=False
    )


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if ".git/" not in str(path)}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, tmp_path: Path) -> None:
    done = generator(name, "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Usage: generator {name}")


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['generator', '--help']\n"
        "from generator.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'pydantic', 'jinja2', 'ruamel', 'rich', 'httpx', 'boto3', 'kubernetes', 'mlflow'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize(
    "argv", [["nonsense"], ["validate", "--nonsense"], ["stage", "nonsense", "--release", "v1"]]
)
def test_wrong_usage_is_2(argv: list[str], tmp_path: Path) -> None:
    done = generator(*argv, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_near_name_is_suggested(tmp_path: Path) -> None:
    assert "Did you mean 'generate'?" in generator("genrate", cwd=tmp_path).stderr


def test_outside_a_repository(tmp_path: Path) -> None:
    done = generator("validate", cwd=tmp_path)
    assert (done.returncode, "run `generator init`" in done.stderr) == (1, True)


_BIG = SMALLEST + "# " + "x" * 5_000_000
HOSTILE = {
    "newline": SMALLEST.replace("name: churn", 'name: "churn\\nx: y"'),
    "quote": SMALLEST.replace("name: churn", "name: '\"; rm -rf /'"),
    "expression": SMALLEST.replace("train.py", "'${{ secrets.TOKEN }}'"),
    "command": SMALLEST.replace("train.py", "$(touch owned)"),
    "jinja": SMALLEST.replace("name: churn", "name: '<%= 7*7 %>'"),
    "jinja2": SMALLEST.replace("name: churn", "name: '{{ 7*7 }}'"),
    "anchor": SMALLEST + "serve: &a {replicas: 2}\n",
    "alias bomb": "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n",
    "duplicate": SMALLEST + "name: other\n",
    "merge": SMALLEST + "<<: {name: other}\n",
    "tag": SMALLEST + "serve: !!python/object/apply:os.system ['touch owned']\n",
    "path": SMALLEST.replace("train.py", "../../../etc/passwd"),
    "absolute": SMALLEST.replace("train.py", "/etc/passwd"),
    "big": _BIG,
    "deep": "a: " + "[" * 100_000,
    "control": SMALLEST.replace("churn", "chu\x1brn"),
    "list": "- version: 1\n",
    "scalar": "version",
    "empty": "",
    "two documents": SMALLEST + "---\n" + SMALLEST,
    "odd unicode": SMALLEST.replace("name: churn", "name: chu\u202ern"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_files_are_refused_and_nothing_is_written(case: str, tmp_path: Path) -> None:
    (tmp_path / "model.yaml").write_text(HOSTILE[case], encoding="utf-8")
    (tmp_path / "train.py").write_text("")
    before = files(tmp_path)
    done = generator("generate", cwd=tmp_path)
    assert done.returncode == 1, done.stdout
    assert "model.yaml:" in done.stderr.splitlines()[0]
    assert done.stderr.removeprefix("error: model.yaml:")[0].isdigit()
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr and "\u202e" not in done.stderr
    assert files(tmp_path) == before


@pytest.mark.parametrize("raw", [b"\xff\xfev\x00e\x00r\x00", b"version: 1\nname: caf\xe9\n", b"\x80" * 100])
def test_wrong_encodings_are_refused(raw: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.yaml").write_bytes(raw)
    done = generator("generate", cwd=tmp_path)
    assert (done.returncode, "is not UTF-8" in done.stderr) == (1, True)


def test_generate_check_diff_and_dry_run_write_nothing(tmp_path: Path) -> None:
    write(tmp_path, model_yaml("pipeline: {install: .}\n"))
    before = files(tmp_path)
    for flag, code in (("--check", 1), ("--dry-run", 0), ("--diff", 0)):
        done = generator("generate", flag, cwd=tmp_path)
        assert done.returncode == code, done.stderr
        assert "create: .github/workflows/release.yml" in done.stdout
    assert "+++ b/.github/workflows/release.yml" in done.stdout
    assert files(tmp_path) == before


def test_generate_twice_then_check(tmp_path: Path) -> None:
    write(tmp_path, model_yaml("pipeline: {install: .}\n"))
    assert generator("generate", cwd=tmp_path).returncode == 0
    assert generator("generate", cwd=tmp_path).stdout == "up to date\n"
    assert generator("generate", "--check", cwd=tmp_path).returncode == 0
    workflow = tmp_path / ".github/workflows/release.yml"
    workflow.write_text(workflow.read_text() + "# mine\n")
    done = generator("generate", "--check", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "hand-edited: .github/workflows/release.yml\n")
    done = generator("generate", cwd=tmp_path)
    assert "-# mine" in done.stdout, "what is replaced is shown"


def test_an_edited_orphan_is_deleted_or_taken_over(tmp_path: Path) -> None:
    write(tmp_path, model_yaml("serve: {monitoring: true}\npipeline: {install: .}\n"))
    generator("generate", cwd=tmp_path)
    orphan = tmp_path / "k8s/components/monitoring/service-monitor.yaml"
    orphan.write_text("mine\n")
    write(tmp_path, model_yaml("pipeline: {install: .}\n"))
    done = generator("generate", cwd=tmp_path)
    assert "delete it, or keep it as yours and delete its line in .tagship.lock" in done.stderr
    assert orphan.read_text() == "mine\n"
    lock = tmp_path / ".tagship.lock"
    lock.write_text("".join(line for line in lock.open() if "service-monitor" not in line))
    assert generator("generate", "--check", cwd=tmp_path).returncode == 0


def test_generate_says_where_workflows_get_the_command(tmp_path: Path) -> None:
    write(tmp_path)
    done = generator("generate", cwd=tmp_path)
    assert done.returncode == 1
    assert "model.yaml: pipeline.install is missing" in done.stderr


def test_status_shows_each_ledger(tmp_path: Path) -> None:
    write_many(tmp_path, {"a": "pipeline: {install: .}\n", "b": "pipeline: {install: .}\n"})
    generator("generate", cwd=tmp_path)
    table = generator("status", cwd=tmp_path).stdout
    assert [line.split()[:3] for line in table.splitlines() if "never" in line] == [
        ["a", "production", "never"],
        ["b", "production", "never"],
    ]
    rows = json.loads(generator("status", "--json", "--model", "b", cwd=tmp_path).stdout)
    assert rows == [{"model": "b", "environment": "production", "current": None, "rejected": []}]


def test_an_environment_that_is_gone_leaves_its_overlay_to_a_person(tmp_path: Path) -> None:
    write(tmp_path, model_yaml("pipeline: {install: .}\n"))
    assert generator("generate", cwd=tmp_path).returncode == 0
    (tmp_path / "model.yaml").write_text(
        model_yaml("pipeline: {install: .}\ndeploy: {environments: {staging: }}\n")
    )
    before = files(tmp_path)
    for command in ("generate", "validate"):
        done = generator(command, cwd=tmp_path)
        assert done.returncode == 1
        assert "k8s/overlays/production/release.yaml: belongs to no environment of any model.yaml" in done.stderr
    assert files(tmp_path) == before


def test_a_renamed_model_says_what_to_do(tmp_path: Path) -> None:
    write(tmp_path, model_yaml("pipeline: {install: .}\n"))
    assert generator("generate", cwd=tmp_path).returncode == 0
    (tmp_path / "model.yaml").write_text(model_yaml("pipeline: {install: .}\n", name="other"))
    done = generator("generate", cwd=tmp_path)
    assert "remove the old overlay (git rm -r k8s/overlays/production)" in done.stderr


def test_a_bug_says_that_it_is_one(tmp_path: Path) -> None:
    code = "import sys; sys.argv = ['generator', 'status']\nimport generator.config.workspace as m; del m.load\n"
    code += "from generator.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 3
    assert "Traceback" in done.stderr
    assert "This is a bug in tagship" in done.stderr


def test_what_the_machine_refuses_is_no_bug(tmp_path: Path) -> None:
    code = "import sys, errno; sys.argv = ['generator', 'status']\nimport generator.config.workspace as m\n"
    code += "def load(root): raise OSError(errno.ENOSPC, 'No space left on device', '/somewhere/file')\n"
    code += "m.load = load\nfrom generator.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr) == (1, "error: /somewhere/file: No space left on device\n")


def test_nothing_committed_yet(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    done = generator("rehearse", cwd=tmp_path)
    assert (done.returncode, "no commit here yet: run `git add --all`" in done.stderr) == (1, True)


def test_a_folder_called_model_yaml(tmp_path: Path) -> None:
    (tmp_path / "model.yaml").mkdir()
    done = generator("validate", cwd=tmp_path)
    assert (done.returncode, "model.yaml is no file" in done.stderr) == (1, True)


def test_a_busy_port_is_seen_before_anything_is_built(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = str(busy.getsockname()[1])
        done = generator("serve", str(tmp_path), "--port", port, cwd=tmp_path)
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port} (Address already in use): name another with --port" in done.stderr
    assert files(tmp_path) == set()


class TestRelease:
    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        root = tmp_path / "repo"
        root.mkdir()
        more = "pipeline: {install: .}\n"
        text = model_yaml(more).replace("{script: train.py}", "{script: train.py, requirements: [mlflow]}")
        workspace = write(root, text)
        lock = generator("lock", cwd=root)
        if lock.returncode:
            pytest.skip(f"no package index to lock from: {lock.stderr}")
        publish(workspace, tmp_path / "origin.git")
        return root

    def test_the_next_tag_is_made_and_pushed(self, root: Path) -> None:
        assert generator("release", "--dry-run", cwd=root).stdout.startswith("would push v0.1.0 at ")
        done = generator("release", cwd=root)
        assert done.stdout.startswith("pushed v0.1.0 at "), done.stderr
        assert git(root.parent / "origin.git", "tag") == "v0.1.0"
        assert generator("release", "--bump", "minor", "--dry-run", cwd=root).stdout.startswith(
            "would push v0.2.0"
        )
        older = generator("release", "--version", "0.0.9", cwd=root)
        assert (older.returncode, "is older than 0.1.0, which is tagged" in older.stderr) == (1, True)
        again = generator("release", "--version", "0.1.0", cwd=root)
        assert (again.returncode, "exists already; tags are never moved" in again.stderr) == (1, True)

    def test_a_model_named_twice_is_released_once(self, root: Path) -> None:
        done = generator("release", "churn", "churn", "--dry-run", cwd=root)
        assert done.stdout.count("would push v0.1.0") == 1, done.stderr

    def test_an_origin_without_the_branch_and_none_at_all(self, root: Path) -> None:
        git(root.parent / "origin.git", "branch", "--move", "main", "other")
        done = generator("release", cwd=root)
        assert done.stderr == "error: origin has no branch main: run `git push --set-upstream origin main`\n"
        git(root, "remote", "set-url", "origin", str(root.parent / "gone.git"))
        done = generator("release", cwd=root)
        assert done.stderr.startswith("error: main cannot be fetched from origin:\n")
        git(root, "remote", "remove", "origin")
        done = generator("release", cwd=root)
        assert "there is no remote named origin: run `git remote add origin ADDRESS`" in done.stderr

    def test_what_somebody_else_released_counts(self, root: Path) -> None:
        origin = root.parent / "origin.git"
        git(origin, "tag", "v0.4.0", "main")
        assert generator("release", "--dry-run", cwd=root).stdout.startswith("would push v0.4.1 at ")

    def test_a_refused_push_leaves_no_tag(self, root: Path) -> None:
        hook = root.parent / "origin.git/hooks/update"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text("#!/bin/sh\necho tags are protected >&2\nexit 1\n")
        hook.chmod(0o755)
        done = generator("release", cwd=root)
        assert done.returncode == 1
        assert "the push of v0.1.0 was refused" in done.stderr
        assert "tags are protected" in done.stderr
        assert git(root, "tag") == ""

    def test_what_stands_in_the_way_is_said(self, root: Path) -> None:
        def refusal() -> str:
            done = generator("release", cwd=root)
            assert done.returncode == 1
            return done.stderr

        (root / "notes.txt").write_text("x")
        assert "the working tree is not clean" in refusal()
        commit_all(root, "Notes")
        assert "differs from origin's" in refusal()
        git(root, "push", "--quiet", "origin", "main")
        git(root, "switch", "--quiet", "--create", "side")
        assert "releases are tagged on main" in refusal()
        git(root, "switch", "--quiet", "main")
        (root / ".github/workflows/release.yml").write_text("mine")
        assert "generated files are stale" in refusal()
        (root / "requirements.lock").unlink()
        assert "generator lock" in refusal()
        assert git(root.parent / "origin.git", "tag") == ""
