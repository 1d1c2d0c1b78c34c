"""Keys that model.yaml defines and this version cannot honour yet: refused, never silently accepted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from generator.config.ecr import ecr_of
from generator.config.schema import ModelFile
from generator.yamlio import Document, Path_

# Path, the values that work (none where the key must be left out), and what to do.
Row = tuple[Path_, tuple[str, ...], str]
_NOT_YET: tuple[Row, ...] = ((("train", "feast"), (), "leave it out"),)


def _dotted(path: Path_) -> str:
    return ".".join(map(str, path))


# For the reference page: what to say of every key above, by its dotted name.
NOTES: dict[str, str] = {
    _dotted(path): f"*Only {' and '.join(f'`{value}`' for value in works)} yet.*" if works else "*Not yet.*"
    for path, works, _ in _NOT_YET
}


def unsupported(config: ModelFile, document: Document) -> Iterator[tuple[Path_, str]]:
    """(path, message) for each key of `document` whose feature does not exist yet."""
    rows = list(_NOT_YET)
    for first in list(config.deploy.environments)[:1]:
        path: Path_ = ("deploy", "environments", first, "approval")
        rows.append((path, (), "leave it out of the first environment; protect the release tags instead"))
    for path, works, advice in rows:
        if _at(document.data, path) not in (None, False, [], *works):
            yield path, f"{_dotted(path)} is not supported yet: {advice}"
    if message := _training_role(config):
        yield ("train", "role"), message


def _training_role(config: ModelFile) -> str | None:
    role = config.train.role
    ecr = ecr_of(config.image.registry)
    if role and (ecr is None or ecr.account != role.split(":")[4]):
        return "train.role is supported only in the account of an ECR registry (image.registry) yet: leave it out"
    if role and role == config.image.role:
        return "train.role is the role that publishes (image.role): the script must never have it; name another"
    return None


def _at(data: Any, path: Path_) -> Any:
    for key in path:
        data = data.get(key) if isinstance(data, dict) else None
    return data
