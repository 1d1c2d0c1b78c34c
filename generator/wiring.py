"""Joins stages and adapters: what a stage works with on a runner, and how one stage's artifact meets the next."""

from __future__ import annotations

import getpass
import hashlib
import itertools
import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from generator import code_branch
from generator.adapters.deploy_key import deploy_key
from generator.adapters.docker import Docker
from generator.adapters.ecr import EcrRegistry
from generator.adapters.git import GitRepository
from generator.adapters.harness import MlflowHarness
from generator.adapters.index_files import IndexFiles
from generator.adapters.kustomize import Kustomize
from generator.adapters.registry import HttpRegistry
from generator.adapters.supervisor import ProcessSupervisor
from generator.adapters.uv import Uv
from generator.artifacts import (
    Artifact,
    BuiltImage,
    GateReport,
    OverlayCommit,
    PublishedImage,
    RegisteredModel,
    Rollout,
    TrainedModel,
)
from generator.config.addresses import https_of
from generator.config.model import Model
from generator.config.workspace import Workspace
from generator.delivery.landing import Deployer
from generator.errors import GeneratorError
from generator.generate import ledgers, refresh_overlay
from generator.ledger import Ledger
from generator.observing import watching
from generator.plan.pipeline import Stage
from generator.ports import Engine, Environments, Registry, Renderer, Reporter
from generator.release import Release
from generator.sources import check_owner
from generator.stages.deploy import deploy
from generator.stages.gate import gate
from generator.stages.observe import Probe, observe
from generator.stages.package import Ingredients, Packager, package
from generator.stages.publish import Publisher, publish
from generator.stages.register import Registrar, register
from generator.stages.train import Trainer, train
from generator.store import Store

KINDS: Mapping[Stage, type[Artifact]] = {
    Stage.TRAIN: TrainedModel,
    Stage.GATE: GateReport,
    Stage.REGISTER: RegisteredModel,
    Stage.PACKAGE: BuiltImage,
    Stage.PUBLISH: PublishedImage,
    Stage.DEPLOY: OverlayCommit,
    Stage.OBSERVE: Rollout,
}
ORDER = tuple(Stage)
DEPLOYS_AS = ("github-actions[bot]", "41898282+github-actions[bot]@users.noreply.github.com")


@dataclass(frozen=True)
class World:
    """What stages meet. The defaults are a runner's; `rehearse` puts its own in their place."""

    reporter: Reporter
    environments: Environments = field(default_factory=Uv)
    engine: Engine = field(default_factory=Docker)
    registry: Registry | None = None  # None: the one that model.yaml names
    tracking_uri: str | None = None  # None: model.yaml's, else a database beside the artifacts
    embedded_registry: bool = False  # whether that database counts as a model registry
    source: str | None = None  # of the overlay's branch; None: origin
    renderer: Renderer | None = field(default_factory=Kustomize)
    probe: Probe | None = None
    author: tuple[str, str] | None = None  # of overlay commits; None: Git's own settings
    older_because: str | None = None


def release_of(workspace: Workspace, tag: str) -> Release:
    """The release that `tag` names. Its commit must be what is checked out: model.yaml is read from there."""
    model, version = workspace.released(tag)
    git = GitRepository(workspace.root)
    commit, head = git.commit_of(f"refs/tags/{model.tag(version)}"), git.commit_of("HEAD")
    if commit != head:
        raise GeneratorError(
            f"{tag} is {commit[:12]}, but {head[:12]} is checked out: run `git checkout {model.tag(version)}`"
        )
    return Release(
        model=model,
        version=version,
        commit=commit,
        root=workspace.root.resolve(),
        store=Store(workspace.root.resolve() / ".tagship" / f"{model.name}-{version}"),
        attempt=uuid.uuid4().hex,
        by=who(),
    )


