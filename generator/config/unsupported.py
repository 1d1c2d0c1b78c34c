"""Keys that model.yaml defines and this version cannot honour yet: refused, never silently accepted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from generator.config.schema import ModelFile
from generator.yamlio import Document, Path_

_given: Callable[[Any], bool] = bool


def _differs(value: str) -> Callable[[Any], bool]:
    return lambda given: given not in (None, value)


_NOT_YET: tuple[tuple[Path_, Callable[[Any], bool], str], ...] = (
    (("train", "indexes"), _given, "leave it out; only the default package index is used"),
    (("train", "role"), _given, "leave it out"),
    (("train", "feast"), _given, "leave it out"),
    (("serve", "pull_secret"), _differs("none"), "use none (EKS nodes pull from ECR by themselves)"),
    (("serve", "hooks"), _given, "leave it out"),
    (("deploy", "repository"), _differs("same"), "use same"),
    (("deploy", "push", "mode"), _differs("token"), "use token"),
    (("deploy", "observe"), _differs("none"), "use none"),
)
_NOT_YET_IN_ENVIRONMENT: tuple[tuple[Path_, Callable[[Any], bool], str], ...] = (
    (("via",), _differs("commit"), "use commit"),
    (("approval",), _given, "leave it out"),
    (("rollback_on_failure",), _given, "leave it out"),
)

# For the reference page: every key above by its dotted name.
NOT_YET = frozenset(
    [".".join(map(str, path)) for path, test, _ in _NOT_YET if test is _given]
    + [
        f"deploy.environments.<environment>.{path[0]}"
        for path, test, _ in _NOT_YET_IN_ENVIRONMENT
        if test is _given
    ]
)


def unsupported(config: ModelFile, document: Document) -> Iterator[tuple[Path_, str]]:
    """(path, message) for each key of `document` whose feature does not exist yet."""
    rows = list(_NOT_YET)
    for name in config.deploy.environments:
        rows += [
            (("deploy", "environments", name, *path), test, advice)
            for path, test, advice in _NOT_YET_IN_ENVIRONMENT
        ]
    for path, test, advice in rows:
        if test(_at(document.data, path)):
            yield path, f"{'.'.join(map(str, path))} is not supported yet: {advice}"


def _at(data: Any, path: Path_) -> Any:
    for key in path:
        data = data.get(key) if isinstance(data, dict) else None
    return data
