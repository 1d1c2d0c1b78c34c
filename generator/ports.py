"""What stages ask of the outside world. Adapters answer it; tests answer it with small fakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from generator.artifacts import RuntimeName


class Reporter(Protocol):
    """Where progress goes. Lines may be long-lived output of the user's own script."""

    def say(self, line: str) -> None:
        """One line about what is being done."""

    def output(self, line: str) -> None:
        """One line that a program printed."""


@dataclass(frozen=True)
class Ended:
    """How a supervised process ended."""

    code: int | None  # None where a signal or the time limit ended it
    signal: str | None  # such as SIGKILL
    timed_out: bool
    survivors: tuple[str, ...]  # command lines of processes that it left behind, which were ended
    tail: tuple[str, ...]  # the last lines of its output, secrets masked
    seconds: float


class Supervisor(Protocol):
    """Runs a program that we do not trust to end."""

    def run(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        timeout: float,
        log: Path,
        secrets: Sequence[str],
        reporter: Reporter,
    ) -> Ended:
        """Runs `argv`, with exactly `env`, for at most `timeout` seconds; it and all it started are gone then.

        What it prints goes to `reporter` and `log` line by line, `secrets` masked.
        """


@dataclass(frozen=True)
class PackageIndex:
    """A private package index, asked before the default one."""

    name: str
    url: str
    secret: str | None = None  # what holds its login, for messages
    login: tuple[str, str] | None = field(default=None, repr=False)  # user, password; None: what uv finds itself


class Environments(Protocol):
    """Python environments, from locks with hashes."""

    def create(
        self,
        folder: Path,
        *,
        python: str,
        lock: Path,
        reporter: Reporter,
        indexes: Sequence[PackageIndex] = (),
        files: Path | None = None,
    ) -> Path:
        """A fresh environment in `folder` with exactly what `lock` names; returns its Python.

        `files` is a folder with packages that are here already.
        """

    def compile(
        self,
        requirements: str,
        *,
        python: str,
        platform: str | None = None,
        constraints: str | None = None,
        folder: Path,
        indexes: Sequence[PackageIndex] = (),
    ) -> str:
        """`requirements` (the text of a requirements file, read in `folder`) as a lock with hashes.

        Without `platform` (such as linux/amd64) the lock is universal. Raises Unresolvable with the
        resolver's reason where the requirements contradict each other or the constraints.
        """


class PackageFiles(Protocol):
    """Packages as files, for who installs without a login."""

    def fetch(
        self, lock: str, *, python: str, platform: str | None, indexes: Sequence[PackageIndex], folder: Path
    ) -> None:
        """Those of `lock` that PyPI does not have come into `folder`, their hashes checked.

        `platform` is such as linux/amd64; None is this machine's.
        """


class Harness(Protocol):
    """Questions to MLflow, asked by the training environment's own MLflow."""

    def call(
        self,
        python: Path,
        command: str,
        request: Mapping[str, Any],
        *,
        env: Mapping[str, str],
        secrets: Sequence[str] = (),
    ) -> dict[str, Any]:
        """The response of generator/harness: a mapping with `ok`, and else with a `problem` that has a `kind`."""


class Cluster(Protocol):
    """A Kubernetes cluster, read only."""

    def context(self) -> str:
        """How kubectl calls it."""

    def get(self, path: str) -> Any:
        """The object at a path of its API; None where there is none. Raises GeneratorError with the reason."""


class Runs(Protocol):
    """Runs and registered versions of a tracking server, read only."""

    def tag(self, run: str, name: str) -> str | None:
        """A tag of the run, empty where it has none; None where there is no such run, or it was deleted."""

    def run_of(self, name: str, version: str) -> str | None:
        """The run that a registered version came from; None where there is no such version."""


