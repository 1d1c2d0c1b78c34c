"""Who is asked: origin for ledgers, GitHub for runs, kubectl's contexts for clusters."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from generator.adapters.git import GitRepository
from generator.adapters.github import connect
from generator.chain.sources import cluster_of, named_cluster
from generator.config.model import Model
from generator.config.workspace import Workspace, load
from generator.errors import GeneratorError
from generator.generate import ledgers
from generator.watching.looking import Found, Known, Unknown, World
from generator.watching.releasing import Patient
from generator.watching.standing import State
from generator.wiring import clone_of, overlays_of


class Ledgers:
    """The ledgers of some models as origin has them; without a remote, as they are here."""

    def __init__(self, root: Path, folder: Path, names: list[str]) -> None:
        self._root, self._folder, self._names = root, folder, names
        self._source = GitRepository(root).origin()
        self._fetched: dict[Path, GeneratorError | None] = {}  # by clone, in this reading
        self._loaded: dict[Path, Workspace] = {}  # likewise

    def read(self) -> Found:
        """As they are now: what moved since the last call is fetched, each branch once for all models.

        Raises GeneratorError where the release branch cannot be read; what is wrong with one model is its own.
        """
        here = load(self._root)
        self._fetched.clear()
        self._loaded.clear()
        return {name: self._one(here.model(name)) for name in self._names}

    def _one(self, model: Model) -> tuple[Model, Known | Unknown]:
        git = GitRepository(self._root)
        if self._source is not None:
            branch = model.config.repository.branch
            git = self._moved(clone_of(self._source, branch, self._folder), branch)
            if git.root not in self._loaded:
                self._loaded[git.root] = load(git.root)
            origin = self._loaded[git.root]
            if model.name not in {one.name for one in origin}:
                return model, Unknown(State.EMPTY, "origin does not have this model yet")
            model = origin.model(model.name)
        try:
            if model.separate:
                git = self._moved(overlays_of(model, self._folder), model.overlays_branch)
                return model, Known(ledgers(git.root / model.home, model), git)
            return model, Known(ledgers(git.root, model), git)
        except GeneratorError as error:
            return model, Unknown(State.UNSEEN, str(error))

    def _moved(self, git: GitRepository, branch: str) -> GitRepository:
        """The clone as origin has it; what one model could not fetch, no other tries again."""
        if git.root not in self._fetched:
            try:
                head = git.fetch(branch)
                if head != git.commit_of("HEAD"):
                    git.reset(head)
                self._fetched[git.root] = None
            except GeneratorError as error:
                self._fetched[git.root] = error
        if failed := self._fetched[git.root]:
            raise failed
        return git


def world_of(root: Path, models: list[Model], say: Callable[[str], None]) -> World:
    """What can be asked from here; `say` hears once what cannot."""
    address = next((model.config.repository.url for model in models if model.config.repository.url), None)
    address = address or GitRepository(root).origin()
    try:
        asked = connect(address or "", os.environ, patience=10).runs
        runs = Patient(asked, now=time.monotonic, models=len(models))
    except GeneratorError as error:
        runs = None
        say(f"training, building and pushing are not shown: {error}")
    cluster = cluster_of()
    context = cluster.context() if cluster else None
    if context is None:
        say("deploying and deployed are not shown: kubectl has no cluster to ask")
    else:
        say(f"the cluster is that of kubectl's context {context}")
    return World(cluster, named_cluster, runs, say, context)
