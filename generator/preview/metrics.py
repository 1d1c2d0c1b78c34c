"""What a training of this change says, beside what runs: metrics, the gate, the image's size.

Artifacts come from jobs that ran the user's code: they are read through their strict schemas and only shown.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from generator.artifacts import Artifact, BuiltImage, GateReport, TrainedModel
from generator.config.model import Model
from generator.ledger import Entry
from generator.preview.environments import Side

KINDS: dict[str, type[Artifact]] = {
    "train.json": TrainedModel,
    "gate.json": GateReport,
    "package.json": BuiltImage,
}
_LARGEST = 4 * 2**20

A = TypeVar("A", bound=Artifact)


@dataclass(frozen=True)
class Difference:
    """A figure of this training beside that of a release. `verdict` is empty where nothing says what is better."""

    absolute: float
    relative: float | None  # None where it is relative to nothing
    verdict: str


@dataclass(frozen=True)
class Row:
    """A metric: what it is now, and per release beside it what it was there and how far that is."""

    metric: str
    value: float | str
    others: tuple[tuple[float | str | None, Difference | None], ...]


@dataclass(frozen=True)
class Beside:
    """A release that is compared with; None: nothing was ever released there."""

    environment: str
    entry: Entry | None


@dataclass(frozen=True)
class Trained:
    """All artifacts of one training."""

    model: Model
    version: str
    commit: str
    beside: tuple[Beside, ...]
    training: TrainedModel | None
    gate: GateReport | None
    built: BuiltImage | None

    def rows(self) -> Iterator[Row]:
        """Metrics that have a threshold first, then by name."""
        metrics = self.training.metrics if self.training else {}
        gated = [name for name in self.model.config.gate.metrics if name in metrics]
        for name in (*gated, *sorted({*metrics} - {*gated})):
            others = [beside.entry.metrics.get(name) if beside.entry else None for beside in self.beside]
            differences = [self._difference(name, metrics[name], other) for other in others]
            yield Row(name, metrics[name], tuple(zip(others, differences, strict=True)))

    def _difference(self, name: str, ours: float | str, theirs: float | str | None) -> Difference | None:
        if isinstance(ours, str) or theirs is None or isinstance(theirs, str):
            return None
        absolute = ours - theirs
        if not math.isfinite(absolute):
            return None
        return Difference(absolute, absolute / abs(theirs) if theirs else None, self._verdict(name, absolute))

    def _verdict(self, name: str, absolute: float) -> str:
        gate = self.model.config.gate
        threshold = gate.metrics.get(name)
        if threshold is None or not absolute:
            return "" if absolute else "the same"
        if (absolute > 0) is (threshold.min is not None):  # as the gate reads a threshold of both
            return "better"
        compared = (gate.champion and gate.champion.metric) or next(iter(gate.metrics))
        tolerance = gate.champion.tolerance if gate.champion and compared == name else 0.0
        return "worse, within the tolerance" if abs(absolute) <= tolerance else "worse"


def read_trained(paths: Iterable[Path], head: Side) -> tuple[tuple[Trained, ...], tuple[str, ...]]:
    """The trainings that these files (or folders with them) are of, and what was refused of them."""
    found: dict[tuple[str, str], dict[str, Artifact]] = {}
    refused = []
    known = {model.name: model for model in head.workspace or ()}
    for path in _files(paths):
        artifact = _read(path)
        if isinstance(artifact, str):
            refused.append(artifact)
        elif artifact.name not in known:
            refused.append(f"{path.name}: there is no model {artifact.name}; it is not shown")
        else:
            found.setdefault((artifact.name, artifact.version), {})[path.name] = artifact
    return tuple(_trained(known[name], parts, head) for (name, _), parts in sorted(found.items())), tuple(refused)


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(found for name in KINDS for found in path.rglob(name))
        else:
            yield path


def _read(path: Path) -> Artifact | str:
    """The artifact, or why it is refused."""
    if path.name not in KINDS:
        return f"{path.name}: is none of {', '.join(KINDS)}; it is not shown"
    try:
        with path.open("rb") as stream:
            raw = stream.read(_LARGEST + 1)
        if len(raw) > _LARGEST:
            return f"{path.name}: is larger than 4 MiB; it is not shown"
        return KINDS[path.name].model_validate_json(raw)
    except OSError as error:
        return f"{path.name}: cannot be read: {error.strerror}"
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        return f"{path.name}: {where}: {first['msg']}; it is not shown"


def _trained(model: Model, parts: dict[str, Artifact], head: Side) -> Trained:
    # The ledgers of a configuration repository are not here, and this job has no key to them.
    targets = {} if model.separate else dict.fromkeys((model.targets[-1].name, model.targets[0].name))
    ledgers = {name: head.ledger(model.overlay(name)) for name in targets}
    some = next(iter(parts.values()))
    return Trained(
        model,
        some.version,
        some.commit,
        tuple(Beside(name, ledger.current if ledger else None) for name, ledger in ledgers.items()),
        _one(parts, TrainedModel),
        _one(parts, GateReport),
        _one(parts, BuiltImage),
    )


def _one(parts: dict[str, Artifact], kind: type[A]) -> A | None:
    return next((item for item in parts.values() if isinstance(item, kind)), None)