def who() -> str:
    """Who asks, for ledgers: GitHub's user on a runner, else this machine's."""
    # Of a run that is run again GITHUB_ACTOR is who started it first.
    if actor := os.environ.get("GITHUB_TRIGGERING_ACTOR") or os.environ.get("GITHUB_ACTOR"):
        return actor
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return f"user {os.getuid()}"


def request_of(command: str) -> str | None:
    """Names what a workflow's run asks for, so that it happens once when the run is run again; None elsewhere."""
    run = os.environ.get("GITHUB_RUN_ID")
    return f"{command}-{run}" if run else None


def run_stage(stage: Stage, release: Release, world: World, *, again: bool = False) -> Artifact:
    """Runs a stage and stores its artifact. A stage that is done, from the same artifact before it, stays done.

    The artifact may say that the stage failed.
    """
    place = ORDER.index(stage)
    previous = release.store.sha256(ORDER[place - 1]) if place else None
    _check_chain(stage, release)
    done = None if again else _done(stage, release, world.reporter)
    if done and done.previous == previous and not done.failure:
        world.reporter.say("done already, from the same artifact; --again does it again")
        return done
    artifact = _STAGES[stage](release, world).model_copy(update={"previous": previous})
    release.store.write(stage, artifact)
    return artifact


def _done(stage: Stage, release: Release, reporter: Reporter) -> Artifact | None:
    """What the stage left behind. An artifact of another commit, or of an older version, counts as not done."""
    if not release.store.has(stage):
        return None
    try:
        return release.read(stage, KINDS[stage])
    except GeneratorError as error:
        reporter.say(f"{error}: that is what happens now")
        return None


def _check_chain(stage: Stage, release: Release) -> None:
    """Refuses to go on from artifacts of which an earlier one was made anew meanwhile. Absent ones say nothing."""
    earlier = [item for item in ORDER[: ORDER.index(stage)] if release.store.has(item)]
    for before, after in itertools.pairwise(earlier):
        follows = ORDER.index(after) == ORDER.index(before) + 1
        if follows and release.read(after, KINDS[after]).previous != release.store.sha256(before):
            raise GeneratorError(
                f"{before} was done again after {after}: run `generator stage {after}` again, "
                "and the stages after it"
            )


def _train(release: Release, world: World) -> Artifact:
    with_ = Trainer(
        supervisor=ProcessSupervisor(),
        environments=world.environments,
        harness=MlflowHarness(),
        repository=GitRepository,
        variables=os.environ,
        reporter=world.reporter,
    )
    return train(release, with_, tracking_uri=world.tracking_uri)


def _gate(release: Release, world: World) -> Artifact:
    environment = release.model.targets[0].name
    if release.model.separate:
        where = release.model.overlays_url
        world.reporter.say(f"the champion stands in {where}, which only the deploy reads: it is asked there")
    ledger = None if release.model.separate else ledgers(release.root, release.model).get(environment)
    ledger = ledger or Ledger(model=release.model.name, environment=environment)
    return gate(release, release.read(Stage.TRAIN, TrainedModel), ledger, world.reporter)


def _register(release: Release, world: World) -> Artifact:
    return register(
        release,
        release.read(Stage.TRAIN, TrainedModel),
        release.read(Stage.GATE, GateReport),
        Registrar(world.environments, MlflowHarness(), os.environ, world.reporter),
        tracking_uri=world.tracking_uri,
        registry=world.embedded_registry or None,
    )


def _package(release: Release, world: World) -> Artifact:
    given = Ingredients(
        trained=release.read(Stage.TRAIN, TrainedModel),
        gate=release.read(Stage.GATE, GateReport),
        registered=release.read(Stage.REGISTER, RegisteredModel),
    )
    return package(
        release, given, Packager(world.engine, world.environments, world.reporter, IndexFiles(), os.environ)
    )


def _publish(release: Release, world: World) -> Artifact:
    registry = world.registry or registry_of(release.model)
    return publish(release, release.read(Stage.PACKAGE, BuiltImage), Publisher(registry, world.reporter))


