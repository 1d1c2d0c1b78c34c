"""The folder of one release, in which stages leave their artifacts for the next ones."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from generator.artifacts import Artifact
from generator.disk import write_atomically
from generator.errors import GeneratorError

A = TypeVar("A", bound=Artifact)


@dataclass(frozen=True)
class Store:
    """One release's folder, `.tagship/<name>-<version>`: artifacts as <stage>.json, and what belongs to them."""

    folder: Path

    def path(self, stage: str) -> Path:
        return self.folder / f"{stage}.json"

    def has(self, stage: str) -> bool:
        return self.path(stage).is_file()

    def write(self, stage: str, artifact: Artifact) -> None:
        """All of it or nothing, whenever the process is killed."""
        write_atomically(self.path(stage), artifact.model_dump_json(indent=2) + "\n")

    def sha256(self, stage: str) -> str:
        return hashlib.sha256(self._bytes(stage)).hexdigest()

    def read(self, stage: str, kind: type[A], *, name: str, version: str, commit: str) -> A:
        """The artifact of `stage`, which must be this release's. Raises GeneratorError where it is not."""
        artifact = read_artifact(self.path(stage), kind, f"generator stage {stage}")
        for what, expected in (("name", name), ("version", version), ("commit", commit)):
            found = getattr(artifact, what)
            if found != expected:
                raise GeneratorError(
                    f"{self.path(stage).name}: {what} is {found}, but this release's is {expected}; "
                    f"the artifact is refused, run `generator stage {stage}` again"
                )
        return artifact

    def _bytes(self, stage: str) -> bytes:
        return _bytes(self.path(stage), f"generator stage {stage}")


def read_artifact(path: Path, kind: type[A], made_by: str) -> A:
    """The artifact at `path`, of whatever release it is; the command `made_by` brings one. Else GeneratorError."""
    try:
        return kind.model_validate_json(_bytes(path, made_by))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise GeneratorError(
            f"{path.name}: {where}: {first['msg']}; the artifact is refused, run `{made_by}` again"
        ) from error


def _bytes(path: Path, made_by: str) -> bytes:
    try:
        with path.open("rb") as stream:
            raw = stream.read(4 * 2**20 + 1)
    except FileNotFoundError as error:
        raise GeneratorError(f"no {path}: run `{made_by}` first") from error
    if len(raw) > 4 * 2**20:
        raise GeneratorError(f"{path.name} is larger than 4 MiB; the artifact is refused")
    return raw
