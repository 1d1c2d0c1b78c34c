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
from generator.yamlio import Document, parse, read

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
    return _source(read(path, shown))


def parse_source(text: str, shown: str) -> Source:
    """The same of a file's text."""
    return _source(parse(text, shown))


def _source(document: Document) -> Source:
    try:
        return Source.model_validate(document.data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        message = f"{first['msg']}; `generator generate --into` of its repository writes it: restore it with git"
        raise InvalidInput([document.problem(tuple(first["loc"]), message)]) from error


def check_owner(root: Path, model: Model, *, may_begin: bool = False) -> None:
    """Refuses a folder of the configuration repository at `root` that is not this repository's model's.

    With `may_begin` it may be nobody's yet, as long as no ledger is there: that would become this model's.
    """
    if (root / model.home).is_symlink():
        raise GeneratorError(f"{model.home}: is a symbolic link; replace it by a real folder")
    shown = f"{model.home}/{SOURCE}"
    if not (root / shown).is_file():
        begun = any((root / model.home).glob("k8s/overlays/*/release.yaml"))
        if may_begin and not begun:
            return
        how = "restore it with git" if begun else "run `generator generate --into CHECKOUT`, commit and push"
        raise GeneratorError(f"{shown} is not there, and nothing else says whose {model.home}/ is: {how}")
    found, url = read_source(root / shown, shown), model.config.repository.url or ""
    if found.model != model.name or canonical(found.repository) != canonical(url):
        raise GeneratorError(
            f"{shown}: {model.home}/ holds {found.model} of {found.repository}, not of {url}. Two models "
            "of one name cannot share a configuration repository: rename this one. If the repository has moved, "
            "correct the address in that file"
        )


def check_place(model: Model, head: Model, *, branch: str) -> None:
    """Refuses a model.yaml that has its overlays elsewhere than the release branch's `head` has them by now."""
    if _place(model) != _place(head):
        raise GeneratorError(
            f"{model.shown} here has the overlays in {_place(model)}, but {branch} has them in {_place(head)}: a "
            f"commit to the former changes nothing that runs. Pull {branch} and run it there; what was tagged "
            "before is released anew, as a higher version"
        )


def _place(model: Model) -> str:
    if not model.separate:
        return "this repository"
    return f"{canonical(str(model.overlays_url))}, branch {model.overlays_branch}"
