"""Pushing with a deploy key, to a real SSH server: what it lets through, and what is left of the key."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from generator.adapters.deploy_key import GITHUB_HOSTS, DeployKey, deploy_key
from generator.adapters.git import GitRepository
from generator.adapters.shell import clean_environment
from generator.errors import GeneratorError
from tests.generator import sshd
from tests.generator.repositories import commit_all, git
from tests.generator.test_cli import generator
from tests.generator.test_rollback import History

PEM = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[sshd.Sshd]:
    with sshd.running(tmp_path / "sshd") as running:
        yield running


@pytest.fixture
def clone(tmp_path: Path) -> GitRepository:
    """A clone of a bare repository, with one commit that is not pushed yet."""
    bare = tmp_path / "origin.git"
    git(tmp_path, "init", "--quiet", "--bare", str(bare))
    git(tmp_path, "clone", "--quiet", str(bare), "clone")
    root = tmp_path / "clone"
    (root / "file").write_text("")
    commit_all(root, "Begin")
    return GitRepository(root)


def with_key(clone: GitRepository, server: sshd.Sshd, **other: str) -> GitRepository:
    given = {"text": server.key, "hosts": server.known_hosts, "address": server.address(bare_of(clone))}
    return GitRepository(clone.root, key=DeployKey(**(given | other)))


def bare_of(clone: GitRepository) -> Path:
    return clone.root.with_name("origin.git")


def test_each_kind_of_push_goes_by_the_key(clone: GitRepository, server: sshd.Sshd) -> None:
    repository, commit = with_key(clone, server), clone.commit_of("HEAD")
    assert repository.push(commit, "main")
    repository.replace_branch(commit, "tagship/churn/production")
    repository.tag("v1.0.0", commit, "Release")
    repository.push_tag("v1.0.0")
    refs = git(bare_of(clone), "for-each-ref", "--format=%(refname)").split()
    assert refs == ["refs/heads/main", "refs/heads/tagship/churn/production", "refs/tags/v1.0.0"]
    assert repository.delete_branch("tagship/churn/production")
    assert not repository.delete_branch("tagship/churn/production")
    assert server.asked == [f"git-receive-pack '{bare_of(clone)}'"] * 4, "and nothing was read by it"


def test_a_branch_that_moved_is_no_error(clone: GitRepository, server: sshd.Sshd, tmp_path: Path) -> None:
    repository = with_key(clone, server)
    repository.push(clone.commit_of("HEAD"), "main")
    git(tmp_path, "clone", "--quiet", "--branch", "main", str(bare_of(clone)), "other")
    (tmp_path / "other/theirs").write_text("")
    theirs = commit_all(tmp_path / "other", "Theirs")
    git(tmp_path / "other", "push", "--quiet", "origin", "main")
    (clone.root / "mine").write_text("")
    assert not repository.push(repository.commit(["mine"], "Mine"), "main")
    assert git(bare_of(clone), "rev-parse", "main") == theirs


def test_a_key_that_the_server_does_not_know(clone: GitRepository, server: sshd.Sshd, tmp_path: Path) -> None:
    sshd.new_key(tmp_path / "stranger")
    repository = with_key(clone, server, text=(tmp_path / "stranger").read_text())
    with pytest.raises(GeneratorError, match="must be a deploy key of the repository, with write access"):
        repository.push(clone.commit_of("HEAD"), "main")
    assert server.asked == []


def test_a_server_that_is_not_known_gets_nothing(clone: GitRepository, server: sshd.Sshd, tmp_path: Path) -> None:
    kind, public, *_ = sshd.new_key(tmp_path / "another").split()
    for hosts in (GITHUB_HOSTS, f"[127.0.0.1]:{server.port} {kind} {public}\n"):
        with pytest.raises(GeneratorError, match=r"is not among those that are known: set the variable TAGSHIP_K"):
            with_key(clone, server, hosts=hosts).push(clone.commit_of("HEAD"), "main")
    assert server.asked == []


def test_settings_of_the_machines_user_change_nothing(
    clone: GitRepository, server: sshd.Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another way to call SSH, and an agent that has other keys."""
    monkeypatch.setenv("GIT_SSH_COMMAND", "false")
    monkeypatch.setenv("GIT_SSH_VARIANT", "simple")
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "no-agent"))
    git(clone.root, "config", "core.sshCommand", "false")
    assert with_key(clone, server).push(clone.commit_of("HEAD"), "main")