def registry_of(model: Model) -> Registry:
    """The registry that model.yaml names."""
    repository = model.image_repository.removeprefix(f"{model.config.image.registry}/")
    if model.ecr is not None:
        return EcrRegistry(model.config.image.registry, repository, model.ecr)
    return HttpRegistry(model.config.image.registry, repository)


def _deploy(release: Release, world: World) -> Artifact:
    published = release.read(Stage.PUBLISH, PublishedImage)
    environment = release.model.targets[0].name
    with_ = deployer(release.root, release.work / "deploy", world, release.model)
    merged = code_branch.merged(release) if release.model.separate else None
    return deploy(release, published, environment, with_, older_because=world.older_because, merged=merged)


def deployer(root: Path, folder: Path, world: World, model: Model) -> Deployer:
    """What changes an environment of `model`, whose repository is in `root`, by a clone made in `folder`."""
    head = None
    if model.separate:  # a rehearsal's model.yaml is its own branch's
        head = model if world.source else code_branch.model_there(root, model)
    source = world.source or (_elsewhere(head) if head else GitRepository(root).origin())
    if source is None:
        raise GeneratorError("this repository has no remote `origin`: the overlay commit has nowhere to go")
    return Deployer(
        git=pushing(folder, world.author),
        source=source,
        renderer=world.renderer,
        regenerate=refresh_overlay,
        reporter=world.reporter,
        now=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        model=head,
    )


def _elsewhere(model: Model) -> str:
    """The configuration repository's address: a runner's token opens https alone."""
    url = str(model.overlays_url)
    return https_of(url) if "GITHUB_ACTIONS" in os.environ else url


def pushing(folder: Path, author: tuple[str, str] | None = None) -> GitRepository:
    """The repository in `folder`, which on a runner is read with the token in GH_TOKEN; a key, or that, pushes."""
    on_runner = "GITHUB_ACTIONS" in os.environ
    server = os.environ.get("GITHUB_SERVER_URL") if on_runner and os.environ.get("GH_TOKEN") else None
    key = deploy_key(os.environ) if on_runner else None
    return GitRepository(folder, author=author or (DEPLOYS_AS if on_runner else None), token_for=server, key=key)


def clone_of(source: str, branch: str, folder: Path) -> GitRepository:
    """A clone below `folder`, of which there is one for each address and branch."""
    git = pushing(folder / hashlib.sha256(f"{source} {branch}".encode()).hexdigest()[:16])
    if not git.root.exists():
        git.clone(source, branch=branch)
    return git


def overlays_of(model: Model, folder: Path) -> GitRepository:
    """The configuration repository of `model`, in a clone below `folder`."""
    git = clone_of(_elsewhere(model), model.overlays_branch, folder)
    check_owner(git.root, model)
    return git


def home_of(model: Model, root: Path, folder: Path) -> Path:
    """What holds the k8s/ of `model`: `root`, or a clone below `folder` of where they are instead."""
    return overlays_of(model, folder).root / model.home if model.separate else root


def _observe(release: Release, world: World) -> Artifact:
    deployed, target = release.read(Stage.DEPLOY, OverlayCommit), release.model.targets[0]
    if world.probe or target.observe is None:
        return observe(release, deployed, world.probe)
    facts = {"name": release.model.name, "version": str(release.version), "digest": deployed.digest}
    watch = watching(pushing(release.root), release.model, target, world.reporter, target.observe.timeout)
    return observe(release, deployed, lambda _: watch(facts, deployed.overlay_commit))


_STAGES: Mapping[Stage, Callable[[Release, World], Artifact]] = {
    Stage.TRAIN: _train,
    Stage.GATE: _gate,
    Stage.REGISTER: _register,
    Stage.PACKAGE: _package,
    Stage.PUBLISH: _publish,
    Stage.DEPLOY: _deploy,
    Stage.OBSERVE: _observe,
}
