"""Where a served model is from: looks whether it changed, and brings it with what /metadata says of it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import yaml

from generator.artifacts import RegisteredModel, TrainedModel
from generator.errors import GeneratorError
from generator.image.context import release_facts
from generator.serving.naming import RegisteredName, RunName
from generator.serving.tracking import Registry
from generator.version import PATTERN

Facts = dict[str, str | None]
_RELEASE_TAG = re.compile(rf"(?P<name>[a-z][a-z0-9-]*?)-(?P<version>{PATTERN})")


@dataclass(frozen=True)
class Served:
    """A model on this machine."""

    model: Path  # the folder with the MLmodel file
    facts: Facts  # the content of release.json
    seen: object  # what `look` would have said when it was brought


class Origin(Protocol):
    """A place that a model comes from."""

    @property
    def shown(self) -> str: ...

    @property
    def every(self) -> float | None:
        """Seconds between two looks; None where nothing can change."""

    def look(self) -> object:
        """What is there now: another answer means another model. Raises GeneratorError where nothing is."""

    def bring(self, folder: Path) -> Served:
        """The model; one that has to be downloaded lies in `folder` afterwards."""


@dataclass(frozen=True)
class FolderOrigin:
    """A folder on this machine; without one, the model that was trained here last."""

    folder: Path | None
    root: Path
    every: float | None = 1.0

    @property
    def shown(self) -> str:
        return str(self.folder or self._model())

    def look(self) -> object:
        model = self._model()
        return str(model), tuple(sorted(_fingerprints(model)))

    def bring(self, folder: Path) -> Served:  # noqa: ARG002  (nothing is downloaded)
        seen, model = self.look(), self._model()
        return Served(model, _local_facts(model), seen)

    def _model(self) -> Path:
        if self.folder is None:
            return newest_model(self.root)
        return self.folder if (self.folder / "MLmodel").is_file() else self.folder / "model"


def newest_model(root: Path) -> Path:
    """The model that was trained last in this repository."""
    found = sorted((root / ".tagship").glob("*/model/MLmodel"), key=_modified)
    if not found:
        raise GeneratorError(
            "no trained model here: name a folder with an MLmodel file, or keep a rehearsal's "
            "(`generator rehearse --keep FOLDER`, then `generator serve FOLDER/<model>-<version>`)"
        )
    return found[-1].parent


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0  # replaced this moment


def _fingerprints(folder: Path) -> Iterator[tuple[str, int, int, int]]:
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue  # replaced this moment; the next look sees what by
            yield str(path.relative_to(folder)), stat.st_ino, stat.st_mtime_ns, stat.st_size


def _local_facts(model: Path) -> Facts:
    """Of the release whose artifacts stand beside the model, else what the folder and its MLmodel file say."""
    try:
        trained = TrainedModel.model_validate_json((model.parent / "train.json").read_bytes())
    except (OSError, ValueError):
        described = read_mlmodel(model)
        name = model.resolve().name
        return {**_EMPTY, "name": name, "version": "0.0.0", "run_id": _text(described.get("run_id"))}
    try:
        registered = RegisteredModel.model_validate_json((model.parent / "register.json").read_bytes())
    except (OSError, ValueError):
        registered = RegisteredModel(
            **trained.model_dump(include=set(RegisteredModel.model_fields) & set(TrainedModel.model_fields)),
            registered=None,
            registered_version=None,
        )
    return release_facts(trained, registered)


_EMPTY: Facts = dict.fromkeys(("run_id", "commit", "data_hash", "registered_version", "created"))


@dataclass(frozen=True)
class RegistryOrigin:
    """A run or a registered model at a tracking server."""

    name: RunName | RegisteredName
    registry: Registry
    seconds: float = 30.0  # between two looks; each starts a Python that imports MLflow

    @property
    def shown(self) -> str:
        return str(self.name)

    @property
    def every(self) -> float | None:
        return self.seconds if isinstance(self.name, RegisteredName) and self.name.moves else None

    def look(self) -> object:
        return _seen(self.registry.ask(self._asked(), output=None))

    def bring(self, folder: Path) -> Served:
        # Asked first: what an alias means may change while a large model is on its way.
        answer = self.registry.ask(self._asked(), output=folder)
        return Served(folder / "model", _registry_facts(answer), _seen(answer))

    def _asked(self) -> Mapping[str, Any]:
        if isinstance(self.name, RunName):
            return {"kind": "run", "run_id": self.name.run_id, "path": self.name.path}
        return {
            "kind": "registered",
            "name": self.name.name,
            "version": self.name.version,
            "alias": self.name.alias,
        }


def _seen(answer: Mapping[str, Any]) -> object:
    return tuple(answer.get(key) for key in ("name", "version", "model_id", "run_id"))


def _registry_facts(answer: Mapping[str, Any]) -> Facts:
    """A release's name and version where the model is one's; else the registry's, or the run's."""
    registered, run_id = _text(answer.get("version")), _text(answer.get("run_id"))
    release = _RELEASE_TAG.fullmatch(str(answer.get("release") or ""))
    name = str(answer.get("name"))
    return {
        **_EMPTY,
        "name": release["name"] if release and registered is None else name,
        "version": release["version"] if release else registered or str(run_id)[:8],
        "run_id": run_id,
        "commit": _text(answer.get("commit")),
        "registered_version": registered,
        "created": _text(answer.get("created")),
    }


def _text(value: object) -> str | None:
    return None if value in (None, "") else str(value)


def read_mlmodel(model: Path) -> Mapping[str, Any]:
    """The MLmodel file's content. Raises GeneratorError where there is none, or where it is none."""
    if not (model / "MLmodel").is_file():
        raise GeneratorError(f"{model} holds no MLmodel file: name the folder of an MLflow model")
    try:
        described = yaml.load((model / "MLmodel").read_text(encoding="utf-8"), yaml.CSafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise GeneratorError(f"{model / 'MLmodel'} cannot be read: {error}") from error
    if not isinstance(described, dict):
        raise GeneratorError(f"{model / 'MLmodel'} is no MLmodel file")
    return described