def test_the_key_is_nobody_elses_and_gone_afterwards(
    clone: GitRepository, server: sshd.Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked at by a hook of the server, while the push is under way."""
    work = tmp_path / "a folder's name"
    work.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(work))
    hook = bare_of(clone) / "hooks/pre-receive"
    hook.write_text(
        f'#!/bin/sh\ncd "{work}"/tagship-key-*\n'
        f"stat -c '%a %n' . * > {tmp_path}/seen\n"
        f"cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' > {tmp_path}/commands\n"
    )
    hook.chmod(0o755)
    assert with_key(clone, server).push(clone.commit_of("HEAD"), "main")
    assert (tmp_path / "seen").read_text().split() == ["700", ".", "600", "key", "644", "known_hosts"]
    commands = (tmp_path / "commands").read_text()
    assert "StrictHostKeyChecking=yes" in commands
    assert server.key.splitlines()[1] not in commands
    assert list(work.iterdir()) == []


# what a job gives


def job(server: sshd.Sshd, scene: History, **other: str) -> dict[str, str]:
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_ACTOR": "ada",
        "TMPDIR": str(scene.folder / "tmp"),
        "TAGSHIP_DEPLOY_KEY": server.key,
        "TAGSHIP_KNOWN_HOSTS": server.known_hosts,
        "TAGSHIP_PUSH_TO": server.address(scene.bare),
        **other,
    }


@pytest.fixture
def scene(tmp_path: Path) -> History:
    (tmp_path / "tmp").mkdir()
    return History(tmp_path)


def back(scene: History, **env: str) -> subprocess.CompletedProcess[str]:
    return generator("rollback", "production", "--reason", "answers nonsense", cwd=scene.root, **env)


def test_a_rollback_is_pushed_by_the_key(scene: History, server: sshd.Sshd) -> None:
    done = back(scene, **job(server, scene))
    assert done.returncode == 0, done.stderr
    assert scene.log()[0] == "Roll churn back from 1.2.0 to 1.1.0 in production"
    assert server.asked == [f"git-receive-pack '{scene.bare}'"]
    assert list((scene.folder / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        ("", "the secret TAGSHIP_DEPLOY_KEY is not set"),
        ("ssh-ed25519 AAAAC3Nz ada", "the secret TAGSHIP_DEPLOY_KEY holds no private SSH key"),
        (PEM.replace("\n", " "), "the secret TAGSHIP_DEPLOY_KEY holds no private SSH key"),
        (PEM, "the server does not take the key in the secret TAGSHIP_DEPLOY_KEY"),
    ],
)
def test_a_secret_that_is_no_key_is_not_shown(scene: History, server: sshd.Sshd, secret: str, said: str) -> None:
    before = git(scene.bare, "rev-parse", "main")
    done = back(scene, **job(server, scene, TAGSHIP_DEPLOY_KEY=secret))
    assert done.returncode == 1
    assert said in " ".join(done.stderr.split())
    assert not {"AAAAC3Nz", "b3BlbnNzaC1rZXk"} & set((done.stdout + done.stderr).split())
    assert git(scene.bare, "rev-parse", "main") == before


def test_a_key_that_lost_its_last_line_end(server: sshd.Sshd, clone: GitRepository) -> None:
    """A secret is often pasted without it, or with those of Windows."""
    found = deploy_key({"TAGSHIP_DEPLOY_KEY": server.key.strip().replace("\n", "\r\n")})
    assert found
    assert with_key(clone, server, text=found.text).push(clone.commit_of("HEAD"), "main")


def test_ended_in_the_middle_of_a_push(scene: History, server: sshd.Sshd) -> None:
    """A cancelled run gets SIGTERM; the key does not stay on the runner."""
    hook = scene.bare / "hooks/pre-receive"
    hook.write_text(f"#!/bin/sh\ntouch {scene.folder}/pushing\nsleep 20\nexit 1\n")
    hook.chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, "-m", "generator", "rollback", "production", "--reason", "bad"],
        cwd=scene.root,
        env={**os.environ, **job(server, scene)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    deadline = time.monotonic() + 60
    while not (scene.folder / "pushing").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    keys = list((scene.folder / "tmp").glob("tagship-key-*/key"))
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=30)
    assert len(keys) == 1, "there was something to remove"
    assert process.returncode == 130, said
    assert list((scene.folder / "tmp").iterdir()) == []


def test_no_program_that_is_started_gets_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGSHIP_DEPLOY_KEY", PEM)
    monkeypatch.setenv("TAGSHIP_KNOWN_HOSTS", "here")
    assert {"TAGSHIP_DEPLOY_KEY", "TAGSHIP_KNOWN_HOSTS"} & set(clean_environment()) == {"TAGSHIP_KNOWN_HOSTS"}
    assert PEM not in repr(deploy_key(os.environ))


# where to


@pytest.mark.parametrize(
    ("origin", "address", "expected"),
    [
        ("https://github.com/acme/churn", None, "ssh://git@github.com/acme/churn.git"),
        (
            "https://x-access-token:t@ghe.example.com/acme/churn.git",
            None,
            "ssh://git@ghe.example.com/acme/churn.git",
        ),
        ("ssh://git@github.com/acme/churn", None, "ssh://git@github.com/acme/churn"),
        (
            "https://github.com/acme/churn",
            "ssh://git@ssh.github.com:443/acme/churn.git",
            "ssh://git@ssh.github.com:443/acme/churn.git",
        ),
    ],
)
def test_where_it_pushes(origin: str, address: str | None, expected: str) -> None:
    assert DeployKey(PEM, address=address).pushes_to(origin) == expected


@pytest.mark.parametrize("origin", ["/srv/churn.git", "http://github.com/acme/churn", ""])
def test_where_no_ssh_is(origin: str) -> None:
    with pytest.raises(GeneratorError, match=r"set `repository\.url` in model\.yaml"):
        DeployKey(PEM).pushes_to(origin)


def test_github_has_the_host_keys_that_it_publishes(tmp_path: Path) -> None:
    """The fingerprints on docs.github.com, "GitHub's SSH key fingerprints"."""
    (tmp_path / "hosts").write_text(GITHUB_HOSTS)
    lines = subprocess.check_output(["ssh-keygen", "-l", "-f", str(tmp_path / "hosts")], text=True).splitlines()
    assert {line.split()[-1]: line.split()[1] for line in lines} == {
        "(RSA)": "SHA256:uNiVztksCsDhcc0u9e8BujQXVUpKZIDTMczCvj3tD2s",
        "(ECDSA)": "SHA256:p2QAMXNIC1TJYWeIOttrVc98/R1BUFWu3/LiyKgUfQM",
        "(ED25519)": "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU",
    }
    assert {line.split()[2] for line in lines} == {"github.com,[ssh.github.com]:443"}
