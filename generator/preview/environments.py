"""Each environment of each model on both sides of a change, rendered and compared."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generator.config.model import Model
from generator.config.workspace import Workspace
from generator.errors import GeneratorError
from generator.ledger import Ledger
from generator.ledger_checks import placed
from generator.ports import Renderer
from generator.preview.objects import Difference, differences, images


@dataclass(frozen=True)
class Side:
    """One commit as a clean folder. `workspace` is None where its model.yaml is absent or invalid."""

    commit: str
    root: Path
    workspace: Workspace | None

    def overlay(self, model: str, environment: str, other: Side) -> str | None:
        """The overlay's folder here, by this side's model.yaml or, where that is unreadable, by the other's."""
        for side in (self, other) if self.workspace is None else (self,):
            for found in side.workspace or ():
                if found.name == model and any(target.name == environment for target in found.targets):
                    return found.overlay(environment)
        return None

    def ledger(self, overlay: str | None) -> Ledger | None:
        found = placed(self.text(f"{overlay}/release.yaml"), "release.yaml") if overlay else None
        return found.ledger if found else None

    def text(self, path: str) -> str | None:
        """A file's text; None where there is none."""
        try:
            return (self.root / path).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None


@dataclass(frozen=True)
class Compared:
    """What becomes of one environment."""

    model: str
    environment: str
    state: str  # new, removed, or empty: as before
    before: str | None  # the version that its ledger names
    version: str | None
    differences: tuple[Difference, ...] = ()
    image_changed: bool = False
    broken_before: str | None = None  # why the base does not render
    broken: str | None = None  # why it does not render now

    @property
    def title(self) -> str:
        return f"{self.model} in {self.environment}"

    @property
    def unchanged(self) -> bool:
        return not (self.state or self.differences or self.broken_before or self.broken)


def environments(base: Side, head: Side, names: Collection[str], renderer: Renderer) -> tuple[Compared, ...]:
    """Every environment of the models called `names`, those that are gone last."""
    return tuple(
        _compared(model, environment, base, head, renderer)
        for model, environment in dict.fromkeys((*_pairs(head, names), *_pairs(base, names)))
    )


def _pairs(side: Side, names: Collection[str]) -> Iterator[tuple[str, str]]:
    models: tuple[Model, ...] = side.workspace.models if side.workspace else ()
    yield from ((model.name, target.name) for model in models if model.name in names for target in model.targets)


def _compared(model: str, environment: str, base: Side, head: Side, renderer: Renderer) -> Compared:
    places = base.overlay(model, environment, head), head.overlay(model, environment, base)
    ledgers = base.ledger(places[0]), head.ledger(places[1])
    (old, broken_before), (new, broken) = (
        _rendered(side, place, renderer) for side, place in zip((base, head), places, strict=True)
    )
    there = (old is not None or broken_before is not None, new is not None or broken is not None)
    comparable = not (broken or broken_before)
    return Compared(
        model,
        environment,
        state={(False, True): "new", (True, False): "removed", (False, False): "not generated"}.get(there, ""),
        before=_version(ledgers[0]),
        version=_version(ledgers[1]),
        differences=differences(old or (), new or ()) if comparable else (),
        image_changed=comparable and images(old or ()) != images(new or ()),
        broken_before=broken_before,
        broken=broken,
    )


def _version(ledger: Ledger | None) -> str | None:
    return ledger.current.version if ledger and ledger.current else None


def _rendered(
    side: Side, overlay: str | None, renderer: Renderer
) -> tuple[list[dict[str, Any]] | None, str | None]:
    """The overlay's objects, or why it does not render; neither where there is no overlay."""
    if overlay is None or not (side.root / overlay / "kustomization.yaml").is_file():
        return None, None
    try:
        return renderer.build(side.root / overlay), None
    except GeneratorError as error:
        return None, without_folder(str(error), side.root)


def without_folder(message: str, root: Path) -> str:
    """`message` without where this machine keeps its temporary folders."""
    for folder in (str(root.resolve()), str(root)):
        message = message.replace(f"{folder}/", "").replace(folder, ".")
    return message
