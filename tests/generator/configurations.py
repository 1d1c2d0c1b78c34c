"""Code repositories that deploy into one configuration repository, all of them bare ones on this disk."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from generator.artifacts import PublishedImage, Record
from generator.config.workspace import load
from generator.ledger import Ledger, read_ledger
from generator.version import Version
from tests.generator.repositories import commit_all, git
from tests.generator.test_cli import generator
from tests.generator.workspaces import model_yaml, write

CONFIGURATION = "https://github.com/acme/deployments"
INSTALL = "git+https://github.com/acme/tagship@0123456789abcdef0123456789abcdef01234567"


def separate(name: str = "churn", more: str = "") -> str:
    """A model.yaml whose overlays are in the configuration repository."""
    return model_yaml(separate_keys(name) + more, name=name)


def separate_keys(repository: str) -> str:
    """What makes it so, in the model.yaml of a code repository."""
    return (
        f"repository: {{url: https://github.com/acme/{repository}}}\n"
        f"pipeline: {{install: '{INSTALL}'}}\n"
        f"deploy: {{engine: argocd, repository: {CONFIGURATION}, push: {{mode: app}},\n"
        f"  environments: {{staging: , production: {{via: commit}}}}}}\n"
    )


class Shared:
    """The configuration repository, and where Git finds what model.yaml calls by its https address."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bare, self.checkout = folder, folder / "deployments.git", folder / "deployments"
        git(folder, "init", "--quiet", "--bare", str(self.bare))
        self.checkout.mkdir()
        git(self.checkout, "init", "--quiet")
        git(self.checkout, "remote", "add", "origin", CONFIGURATION)

    def env(self, name: str) -> dict[str, str]:
        """Both addresses lead to this disk."""
        found = {CONFIGURATION: self.bare, f"https://github.com/acme/{name}": self.folder / f"{name}.git"}
        env = {"GIT_CONFIG_COUNT": str(len(found))}
        for number, (url, place) in enumerate(found.items()):
            env |= {
                f"GIT_CONFIG_KEY_{number}": f"url.file://{place}.insteadOf",
                f"GIT_CONFIG_VALUE_{number}": url,
            }
        return env

    def push(self, message: str) -> None:
        """Commits and pushes what was generated, as a person does."""
        commit_all(self.checkout, message)
        env = {**os.environ, **self.env("none")}
        subprocess.run(["git", "push", "--quiet", "origin", "HEAD:main"], cwd=self.checkout, env=env, check=True)

    def shown(self, path: str) -> str:
        return git(self.bare, "show", f"main:{path}")

    def ledger(self, environment: str, name: str = "churn") -> Ledger:
        path = f"{name}/k8s/overlays/{environment}/release.yaml"
        return read_ledger(self.shown(path), path)

    def log(self) -> list[str]:
        return git(self.bare, "log", "--format=%s", "main").splitlines()


class Code:
    """A code repository, generated into the shared one."""

    def __init__(self, shared: Shared, name: str = "churn", more: str = "") -> None:
        self.shared, self.name, self.root = shared, name, shared.folder / name
        self.bare = shared.folder / f"{name}.git"
        git(shared.folder, "init", "--quiet", "--bare", str(self.bare))
        self.root.mkdir()
        git(self.root, "init", "--quiet")
        git(self.root, "remote", "add", "origin", f"https://github.com/acme/{name}")
        write(self.root, separate(name, more))
        (self.root / ".gitignore").write_text(".tagship/\n")

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return generator(*argv, cwd=self.root, **self.shared.env(self.name))

    def done(self, *argv: str) -> str:
        """What a command that must end well said."""
        done = self.run(*argv)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout + done.stderr

    def begin(self) -> str:
        """Generated and pushed, both sides; what `generate` said."""
        said = self.done("generate", "--into", str(self.shared.checkout))
        commit_all(self.root, "Begin")
        self.push()
        self.shared.push(f"Add {self.name}")
        return said

    def push(self) -> None:
        """Pushes the release branch."""
        env = {**os.environ, **self.shared.env(self.name)}
        subprocess.run(["git", "push", "--quiet", "origin", "main"], cwd=self.root, env=env, check=True)

    def tag(self, version: str, digit: str = "a", *, accuracy: float = 0.9) -> str:
        """A tag of HEAD, published; the tag."""
        tag = load(self.root).model(self.name).tag(Version(version))
        git(self.root, "tag", tag)
        image = PublishedImage(
            name=self.name, version=version, commit=git(self.root, "rev-parse", "HEAD"),
            repository=f"123456789012.dkr.ecr.eu-north-1.amazonaws.com/{self.name}", tag=version,
            digest=f"sha256:{digit * 64}", pushed=True,
            record=Record(run_id="1" * 32, metrics={"accuracy": accuracy}),
        )  # fmt: skip
        store = self.root / ".tagship" / f"{self.name}-{version}"
        store.mkdir(parents=True)
        (store / "publish.json").write_text(json.dumps(image.model_dump(mode="json")))
        return tag

    def deploy(self, version: str, digit: str = "a", *, accuracy: float = 0.9) -> str:
        return self.done("stage", "deploy", "--release", self.tag(version, digit, accuracy=accuracy))
