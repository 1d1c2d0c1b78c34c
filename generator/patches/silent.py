"""Patches that kustomize takes without a word although they cannot do what they mean.

A strategic merge finds a container by its name. Where that is gone it adds one, which then has no image; a
`$patch: delete` of what is not there deletes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from generator.errors import Problem
from generator.patches.reading import Object, Part, Patch
from generator.yamlio import Path_

_CONTAINERS = ("containers", "initContainers")


def silent_problems(patch: Patch, before: list[Object], after: list[Object]) -> Iterator[Problem]:
    """What `patch`, between `before` and `after`, did not do."""
    incomplete = _without_image(after) - _without_image(before)
    for part in patch.parts:
        if part.is_operation:
            continue
        yield from _added(part, incomplete, before)
        yield from _deletes_nothing(patch, part, before)


def _without_image(objects: list[Object]) -> set[str]:
    return {str(one.get("name")) for item in objects for one in _containers(item) if "image" not in one}


def _containers(item: Object) -> Iterator[Object]:
    for path, value in _walk(item):
        if len(path) > 1 and path[-2] in _CONTAINERS and isinstance(value, dict):
            yield value


def _added(part: Part, incomplete: set[str], before: list[Object]) -> Iterator[Problem]:
    """Containers of the patch that came without an image."""
    for path, value in _walk(part.data):
        named = isinstance(value, dict) and value.get("name")
        if len(path) > 1 and path[-2] in _CONTAINERS and named in incomplete:
            there = sorted({str(one["name"]) for item in before for one in _containers(item) if "image" in one})
            message = (
                f"there is no container {named}, so this adds one, without an image; there is: "
                f"{', '.join(there)}. Correct the name, or give the new one its image"
            )
            yield part.problem((*path, "name"), message)


def _deletes_nothing(patch: Patch, part: Part, before: list[Object]) -> Iterator[Problem]:
    for path, value in _walk(part.data):
        if not path or not isinstance(value, dict) or value.get("$patch") != "delete":
            continue
        wanted = {key: one for key, one in value.items() if key != "$patch"}
        if wanted and isinstance(path[-1], int) and not _has(patch, part, before, path, wanted):
            which = ", ".join(f"{key} {one}" for key, one in wanted.items())
            message = f"deletes nothing: {path[-2]} has none with {which}. Correct it, or remove it"
            yield part.problem(path, message)


def _has(patch: Patch, part: Part, before: list[Object], path: Path_, wanted: Object) -> bool:
    """Whether an object that is patched has such an element in the list of `path`."""
    metadata = part.data.get("metadata")
    own = (part.data.get("kind"), metadata.get("name") if isinstance(metadata, dict) else None)
    parent = _named(part.data, path[:-1])
    for item in before:
        if patch.target is None and (item["kind"], item["metadata"]["name"]) != own:
            continue
        for there, value in _walk(item):
            listed = isinstance(value, dict) and there and isinstance(there[-1], int)
            if listed and wanted.items() <= value.items() and _named(item, there[:-1]) == parent:
                return True
    return False


def _named(value: Any, path: Path_) -> list[str]:
    """The path with the names of what it leads through instead of places in lists."""
    found = []
    for key in path:
        value = value[key]
        named = isinstance(key, int) and isinstance(value, dict) and "name" in value
        found.append(str(value["name"] if named else key))
    return found


def _walk(value: Any, path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """Every value below `value`, and itself, with its path."""
    yield path, value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _walk(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _walk(inner, (*path, number))
