"""Two hundred deploys of ten models race for one branch, some of them killed: none is lost, doubled or overtaken."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from generator.adapters.git import GitRepository
from generator.artifacts import PublishedImage, Record
from generator.config.workspace import load
from generator.delivery.landing import Deployer
from generator.errors import GeneratorError
from generator.generate import refresh_overlay
from generator.ledger import read_ledger
from generator.overlay import image_of
from generator.release import Release
from generator.stages.deploy import deploy
from generator.store import Store
from generator.version import Version
from tests.generator.repositories import git, publish
from tests.generator.test_deploy import Quiet
from tests.generator.workspaces import write_many

pytestmark = pytest.mark.e2e
MODELS = [f"model-{letter}" for letter in "abcdefghij"]
QUEUED = frozenset(MODELS[:5])  # one after the other, as with `queue: max`; the rest all at once
VERSIONS = [f"1.{minor}.0" for minor in range(20)]
DONE, OLDER = 0, 3  # how a deploy's process ends
SEED = 4711
LIMIT = 1500  # seconds


@dataclass
class Race:
    """One branch, and every deploy as a process of its own; killed ones start again."""

    folder: Path
    kill: bool
    versions: list[str]
    ended: dict[tuple[str, str], int] = field(default_factory=dict)
    kills: int = 0

    def __post_init__(self) -> None:
        self.bare = self.folder / "origin.git"
        root = self.folder / "repo"
        root.mkdir()
        self.commit = publish(write_many(root, dict.fromkeys(MODELS, "")), self.bare)
        self.workspace = load(root)
        self.random = random.Random(SEED)

    def run(self) -> None:
        waiting = {name: list(self.versions) for name in QUEUED}
        running = {
            self._start(name, version) for name in MODELS if name not in QUEUED for version in self.versions
        }
        running |= {self._start(name, versions.pop(0)) for name, versions in waiting.items()}
        begin = time.monotonic()
        while running:
            assert time.monotonic() - begin < LIMIT, f"{len(running)} deploys run still"
            for process in [process for process in running if not process.is_alive()]:
                running.remove(process)
                name, version = process.name.split()
                if process.exitcode == -signal.SIGKILL:
                    self.kills += 1
                    running.add(self._start(name, version))
                    continue
                self.ended[name, version] = process.exitcode or 0
                if waiting.get(name):
                    running.add(self._start(name, waiting[name].pop(0)))
                self._kill_one_of(running)
            time.sleep(0.1)

    def _kill_one_of(self, running: set[BaseProcess]) -> None:
        """For each deploy that came to its end: by the clock, a quick machine would be through before."""
        alive = sorted((process for process in running if process.is_alive()), key=lambda process: process.name)
        if self.kill and alive:
            chosen = self.random.choice(alive)
            chosen.kill()
            chosen.join()

    def _start(self, name: str, version: str) -> BaseProcess:
        process = multiprocessing.get_context("fork").Process(
            target=self._deploy, args=(name, version), name=f"{name} {version}"
        )
        process.start()
        return process

    def _deploy(self, name: str, version: str) -> None:
        os.nice(15)  # a hundred at once leave the machine to the tests beside them
        model = self.workspace.model(name)
        release = Release(
            model=model, version=Version(version), commit=self.commit, root=self.folder / "repo",
            store=Store(self.folder / "store"), attempt="1", by="Ada",
        )  # fmt: skip
        image = PublishedImage(
            name=name, version=version, commit=self.commit, repository=model.image_repository,
            tag=model.image_tag(Version(version)), digest=digest(name, version), pushed=True,
            record=Record(run_id="1" * 32, metrics={}),
        )  # fmt: skip
        with_ = Deployer(
            git=GitRepository(
                self.folder / "work" / f"{name}-{version}-{os.getpid()}", author=("Ada", "ada@example.com")
            ),
            # Not as a path: a clone of one copies files, also those that a push in the same moment takes away.
            source=f"file://{self.bare}",
            renderer=None,  # it costs more than all the rest, and what races is Git
            regenerate=refresh_overlay,
            reporter=Quiet(),
            now="2026-11-21T10:00:00Z",
        )
        try:
            deploy(release, image, "production", with_)
        except GeneratorError as error:
            if "is not newer than" in str(error):
                os._exit(OLDER)
            print(error, file=sys.stderr)  # noqa: T201
            os._exit(1)
        os._exit(DONE)


def digest(name: str, version: str) -> str:
    """A digest that no other version of any model has."""
    return f"sha256:{MODELS.index(name):032x}{VERSIONS.index(version):032x}"


@pytest.mark.parametrize("kill", [False, True], ids=["undisturbed", "killed"])
def test_none_is_lost_doubled_or_overtaken(kill: bool, tmp_path: Path) -> None:
    # A hundred deploys that are killed up to a hundred times are as many processes.
    versions = VERSIONS[: len(VERSIONS) // 2] if kill else VERSIONS
    race = Race(tmp_path, kill, versions)
    race.run()
    assert set(race.ended) == {(name, version) for name in MODELS for version in versions}
    assert set(race.ended.values()) <= {DONE, OLDER}, "a deploy failed for another reason"
    assert not kill or race.kills >= 50
    landed = defaultdict(list)
    subjects = git(race.bare, "log", "--reverse", "--format=%s", "main").splitlines()
    for subject in subjects[1:]:
        _, name, version, _, _ = subject.split()
        landed[name].append(version)
    for name in MODELS:
        assert landed[name] == sorted(set(landed[name]), key=versions.index), (
            f"{name}: doubled, or older over newer"
        )
        assert landed[name][-1] == versions[-1], f"{name}: the newest version is not what runs"
        finished = {version for version in versions if race.ended[name, version] == DONE}
        assert finished <= set(landed[name]), f"{name}: a deploy was told that it landed, and did not"
        if name in QUEUED:
            assert landed[name] == versions, f"{name}: a deploy that waited for its turn is missing"
        check_overlay(race.bare, name, landed[name])


def check_overlay(bare: Path, name: str, landed: list[str]) -> None:
    """Ledger and image say the same as the commits."""
    overlay = f"main:k8s/overlays/{name}/production"
    ledger = read_ledger(git(bare, "show", f"{overlay}/release.yaml"), "release.yaml")
    assert ledger.current
    entries = [ledger.current, *ledger.history]
    assert [entry.version for entry in reversed(entries)] == landed
    assert [entry.digest for entry in entries] == [digest(name, entry.version) for entry in entries]
    text = git(bare, "show", f"{overlay}/kustomization.yaml")
    assert image_of(text, "kustomization.yaml").digest == ledger.current.digest
