"""`generator rehearse`: a whole release on one machine, in a clone, against a bare repository of its own.

The stages are the ones that a runner runs. What differs is around them: one SQLite database for tracking
and registry, a folder for a registry, and, without a Docker engine, processes instead of containers.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
import uuid
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx

from generator.adapters.docker import Docker
from generator.adapters.folder_registry import FolderRegistry
from generator.adapters.git import GitRepository
from generator.adapters.kustomize import Kustomize, installed
from generator.adapters.process_engine import ProcessEngine
from generator.adapters.uv import Uv
from generator.artifacts import Artifact, BuiltImage, OverlayCommit
from generator.config.model import Model
from generator.config.variables import literals
from generator.config.workspace import Workspace, load
from generator.disk import write_atomically
from generator.errors import GeneratorError
from generator.files import apply
from generator.generate import compare_home, compare_kubernetes
from generator.image.golden import Recorded, allowed, compare, read_golden
from generator.overlay import image_of
from generator.plan.pipeline import SUMMARY, Stage
from generator.ports import Engine, Environments, Reporter
from generator.release import Release
from generator.rollouts.watch import Sighting
from generator.stages.package import local_tag
from generator.store import Store
from generator.tagging import next_version
from generator.training.lock import lock_problems, lock_text
from generator.wiring import World, run_stage

AUTHOR = ("Tagship rehearsal", "rehearsal@tagship.invalid")


class Progress(Reporter, Protocol):
    """A reporter that knows which stage is at work."""

    def working_on(self, label: str) -> AbstractContextManager[None]: ...


@dataclass(frozen=True)
class Step:
    """A line of the closing table."""

    stage: str
    seconds: float
    outcome: str


@dataclass(frozen=True)
class Outcome:
    """A rehearsal that came to its end."""

    release: Release
    engine: str
    steps: tuple[Step, ...]
    request: Any  # a body for /predict; None where the model has no golden rows
    answer: Any


def rehearse(
    root: Path,
    model_name: str | None,
    progress: Progress,
    *,
    engine: str,
    keep: Path | None,
    environments: Environments | None = None,
) -> Outcome:
    """Rehearses the release of the repository's HEAD. Nothing in `root` is changed.

    `engine` is docker, process or auto; `environments` are uv's unless others are given. On failure the
    rehearsal's folder is kept, and the error names it.
    """
    git = GitRepository(root)
    head = git.commit_of("HEAD")
    folder = keep.resolve() if keep else Path(tempfile.mkdtemp(prefix="tagship-rehearsal-"))
    if keep and keep.exists() and any(keep.iterdir()):
        raise GeneratorError(f"{keep} is not empty: name a new folder")
    if changed := git.changed_files():
        progress.say(
            f"{len(changed)} changed files are not part of this: a release is made from what is committed"
        )
    try:
        rehearsal = _Rehearsal(folder, progress, engine, environments)
        outcome = rehearsal.run(git.top_level(), head, model_name)
    except BaseException as error:
        if isinstance(error, GeneratorError):
            raise GeneratorError(f"{error}\n\nwhat there is to look into was kept in {folder}") from error
        progress.say(f"what there is was kept in {folder}")
        raise
    if keep is None:
        with progress.working_on("clean up"):  # said, because a slow disk needs a while for whole environments
            progress.say(f"removing {folder}; --keep keeps it")
            shutil.rmtree(folder, ignore_errors=True)
            if rehearsal.engine is not None:
                rehearsal.engine.remove(local_tag(outcome.release))
    return outcome


class _Rehearsal:
    def __init__(self, folder: Path, progress: Progress, engine: str, environments: Environments | None) -> None:
        self.folder, self.progress, self.environments = folder, progress, environments or Uv()
        self.servers = environments or Uv(linked=True)
        self.bare, self.clone = folder / "origin.git", folder / "clone"
        self.overlays = self.bare  # or the bare configuration repository
        self.registry = FolderRegistry(folder / "registry")
        self.wanted_engine = engine
        self.engine: Engine | None = None  # the one that is there
        self.asked: tuple[Any, Any] = (None, None)

    def run(self, source: Path, head: str, model_name: str | None) -> Outcome:
        steps = []
        begin = time.monotonic()
        with self.progress.working_on("prepare"):
            release = self._prepare(source, head, model_name)
            engine = self.engine = self._engine(release.model)
        steps.append(Step("prepare", time.monotonic() - begin, f"{release.id} at {head[:12]}"))
        world = World(
            self.progress,
            environments=self.environments,
            engine=engine,
            registry=self.registry,
            tracking_uri=f"sqlite:///{self.folder / 'mlflow.db'}",
            embedded_registry=True,
            source=str(self.overlays),
            renderer=Kustomize() if installed() else None,
            probe=lambda deployed: Sighting("serving", self._probe(release, engine, deployed)),
            author=AUTHOR,
        )
        for stage in Stage:
            steps.append(self._stage(stage, release, world))
        return Outcome(release, engine.name, tuple(steps), *self.asked)

    def _stage(self, stage: Stage, release: Release, world: World) -> Step:
        begin = time.monotonic()
        with self.progress.working_on(stage):
            self.progress.say(SUMMARY[stage])
            artifact: Artifact = run_stage(stage, release, world)
            self.progress.say(artifact.summary)
        return Step(stage, time.monotonic() - begin, artifact.summary)

    def _prepare(self, source: Path, head: str, model_name: str | None) -> Release:
        """A clone with what a release needs (lock, overlays, tag), pushed to a bare repository."""
        clone = GitRepository(self.clone, author=AUTHOR)
        clone.clone(str(source), commit=head)
        workspace = load(self.clone)
        model = workspace.model(model_name)
        self._lock(workspace, model)
        apply(self.clone, compare_kubernetes(workspace))
        if not clone.is_clean():
            clone.commit(["."], "Rehearsal: lock and overlays")
        version = next_version(model, workspace, clone, "patch")
        commit = clone.commit_of("HEAD")
        GitRepository(self.bare).init_bare(model.config.repository.branch)
        clone.push_to(str(self.bare), commit, model.config.repository.branch)
        if model.separate:
            self._generate_elsewhere(workspace, model)
        self.progress.say(f"{model.name} {version}, from {commit[:12]}, in {self.folder}")
        return Release(
            model=model,
            version=version,
            commit=commit,
            root=self.clone,
            store=Store(self.folder / f"{model.name}-{version}"),
            attempt=uuid.uuid4().hex,
            by=AUTHOR[0],
            rehearsal=True,
        )

    def _generate_elsewhere(self, workspace: Workspace, model: Model) -> None:
        """A configuration repository of the rehearsal's own, with what a release needs there."""
        there, self.overlays = GitRepository(self.folder / "overlays", author=AUTHOR), self.folder / "overlays.git"
        there.root.mkdir()
        there.init(model.overlays_branch)
        apply(there.root / model.home, compare_home(workspace, model, there.root))
        GitRepository(self.overlays).init_bare(model.overlays_branch)
        commit = there.commit(["."], "Rehearsal: overlays")
        there.push_to(str(self.overlays), commit, model.overlays_branch)

    def _lock(self, workspace: Workspace, model: Model) -> None:
        if lock_problems(model, workspace.root):
            self.progress.say("the training lock is missing or stale: making one (`generator lock` keeps it)")
            text = lock_text(model, workspace.root, self.environments, os.environ)
            write_atomically(workspace.root / model.lock_file, text)

    def _engine(self, model: Model) -> Engine:
        process = ProcessEngine(self.folder / "engine", self.servers, model.config.train.python)
        if self.wanted_engine == "process":
            return process
        engine = Docker()
        try:
            engine.check()
        except GeneratorError as error:
            if self.wanted_engine == "docker":
                raise
            self.progress.say(f"no containers, processes instead: {str(error).splitlines()[0]}")
            return process
        return engine

    def _probe(self, release: Release, engine: Engine, deployed: OverlayCommit) -> str:
        """Serves the image that the overlay's commit names, and asks it for the golden prediction."""
        follower = GitRepository(self.folder / "follower")
        if follower.root.exists():
            shutil.rmtree(follower.root)
        follower.clone(str(self.overlays), commit=deployed.overlay_commit)
        path = f"{deployed.overlay}/kustomization.yaml"
        digest = image_of((follower.root / path).read_text(encoding="utf-8"), path).digest
        tag = f"tagship.local/{release.model.name}:observed-{digest[7:19]}"
        engine.load(self.registry.archive(digest), tag)
        environment = {**literals(release.model.config.serve.env), "TAGSHIP_DIGEST": digest}
        try:
            with engine.serving(tag, environment=environment) as url:
                return self._ask(release, url, digest)
        except httpx.HTTPError as error:
            raise GeneratorError(f"the server of {tag} was ready, but does not answer: {error}") from error
        finally:
            engine.remove(tag)

    def _ask(self, release: Release, url: str, digest: str) -> str:
        with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
            facts = client.get("/metadata").raise_for_status().json()
            if (facts["version"], facts["digest"]) != (str(release.version), digest):
                raise GeneratorError(f"the server says it is {facts['version']}, {facts['digest']}, not {digest}")
            golden = _golden(release, client)
            if golden.request is None:
                return f"ready as {release.version}; the model has no golden rows to ask for"
            response = client.post("/predict", json=golden.request)
        if response.status_code != httpx.codes.OK:
            raise GeneratorError(f"the server answered {response.status_code}: {response.text[:500]}")
        answer = response.json()
        self.asked, rows = (golden.request, answer), len(answer["predictions"])
        if golden.predictions is None:
            return f"{rows} made-up row answered through the hooks"
        converted = release.read(Stage.PACKAGE, BuiltImage).served.converted
        tolerance = allowed(release.model.config.gate.golden_tolerance, converted=converted)
        compare(golden, answer["predictions"], tolerance)
        return f"{rows} golden rows answered as recorded"


def _golden(release: Release, client: httpx.Client) -> Recorded:
    """What to ask and expect. Hooks change both: their own file says it, or the server's example is asked."""
    hooks = release.model.config.serve.hooks
    if hooks is None:
        return read_golden((release.store.folder / "golden.json").read_text(encoding="utf-8"))
    if hooks.golden:
        text = (release.root / release.model.path(hooks.golden)).read_text(encoding="utf-8")
        return read_golden(text, named=hooks.golden)
    document = client.get("/openapi.json").raise_for_status().json()
    body = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    values = [item["value"] for item in body.get("examples", {}).values()]
    return Recorded(values[0] if values else None, None, deterministic=True)


def first_rows(body: Any, rows: int) -> str:
    """A /predict body with its first rows only, as compact JSON."""
    if isinstance(body, dict):
        split = body.get("dataframe_split")
        if isinstance(split, dict):
            body = {"dataframe_split": {**split, "data": split["data"][:rows]}}
        else:
            body = {key: value[:rows] if isinstance(value, list) else value for key, value in body.items()}
    return json.dumps(body)
