"""Keys that model.yaml defines and this version cannot honour yet: refused, never silently accepted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from generator.config.schema import ModelFile
from generator.yamlio import Document, Path_

# Path, the only value that works (None where the key must be left out), and what to do.
_NOT_YET: tuple[tuple[Path_, str | None, str], ...] = (
    (("train", "indexes"), None, "leave it out; only the default package index is used"),
    (("train", "role"), None, "leave it out"),
    (("train", "feast"), None, "leave it out"),
    (("serve", "pull_secret"), "none", "use none (EKS nodes pull from ECR by themselves)"),
    (("deploy", "repository"), "same", "use same"),
    (("deploy", "push", "mode"), "token", "use token"),
    (("deploy", "observe"), "none", "use none"),
)
_NOT_YET_IN_ENVIRONMENT: tuple[tuple[Path_, str | None, str], ...] = (
    (("via",), "commit", "use commit"),
    (("approval",), None, "leave it out"),
    (("rollback_on_failure",), None, "leave it out"),
)


def _dotted(path: Path_) -> str:
    return ".".join(map(str, path))


# For the reference page: what to say of every key above, by its dotted name.
NOTES: dict[str, str] = {
    _dotted(path): f"*Only `{works}` yet.*" if works else "*Not yet.*"
    for path, works, _ in (
        *_NOT_YET,
        *(
            (("deploy", "environments", "<environment>", *path), works, advice)
            for path, works, advice in _NOT_YET_IN_ENVIRONMENT
        ),
    )
}


def unsupported(config: ModelFile, document: Document) -> Iterator[tuple[Path_, str]]:
    """(path, message) for each key of `document` whose feature does not exist yet."""
    rows = list(_NOT_YET)
    for name in config.deploy.environments:
        rows += [
            (("deploy", "environments", name, *path), works, advice)
            for path, works, advice in _NOT_YET_IN_ENVIRONMENT
        ]
    for path, works, advice in rows:
        if _at(document.data, path) not in (None, False, [], works):
            yield path, f"{_dotted(path)} is not supported yet: {advice}"


def _at(data: Any, path: Path_) -> Any:
    for key in path:
        data = data.get(key) if isinstance(data, dict) else None
    return data
