"""From the command line's words to an origin: a folder as it is, else a name at a tracking server."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from generator.adapters.harness import MlflowHarness
from generator.adapters.uv import Uv
from generator.config.model import Model
from generator.config.workspace import load
from generator.errors import GeneratorError
from generator.ports import Environments, Harness, Reporter
from generator.serving.naming import RegisteredName, RunName, parse
from generator.serving.origin import FolderOrigin, Origin, RegistryOrigin
from generator.serving.tracking import Registry, tracking_of

POLL_SECONDS = 30.0


@dataclass(frozen=True)
class Asked:
    """What the user said about the model to serve."""

    source: str | None  # None: the model trained here last
    root: Path  # of the repository, where there is one
    tracking_uri: str | None = None
    poll: float = POLL_SECONDS  # seconds between two looks into the registry

    @property
    def work(self) -> Path:
        """Where environments and running servers are kept."""
        return self.root.resolve() / ".tagship" / "serve"


def origin_of(
    asked: Asked,
    reporter: Reporter,
    *,
    environments: Environments | None = None,
    harness: Harness | None = None,
) -> Origin:
    """The origin that `asked` means. Raises GeneratorError where it means none."""
    name = parse(asked.source) if asked.source is not None else None
    if name is None or isinstance(name, Path):
        return FolderOrigin(name, asked.root)
    model = _model(asked.root, name)
    registry = Registry(
        tracking_of(asked.tracking_uri, model, os.environ),
        model,
        asked.root,
        asked.work,
        environments or Uv(linked=True),
        harness or MlflowHarness(),
        reporter,
    )
    return RegistryOrigin(name, registry, asked.poll)


def _model(root: Path, name: RunName | RegisteredName) -> Model | None:
    """The repository's model that the name is about: the one called so, else the only one."""
    try:
        models = list(load(root))
    except GeneratorError:
        return None  # no repository, or one that is not needed for this
    for model in models:
        if isinstance(name, RegisteredName) and model.name == name.name:
            return model
    return models[0] if len({(item.config.tracking.uri, item.lock_file) for item in models}) == 1 else None
