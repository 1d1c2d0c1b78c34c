"""Which released images no ledger names any more: what `prune` lists and deletes.

Deleting is for ever, so whatever is not certain keeps an image. A ledger that contradicts itself stops all of it;
a tag that no model here would write is somebody else's; an image that is young, or was pulled lately, may be on
its way into a ledger.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from generator.adapters.aws import Aws
from generator.adapters.ecr_repository import EcrRepository, StoredImage
from generator.config.model import Model
from generator.config.workspace import Workspace
from generator.errors import GeneratorError, InvalidInput, Problem
from generator.generate import ledgers
from generator.validate import all_ledger_problems, ledger_problems
from generator.version import PATTERN


@dataclass(frozen=True)
class Sorted:
    """A repository's tagged images, by what becomes of them."""

    prunable: tuple[StoredImage, ...]
    named: int  # by a ledger
    young: int
    foreign: int  # with a tag that no model of this repository writes


HomeOf = Callable[[Workspace, Model], Path]
"""What holds a model's k8s/: a branch's head itself, or a clone of where its overlays are instead."""


def sort_images(
    images: Iterable[StoredImage],
    heads: Mapping[str, Workspace],
    image_repository: str,
    *,
    now: datetime,
    age: timedelta,
    home_of: HomeOf = lambda head, _: head.root,
) -> Sorted:
    """What may go: tagged by releases of models here, named by no ledger, neither pushed nor pulled within `age`.

    `heads` are those of `release_heads`. Raises InvalidInput where a ledger there is missing or wrong.
    """
    named: set[str] = set()
    models: list[Model] = []
    for branch, head in heads.items():
        sharing = _sharing(head, image_repository)
        here = [model for model in sharing if model.config.repository.branch == branch]
        named |= _named(head, sharing, here, home_of)
        models += here
    ours = re.compile("|".join(map(_release_tags, models)) or "(?!)", re.ASCII)
    prunable: list[StoredImage] = []
    counts = {"named": 0, "young": 0, "foreign": 0}
    for image in images:
        if image.digest in named:
            counts["named"] += 1
        elif not all(ours.fullmatch(tag) for tag in image.tags):
            counts["foreign"] += 1
        elif now - max(image.pushed, image.pulled or image.pushed) < age:
            counts["young"] += 1
        else:
            prunable.append(image)
    return Sorted(tuple(sorted(prunable, key=lambda image: image.pushed)), **counts)


def release_heads(
    workspace: Workspace, image_repository: str, head_of: Callable[[str], Workspace]
) -> dict[str, Workspace]:
    """The head of each branch to which a model with this image repository is released, by the branch's name.

    Which models there are, and which branches are theirs, is what the heads themselves say.
    """
    heads: dict[str, Workspace] = {}
    wanted = {model.config.repository.branch for model in _sharing(workspace, image_repository)}
    while missing := sorted(wanted - heads.keys()):
        for branch in missing:
            heads[branch] = head_of(branch)
            wanted |= {model.config.repository.branch for model in _sharing(heads[branch], image_repository)}
    return heads


def _sharing(workspace: Workspace, image_repository: str) -> list[Model]:
    return [model for model in workspace if model.image_repository == image_repository]


def open_repository(model: Model) -> EcrRepository:
    """The ECR repository that `model` is published to, with the rights of whoever runs this."""
    if model.ecr is None:
        raise GeneratorError(f"{model.shown}: image.registry is not ECR; prune knows no other registry")
    aws = Aws(model.ecr.region, needs="prune", allow="for whoever runs this command")
    return EcrRepository(aws, model.ecr, model.config.image.repository or model.name)


def age_of(text: str) -> timedelta:
    """30d or 8w as a time."""
    match = re.fullmatch(r"([1-9]\d{0,3})([dw])", text, re.ASCII)
    if match is None:
        raise GeneratorError(f"--older-than is {text!r}: write days or weeks, such as 30d or 8w; 1d is the least")
    return timedelta(days=int(match[1]) * {"d": 1, "w": 7}[match[2]])


def _named(workspace: Workspace, models: list[Model], here: list[Model], home_of: HomeOf) -> set[str]:
    """Every digest that the ledgers of `models` name: what runs, what ran, what was rejected.

    Those `here` have all their ledgers on this branch; what it has of others may be old, and keeps what it names.
    """
    problems = all_ledger_problems(workspace)
    homes = {model.name: home_of(workspace, model) for model in models}
    for model in here:
        home = homes[model.name]
        problems += ledger_problems(home, model) if model.separate else []
        shown = [f"{model.overlay(target.name)}/release.yaml" for target in model.targets]
        absent = [path for path in shown if not (home / path).is_file()]
        problems += [Problem(path, 0, 0, "is not on the branch: what runs there is not known") for path in absent]
    if problems:
        raise InvalidInput(problems)
    digests: set[str] = set()
    for model in models:
        for ledger in ledgers(homes[model.name], model).values():
            current = (ledger.current,) if ledger.current else ()
            digests.update(item.digest for item in (*current, *ledger.history, *ledger.rejected))
    return digests


def _release_tags(model: Model) -> str:
    """A pattern of the image tags that releases of `model` get."""
    before, after = model.config.image.tag.replace("{name}", model.name).split("{version}")
    return f"{re.escape(before)}{PATTERN}{re.escape(after)}"
