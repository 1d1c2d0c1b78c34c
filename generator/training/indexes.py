"""The private package indexes of a training, and the logins that the caller's environment holds for them."""

from __future__ import annotations

from collections.abc import Mapping

from generator.config.model import Model
from generator.config.schema import Index
from generator.errors import GeneratorError
from generator.ports import PackageIndex

TOKENS_USER = "__token__"  # what PyPI began and other indexes understand


def indexes_of(model: Model, given: Mapping[str, str]) -> tuple[PackageIndex, ...]:
    """In the order in which they are asked. `given` has each secret under its own name, or not at all.

    A secret that is absent is no error yet: on somebody's machine uv may find a login in .netrc or a keyring.
    """
    return tuple(
        PackageIndex(index.name, index.url, index.secret, _login(index, given))
        for index in model.config.train.indexes
    )


def _login(index: Index, given: Mapping[str, str]) -> tuple[str, str] | None:
    text = given.get(index.secret, "").strip() if index.secret else ""
    if not text:
        return None
    if not text.isprintable():
        raise GeneratorError(
            f"the secret {index.secret} of the package index {index.name} is more than one line of text: "
            "write user:password, or a token alone"
        )
    user, colon, password = text.partition(":")
    return (user, password) if colon else (TOKENS_USER, text)
