"""Whose files a folder of a configuration repository holds: `.tagship.source.yaml`, beside its `k8s/`.

A configuration repository has no model.yaml. What its checks and a deploy must know of one stands here: the model,
the repository that it comes from, and its environments in the order of promotion.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from generator.config import types as t
from generator.config.addresses import canonical
from generator.config.model import Model
from generator.errors import GeneratorError, InvalidInput
from generator.yamlio import read

SOURCE = ".tagship.source.yaml"


class Source(t.Section):
    """The whole of .tagship.source.yaml."""

    model: t.Name
    repository: t.GitUrl
    environments: Annotated[tuple[t.EnvironmentName, ...], t.Listed, Field(min_length=1)]

    def overlay(self, environment: str) -> str:
        """The overlay's folder, from the configuration repository's root."""
        return f"{self.model}/k8s/overlays/{environment}"


def read_source(path: Path, shown: str) -> Source:
    """The file at `path`. Raises InvalidInput where it is none that `generate` writes."""
    document = read(path, shown)
    try:
        return Source.model_validate(document.data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        message = f"{first['msg']}; `generator generate --into` of its repository writes it: restore it with git"
        raise InvalidInput([document.problem(tuple(first["loc"]), message)]) from error


def check_owner(root: Path, model: Model) -> None:
    """Refuses a folder of the configuration repository at `root` that another repository's model has."""
    if (root / model.home).is_symlink():
        raise GeneratorError(f"{model.home}: is a symbolic link; replace it by a real folder")
    shown = f"{model.home}/{SOURCE}"
    if not (root / shown).is_file():
        return
    found, url = read_source(root / shown, shown), model.config.repository.url or ""
    if found.model != model.name or canonical(found.repository) != canonical(url):
        raise GeneratorError(
            f"{shown}: {model.home}/ holds {found.model} of {found.repository}, not of {url}. Two models "
            "of one name cannot share a configuration repository: rename this one. If the repository has moved, "
            "correct the address in that file"
        )
