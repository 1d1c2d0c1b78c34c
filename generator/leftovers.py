"""Objects that files for the reconciler held and hold no more: a cluster keeps what was applied there once."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

import yaml

from generator.config.model import Model
from generator.files import Change, Kind
from generator.plan.reconciler import FOLDER, plan_reconciler
from generator.render import text_of


@dataclass(frozen=True)
class Leftover:
    """One object, and the file that it was applied from."""

    kind: str
    group: str  # of its API; empty for the core's
    namespace: str
    name: str
    file: str

    @property
    def command(self) -> str | None:
        """How a person deletes it; None for a namespace, since all in it would go along."""
        if self.kind == "Namespace":
            return None
        kind = ".".join(filter(None, (self.kind.lower(), self.group)))
        return shlex.join(["kubectl", "--namespace", self.namespace, "delete", f"{kind}/{self.name}"])


def leftovers(changes: Iterable[Change], elsewhere: Iterable[Model] = ()) -> list[Leftover]:
    """What the changed files together held before and do not hold afterwards, users before what they use.

    Nor do files of the models `elsewhere`, whose repository is not at hand. A file that is left alone keeps all.
    """
    ours = [change for change in changes if FOLDER in str(PurePosixPath(change.path).parent)]
    left = (Kind.KEEP_ORPHAN, Kind.FOREIGN)
    after = [change.before if change.kind in left else change.after for change in ours]
    texts = [*after, *_planned(list(elsewhere))]
    kept = {_named(one) for text in texts for one in _objects("", text)}
    before = [one for change in ours for one in reversed(list(_objects(change.path, change.before)))]
    return [one for one in before if _named(one) not in kept]


def _planned(models: list[Model]) -> Iterator[str]:
    return (text_of(file) for model in models for file in plan_reconciler(model, models))


def _named(found: Leftover) -> tuple[str, str, str, str]:
    return found.kind, found.group, found.namespace, found.name


def _objects(file: str, text: str | None) -> Iterator[Leftover]:
    """None where somebody has made the file something else."""
    try:
        documents = [one for one in yaml.load_all(text or "", Loader=yaml.CSafeLoader) if isinstance(one, dict)]
    except yaml.YAMLError:
        return
    for one in documents:
        metadata = one.get("metadata")
        if isinstance(metadata, dict) and "name" in metadata:
            group = str(one.get("apiVersion", "")).rpartition("/")[0]
            namespace = str(metadata.get("namespace", ""))
            yield Leftover(str(one.get("kind")), group, namespace, str(metadata["name"]), file)
