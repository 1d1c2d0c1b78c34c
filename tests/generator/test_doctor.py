"""`generator doctor` on this machine and this repository: each set-up is really broken, found, and its fix named."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from generator.doctor.finding import Fix, Severity
from generator.doctor.machine import space
from tests import parts
from tests.generator.doctor_parts import LOCKED, URL, Setup, copy, make
from tests.generator.repositories import git

ERROR, WARNING = Severity.ERROR, Severity.WARNING


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Setup:
    return make(tmp_path_factory.mktemp("healthy") / "churn")


@pytest.fixture
def setup(original: Setup, tmp_path: Path) -> Setup:
    return copy(original, tmp_path / "churn")


@dataclass(frozen=True)
class Case:
    """One broken set-up: how it breaks, and the words of what must be found."""

    area: str
    how: Callable[[Setup, pytest.MonkeyPatch], object]
    severity: Severity
    what: str
    fix: str


def only_git(setup: Setup, patch: pytest.MonkeyPatch) -> None:
    """A PATH with Git and nothing else."""
    folder = setup.root.with_name("bin")
    folder.mkdir()
    (folder / "git").symlink_to(str(shutil.which("git")))
    patch.setenv("PATH", str(folder))


def no_programs(setup: Setup, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("PATH", str(setup.root))


def old_git(setup: Setup, patch: pytest.MonkeyPatch) -> None:
    only_git(setup, patch)
    program = setup.root.with_name("bin") / "git"
    program.unlink()
    program.write_text("#!/bin/sh\necho git version 2.20.1\n")
    program.chmod(0o755)


def nobody(setup: Setup, patch: pytest.MonkeyPatch) -> None:
    (setup.root.with_name("gitconfig")).write_text("")
    patch.setenv("GIT_CONFIG_GLOBAL", str(setup.root.with_name("gitconfig")))


def no_engine(setup: Setup, patch: pytest.MonkeyPatch) -> None:
    parts.need_program("docker", "install Docker")
    patch.setenv("DOCKER_HOST", f"unix://{setup.root}/no.sock")


def no_python(setup: Setup, patch: pytest.MonkeyPatch) -> None:
    only_git(setup, patch)
    patch.setenv("UV_PYTHON_INSTALL_DIR", str(setup.root / "pythons"))
    setup.rewrite("script: train.py", "script: train.py, python: '3.10'")


def no_commit(setup: Setup, _patch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(setup.root / ".git")
    setup.git("init", "--quiet")


def tagged(name: str, *, pushed: bool = True, beside: bool = False) -> Callable[[Setup, pytest.MonkeyPatch], None]:
    def how(setup: Setup, _patch: pytest.MonkeyPatch) -> None:
        if beside:
            setup.git("switch", "--quiet", "--create", "experiment")
            (setup.root / "notes.txt").write_text("new\n")
            setup.commit()
        setup.git("tag", name)
        if pushed:
            setup.push(name)
        setup.git("switch", "--quiet", "main")

    return how


def tag_moved(setup: Setup, patch: pytest.MonkeyPatch) -> None:
    tagged("v1.0.0")(setup, patch)
    ahead(setup, patch)
    setup.git("tag", "--force", "v1.0.0")


def ahead(setup: Setup, _patch: pytest.MonkeyPatch) -> None:
    (setup.root / "notes.txt").write_text("new\n")
    setup.commit()


def behind(setup: Setup, patch: pytest.MonkeyPatch) -> None:
    ahead(setup, patch)
    setup.push()
    setup.git("reset", "--quiet", "--hard", "HEAD~1")


def parted(setup: Setup, patch: pytest.MonkeyPatch) -> None:
    behind(setup, patch)
    (setup.root / "other.txt").write_text("new\n")
    setup.commit()


def shallow(setup: Setup, patch: pytest.MonkeyPatch) -> None:
    ahead(setup, patch)
    setup.push()
    shutil.rmtree(setup.root)
    git(setup.bare, "clone", "--quiet", "--depth=1", f"file://{setup.bare}", str(setup.root))
    setup.git("remote", "set-url", "origin", URL)
    setup.git("config", f"url.{setup.bare}.insteadOf", URL)


def login(setup: Setup, _patch: pytest.MonkeyPatch) -> None:
    with_login = URL.replace("https://", "https://ada:hunter2@")
    setup.git("remote", "set-url", "origin", with_login)
    setup.git("config", "--add", f"url.{setup.bare}.insteadOf", with_login)


def deeper(setup: Setup, _patch: pytest.MonkeyPatch) -> None:
    (setup.root / "models").mkdir()
    for path in [*setup.root.iterdir()]:
        if path.name not in (".git", "models"):
            path.rename(setup.root / "models" / path.name)
    setup.root = setup.root / "models"


def tracked_secret(setup: Setup, _patch: pytest.MonkeyPatch) -> None:
    (setup.root / ".env").write_text("PASSWORD=hunter2\n")
    setup.commit()


def written(path: str, text: str) -> Callable[[Setup, pytest.MonkeyPatch], object]:
    return lambda setup, _: (setup.root / path).write_text(text)


def removed(path: str) -> Callable[[Setup, pytest.MonkeyPatch], object]:
    return lambda setup, _: (setup.root / path).unlink()


def rewritten(old: str, new: str, path: str = "model.yaml") -> Callable[[Setup, pytest.MonkeyPatch], object]:
    return lambda setup, _: setup.rewrite(old, new, path)


def ran(*argv: str) -> Callable[[Setup, pytest.MonkeyPatch], object]:
    return lambda setup, _: setup.git(*argv)


def foreign(setup: Setup, _patch: pytest.MonkeyPatch) -> None:
    lock = setup.root / ".tagship.lock"
    lock.write_text("".join(x for x in lock.read_text().splitlines(True) if "workflows/release.yml" not in x))
    (setup.root / ".github/workflows/release.yml").write_text("on: push\n")


def orphan(setup: Setup, patch: pytest.MonkeyPatch) -> None:
    setup.rewrite("{staging: {}, production: {approval: true}}", "{staging: {namespace: churn-staging}}")
    shutil.rmtree(setup.root / "k8s/overlays/production")


WORKFLOW = ".github/workflows/release.yml"
STAGING = "k8s/overlays/staging"
BROKEN = {
    "no git": Case("machine", no_programs, ERROR, "git is not installed", "install Git"),
    "old git": Case("machine", old_git, ERROR, "Git 2.20 is too old", "install Git 2.28"),
    "nobody commits": Case(
        "machine", nobody, ERROR, "does not know whose commits", "git config --global user.email"
    ),
    "no docker": Case("machine", only_git, WARNING, "docker is not installed", "install Docker"),
    "no skopeo": Case("machine", only_git, WARNING, "skopeo is not installed", "apt-get install skopeo"),
    "no engine": Case("machine", no_engine, WARNING, "does not answer", "unset DOCKER_HOST"),
    "no kustomize": Case("machine", only_git, WARNING, "neither kustomize nor kubectl", "install one"),
    "no python": Case("machine", no_python, WARNING, "Python 3.10", "uv python install 3.10"),
    "no repository": Case(
        "repository", lambda s, _: shutil.rmtree(s.root / ".git"), ERROR, "in no Git repository", "git init"
    ),
    "no commit": Case("repository", no_commit, ERROR, "no commit yet", "git commit"),
    "not the root": Case("repository", deeper, ERROR, "not the repository's root", "tagship.yaml"),
    "no origin": Case(
        "repository", ran("remote", "remove", "origin"), ERROR, "no remote `origin`", "git remote add"
    ),
    "origin is gone": Case(
        "repository", lambda s, _: shutil.rmtree(s.bare), ERROR, "origin does not answer", "git remote -v"
    ),
    "another origin": Case(
        "repository",
        rewritten("acme/churn", "acme/other"),
        WARNING,
        f"origin is {URL}",
        "git remote set-url origin",
    ),
    "no branch": Case(
        "repository", rewritten("url: https", "branch: trunk, url: https"), ERROR, "no branch trunk", "git push"
    ),
    "behind": Case("repository", behind, WARNING, "main is behind origin", "git pull"),
    "ahead": Case("repository", ahead, WARNING, "commits that origin lacks", "git push origin main"),
    "parted": Case("repository", parted, WARNING, "gone different ways", "git pull --rebase"),
    "no version": Case("repository", tagged("v1.0.x"), WARNING, "v1.0.x is no version", "git tag --delete v1.0.x"),
    "tag only here": Case(
        "repository", tagged("v1.0.0", pushed=False), WARNING, "only here", "git push origin v1.0.0"
    ),
    "tag beside": Case(
        "repository",
        tagged("v1.0.0", beside=True),
        WARNING,
        "the release branch does not have",
        "generator release",
    ),
    "tag moved": Case(
        "repository", tag_moved, ERROR, "another commit here than at origin", "git fetch origin tag"
    ),
    "shallow": Case("repository", shallow, WARNING, "clone is shallow", "git fetch --unshallow"),
    "password in origin": Case("repository", login, WARNING, "password or token", "credential helper"),
    "not ignored": Case("repository", removed(".gitignore"), WARNING, ".tagship/", "--fix"),
    "secret committed": Case("repository", tracked_secret, WARNING, "looks like a secret", "git rm --cached .env"),
    "uncommitted": Case("repository", written(WORKFLOW, "on: push\n"), WARNING, "not committed", "git commit"),
    "no model.yaml": Case("model.yaml", removed("model.yaml"), ERROR, "no model.yaml here", "generator init"),
    "unknown key": Case(
        "model.yaml",
        rewritten("name: churn", "name: churn\nnmae: 1"),
        ERROR,
        "did you mean 'name'?",
        "correct it there",
    ),
    "no script": Case(
        "model.yaml", removed("train.py"), ERROR, "train.py is not in this folder", "add it, or name another"
    ),
    "broken script": Case(
        "model.yaml", written("train.py", "def (:\n"), ERROR, "is not valid Python", "correct it there"
    ),
    "no lock": Case("model.yaml", removed("requirements.lock"), ERROR, "is missing", "generator lock"),
    "stale lock": Case(
        "model.yaml", written("requirements.txt", "mlflow\npandas\n"), ERROR, "is stale", "generator lock"
    ),
    "somebody else's lock": Case(
        "model.yaml", written("requirements.lock", LOCKED), ERROR, "not written by", "generator lock"
    ),
    "digest changed": Case(
        "model.yaml",
        lambda s, _: s.rewrite("sha256:" + "0" * 64, "sha256:" + "1" * 64, f"{STAGING}/kustomization.yaml"),
        ERROR,
        "is not the ledger's",
        "generator stage deploy",
    ),
    "kustomization gone": Case(
        "model.yaml", removed(f"{STAGING}/kustomization.yaml"), ERROR, "missing beside its ledger", "restore it"
    ),
    "environment gone": Case(
        "model.yaml",
        rewritten(", production: {approval: true}", ""),
        ERROR,
        "belongs to no environment",
        "git rm -r",
    ),
    "no install": Case(
        "model.yaml", rewritten("pipeline: {install: '", "# "), ERROR, "pipeline.install is missing", "git+https"
    ),
    "stale": Case(
        "generated files",
        rewritten("train.py}", "train.py, timeout: 900}"),
        ERROR,
        "is stale",
        "generator generate",
    ),
    "edited by hand": Case(
        "generated files",
        written(WORKFLOW, "on: push\n"),
        ERROR,
        "was edited by hand",
        "generator generate --diff",
    ),
    "file missing": Case("generated files", removed(WORKFLOW), ERROR, "is missing", "generator generate"),
    "not ours": Case("generated files", foreign, ERROR, "never written by", "move it away"),
    "no longer wanted": Case("generated files", orphan, ERROR, "no longer wanted", "generator generate"),
}


@pytest.mark.parametrize("case", BROKEN.values(), ids=BROKEN)
def test_a_broken_set_up_is_found_and_its_fix_named(
    case: Case, setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {(item.what, item.severity) for item in setup.findings(case.area)}
    case.how(setup, monkeypatch)
    found = setup.findings(case.area)
    new = [item for item in found if (item.what, item.severity) not in before]
    hit = [
        item for item in new if item.severity is case.severity and case.what in item.what and case.fix in item.fix
    ]
    assert hit, found
    assert all(item.area == case.area and item.what and item.where and item.fix for item in hit)
    assert "hunter2" not in repr(found)


def test_a_password_in_an_address_is_never_shown(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    login(setup, monkeypatch)
    shutil.rmtree(setup.bare)
    for offline in (False, True):
        found = setup.findings("repository", offline=offline)
        assert any(item.where == URL.replace("https://", "https://***@") for item in found), found
        assert "hunter2" not in repr(found)


def test_a_tag_that_was_not_fetched_is_a_note(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    tagged("v1.0.0", beside=True)(setup, monkeypatch)
    setup.git("tag", "--delete", "v1.0.0")
    setup.git("branch", "--delete", "--force", "experiment")
    setup.git("reflog", "expire", "--expire=now", "--all")
    setup.git("gc", "--quiet", "--prune=now")
    (note,) = setup.findings("repository")
    assert note.severity is Severity.NOTE
    assert "v1.0.0" in note.what
    assert note.fix == "run `git fetch --tags`"


def test_a_healthy_repository_has_nothing(setup: Setup) -> None:
    assert setup.findings("repository", "model.yaml", "generated files") == []


def test_looking_changes_nothing(setup: Setup) -> None:
    (setup.root / "requirements.txt").write_text("mlflow\npandas\n")
    (setup.root / WORKFLOW).unlink()
    (setup.root / ".gitignore").unlink()
    before = setup.files()
    assert setup.findings("machine", "repository", "model.yaml", "generated files", "AWS", offline=True)
    assert setup.files() == before


def test_too_little_space_is_found(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    assert list(space(tmp_path, 0)) == []
    assert any("a rehearsal may need" in item.what and "TMPDIR" in item.fix for item in space(tmp_path, 2 * free))


def test_what_fix_can_mend_is_marked(setup: Setup) -> None:
    (setup.root / "requirements.txt").write_text("mlflow\npandas\n")
    (setup.root / WORKFLOW).unlink()
    (setup.root / ".gitignore").unlink()
    marked = {item.fixable for item in setup.findings("repository", "model.yaml", "generated files")}
    assert marked >= {Fix.LOCK, Fix.GENERATE, Fix.IGNORE}