class Git(Protocol):
    """One local repository."""

    @property
    def root(self) -> Path: ...

    def clone(self, source: str, *, branch: str | None = None, commit: str | None = None) -> None:
        """Fills `root`, which must not exist yet, from `source`."""

    def is_ancestor(self, commit: str, of: str) -> bool: ...

    def fetch(self, branch: str) -> str:
        """The commit that `branch` has at origin now; it is here afterwards."""

    def reset(self, commit: str) -> None:
        """Makes the working tree exactly `commit`, on no branch."""

    def commit(self, paths: Sequence[str], message: str) -> str:
        """Commits exactly `paths` and returns the commit."""

    def last_change(self, path: str) -> str:
        """The last commit that changed `path`."""

    def find_commit(self, line: str, path: str) -> str | None:
        """The last commit before the working tree's that changed `path` and has `line` in its message."""

    def push(self, commit: str, branch: str) -> bool:
        """Pushes `commit` to `branch` at origin; False when the branch has moved."""

    def head_of(self, branch: str) -> str | None:
        """The commit that `branch` has at origin now; None where there is no such branch. It is not fetched."""

    def commit_of(self, ref: str) -> str:
        """The commit that `ref` names here. Raises GeneratorError where it names none."""

    def message_of(self, commit: str) -> str: ...

    def text_at(self, commit: str, path: str) -> str | None:
        """The file as `commit` has it; None where it has none."""

    def replace_branch(self, commit: str, branch: str, *, was: str | None = None) -> bool:
        """Makes `branch` at origin exactly `commit`: only for branches that are ours alone.

        False where it is no longer `was`; None: whatever it was.
        """

    def delete_branch(self, branch: str) -> bool:
        """Deletes `branch` at origin; False where there is none."""


class Renderer(Protocol):
    """Renders an overlay with kustomize."""

    def build(self, overlay: Path) -> list[dict[str, Any]]:
        """The objects that the overlay renders to. Raises GeneratorError with kustomize's reason."""


@dataclass(frozen=True)
class Replay:
    """What the server in an image, or a process, answered to the golden request."""

    predictions: Any
    load_seconds: float
    error: str | None = None
    runtime: RuntimeName = "pyfunc"  # what asked the model
    reason: str | None = None  # why it is pyfunc


@dataclass(frozen=True)
class Parity:
    """How a native runtime's answers compare with pyfunc's, over generated rows and the golden ones."""

    rows: int
    largest_difference: float
    reason: str | None = None  # why they are not the same; None where they are


@dataclass(frozen=True)
class Hooked:
    """What hooks and model in an image answered."""

    predictions: Any
    error: str | None = None


class Engine(Protocol):
    """Builds and runs an image from a context folder: Docker, or in a rehearsal a process."""

    @property
    def name(self) -> str:
        """docker or process."""

    def check(self) -> None:
        """Raises GeneratorError, with what to do, where the engine cannot be used."""

    def build(
        self, context: Path, *, tag: str, platform: str, labels: Mapping[str, str], reporter: Reporter
    ) -> None:
        """Builds the image and calls it `tag`. Raises GeneratorError with the build's reason."""

    def replay(self, tag: str, golden: str, *, memory: int, environment: Mapping[str, str] = {}) -> Replay:
        """Runs the image without network and secrets, in `memory` bytes, on the text of a golden.json."""

    def parity(self, tag: str, golden: str, *, environment: Mapping[str, str] = {}) -> Parity:
        """Compares, in the image without network, the model's native runtime with pyfunc."""

    def hooks(self, tag: str, request: str, *, environment: Mapping[str, str] = {}) -> Hooked:
        """What the image, without network, answers through the hooks to the text of a `request` in JSON."""

    def save(self, tag: str, archive: Path) -> str:
        """Stores the image as an OCI archive, all of it or nothing; returns its manifest's digest."""

    def load(self, archive: Path, tag: str) -> None:
        """The image in an OCI archive that `save` wrote, as `tag`."""

    def serving(self, tag: str, *, environment: Mapping[str, str]) -> AbstractContextManager[str]:
        """Runs the image's server, with `environment` besides, until the block ends; gives its base URL."""

    def remove(self, tag: str) -> None:
        """Forgets the image, where it is known."""


@dataclass(frozen=True)
class Found:
    """An image that a registry holds."""

    digest: str
    labels: Mapping[str, str]


class Registry(Protocol):
    """One repository of an image registry."""

    def ensure(self) -> None:
        """Makes the repository where it is missing (ECR); elsewhere pushes make it."""

    def find(self, reference: str) -> Found | None:
        """The image with this tag or digest, read from its manifest and config; None where there is none."""

    def push(self, archive: Path, tag: str) -> None:
        """Uploads the OCI archive under `tag`, its digest preserved."""


class Approvals(Protocol):
    """Who is asked before something may happen: GitHub's environments."""

    def who_approves(self, name: str) -> tuple[str, ...] | None:
        """Those who are asked in the environment, any one of whom may approve; None where it does not exist."""
