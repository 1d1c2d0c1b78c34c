"""What Git, the registry and the tracking server hold of the release that an environment's ledger names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from generator.adapters.git import GitRepository
from generator.chain.link import Link, broken, holds, unseen
from generator.config.model import Model, Target, workload
from generator.errors import GeneratorError
from generator.image.labels import read_labels
from generator.ledger import Entry
from generator.overlay import OverlayImage, image_of, image_problems
from generator.ports import Registry, Renderer, Runs
from generator.version import Version


@dataclass(frozen=True)
class Records:
    """Where they are kept.

    `git` is a clone of the code whose working tree is the release branch's head; `overlays` is that of the
    overlays, mostly the same.
    """

    git: GitRepository
    overlays: GitRepository
    registry: Registry | None
    renderer: Renderer | None
    runs: Runs | None  # None: model.yaml names no tracking server


def recorded(model: Model, target: Target, entry: Entry, records: Records) -> Iterator[Link]:
    """The links from the tag to the overlay's commit."""
    yield _tag(model, entry, records.git)
    yield _commit(model, entry, records.git)
    yield (
        holds("data", entry.data)
        if entry.data
        else unseen("data", "the script logged no input (mlflow.log_input)")
    )
    yield from _tracked(model, entry, records.runs)
    yield _image(model, target, entry, records)
    yield _overlay(model, target, entry, records)


def _tag(model: Model, entry: Entry, git: GitRepository) -> Link:
    tag = model.tag(Version.parse(entry.version))
    try:
        commit = git.commit_of(f"refs/tags/{tag}")
    except GeneratorError:
        return broken("tag", tag, f"there is no tag {tag} at origin: push it again on {entry.commit[:12]}")
    if commit != entry.commit:
        return broken(
            "tag",
            tag,
            f"{tag} is {commit[:12]} now; what runs was made from {entry.commit[:12]}. Move it back, and let a "
            "ruleset protect release tags (`generator bootstrap github`)",
        )
    return holds("tag", tag)


def _commit(model: Model, entry: Entry, git: GitRepository) -> Link:
    branch = model.config.repository.branch
    try:
        on_branch = git.is_ancestor(entry.commit, "HEAD")
    except GeneratorError:
        on_branch = False
    if not on_branch:
        return broken("commit", entry.commit, f"it is not on {branch}: was the branch rewritten?")
    return holds("commit", entry.commit)


def _tracked(model: Model, entry: Entry, runs: Runs | None) -> Iterator[Link]:
    if runs is None:
        yield unseen("run", f"{model.shown} names no tracking.uri; the ledger says {entry.run}")
        return
    try:
        release = runs.tag(entry.run, "tagship.release")
        wanted = f"{model.name}-{entry.version}"
        if release is None:
            yield broken("run", entry.run, "the tracking server has no such run: was it deleted?")
        elif release != wanted:
            yield broken("run", entry.run, f"the run is of {release}, not of {wanted}")
        else:
            yield holds("run", entry.run)
        if entry.registered is not None:
            yield _registered(model, entry, runs)
    except GeneratorError as error:
        yield unseen("run", str(error))


def _registered(model: Model, entry: Entry, runs: Runs) -> Link:
    shown, run = f"{model.name} {entry.registered}", runs.run_of(model.name, str(entry.registered))
    if run is None:
        return broken("registered version", shown, "the model registry does not have it: was it deleted?")
    if run != entry.run:
        return broken("registered version", shown, f"it is of run {run}, not of {entry.run}")
    return holds("registered version", shown)


def _image(model: Model, target: Target, entry: Entry, records: Records) -> Link:
    if records.registry is None:
        return unseen("digest", "the registry was not asked")
    if (elsewhere := _repository(model, target, records)) != model.image_repository:
        why = (
            f"{model.shown} names {model.image_repository} now, the overlay still {elsewhere}, which is not asked"
        )
        return unseen("digest", why)
    try:
        found = records.registry.find(entry.digest)
        if found is None:
            why = f"{model.image_repository} does not have it: new pods cannot be pulled. Release again"
            return broken("digest", entry.digest, why)
        labelled = read_labels(found.labels, entry.digest)
    except GeneratorError as error:
        return unseen("digest", str(error))
    record = labelled.record
    said = (labelled.name, labelled.version, labelled.commit, record.run_id, record.data_sha256)
    wanted = (model.name, entry.version, entry.commit, entry.run, entry.data)
    names = ("model", "version", "commit", "run", "data hash")
    for name, one, other in zip(names, said, wanted, strict=True):
        if one != other:
            return broken("digest", entry.digest, f"the image's {name} is {one}, the ledger says {other}")
    return holds("digest", entry.digest)


def _repository(model: Model, target: Target, records: Records) -> str:
    """Where the overlay has its image: model.yaml may name another place since the release."""
    try:
        return _named(model, target, records).repository
    except (GeneratorError, OSError):  # said of the overlay itself
        return model.image_repository


def _named(model: Model, target: Target, records: Records) -> OverlayImage:
    """The image that the overlay names. Raises GeneratorError or OSError where it names none."""
    shown = f"{model.overlay_path(target.name)}/kustomization.yaml"
    return image_of((records.overlays.root / shown).read_text(), shown)


def _overlay(model: Model, target: Target, entry: Entry, records: Records) -> Link:
    folder, git = model.overlay_path(target.name), records.overlays
    shown = f"{folder}/kustomization.yaml"
    commit = git.last_change(folder)
    try:
        image = _named(model, target, records)
        same = image.digest == entry.digest
        problems = [] if same else [f"{shown} names {image.digest[:19]}, its ledger {entry.digest[:19]}"]
        problems += _rendered(model, git.root / folder, image.repository, entry, records.renderer)
    except (GeneratorError, OSError) as error:
        problems = [str(error)]
    if problems:
        return broken("overlay", commit, f"{problems[0]}: `generator generate` and `git log -- {folder}` say more")
    return holds("overlay", commit)


def _rendered(model: Model, overlay: Path, repository: str, entry: Entry, renderer: Renderer | None) -> list[str]:
    if renderer is None:
        return []
    name = workload(model.name)
    objects = renderer.build(overlay)
    return image_problems(objects, name=name, repository=repository, digest=entry.digest)
