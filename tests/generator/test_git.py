"""Git as a runner, a hook or a person of another language has it set up."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from generator.adapters.git import GitRepository
from generator.errors import GeneratorError
from tests.generator import git_http
from tests.generator.repositories import commit_all, git


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    folder = tmp_path / "origin"
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / "file").write_text("")
    commit_all(folder, "Begin")
    return folder


def committed(repository: GitRepository) -> tuple[str, str]:
    """Who is the author and who the committer of a new commit."""
    (repository.root / "new").write_text("")
    repository.commit(["new"], "New")
    author, committer = git(repository.root, "log", "-1", "--format=%an <%ae>%n%cn <%ce>").splitlines()
    return author, committer


def test_identity_and_settings_of_the_caller_count(
    origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_COMMITTER_NAME", "Bob")
    monkeypatch.setenv("GIT_COMMITTER_EMAIL", "bob@example.com")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "url.file://" + str(origin) + ".insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://git.example.invalid/origin")
    GitRepository(tmp_path / "clone").clone("https://git.example.invalid/origin", branch="main")
    assert committed(GitRepository(origin)) == ("Ada <ada@example.com>", "Bob <bob@example.com>")


def test_a_given_author_goes_before_everything(origin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Bob")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "bob@example.com")
    repository = GitRepository(origin, author=("Bot", "bot@example.com"))
    assert committed(repository) == ("Bot <bot@example.com>", "Bot <bot@example.com>")


def test_another_repository_of_the_caller_is_not_touched(
    origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a hook, where Git has set them."""
    head = git(origin, "rev-parse", "HEAD")
    for name in ("GIT_DIR", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_INDEX_FILE", "GIT_WORK_TREE"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_NAMESPACE", "other")
    assert GitRepository(origin).commit_of("HEAD") == head
    GitRepository(tmp_path / "clone").clone(str(origin), branch="main")
    assert GitRepository(tmp_path / "clone").origin() == str(origin)


def test_a_clones_remote_is_called_origin(origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gitconfig").write_text("[clone]\ndefaultRemoteName = upstream\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    clone = GitRepository(tmp_path / "clone")
    clone.clone(str(origin), branch="main")
    assert clone.origin() == str(origin)


def test_git_speaks_english_and_asks_nobody(origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    asked = f'echo "$LC_ALL $LANGUAGE $GIT_TERMINAL_PROMPT" >> {tmp_path}/asked'
    program.write_text(f'#!/bin/sh\n{asked}\nexec {shutil.which("git")} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("LANGUAGE", "de:fr")
    GitRepository(tmp_path / "clone").clone(str(origin), branch="main")
    GitRepository(tmp_path / "bare").init_bare("main")
    assert set((tmp_path / "asked").read_text().splitlines()) == {"C C 0"}


def test_a_runners_token_opens_its_server_and_stands_nowhere(
    origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = tmp_path / "served"
    git(tmp_path, "clone", "--quiet", "--bare", str(origin), str(served / "acme/churn.git"))
    git(served / "acme/churn.git", "config", "http.receivepack", "true")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")  # a helper of the machine's is not asked
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "credential.helper")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", f"!touch {tmp_path}/asked; false")
    with git_http.served(served, "x-access-token", "ghs_of-this-job") as server:
        address = f"{server}/acme/churn.git"
        with pytest.raises(GeneratorError):
            GitRepository(tmp_path / "refused", token_for=server).clone(address, branch="main")
        monkeypatch.setenv("GH_TOKEN", "ghs_of-this-job")
        clone = GitRepository(tmp_path / "clone", token_for=server)
        clone.clone(address, branch="main")
        (clone.root / "new").write_text("")
        assert clone.push(clone.commit(["new"], "New"), "main")
    assert git(served / "acme/churn.git", "log", "-1", "--format=%s", "main") == "New"
    assert not (tmp_path / "asked").exists()
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and b"ghs_of-this-job" in path.read_bytes()]
    assert kept == []


def test_another_server_does_not_get_the_token(
    origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "clone", "--quiet", "--bare", str(origin), "served.git")
    monkeypatch.setenv("GH_TOKEN", "ghs_of-this-job")
    with git_http.served(tmp_path, "x-access-token", "ghs_of-this-job") as server:
        stranger = GitRepository(tmp_path / "clone", token_for="https://github.com")
        with pytest.raises(GeneratorError):
            stranger.clone(f"{server}/served.git", branch="main")
