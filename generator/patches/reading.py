"""An overlay's patches as their author wrote them: each entry of `patches`, and where each part of it stands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ruamel.yaml.error import YAMLError

from generator.errors import InvalidInput, Problem
from generator.patches.scalars import values_of
from generator.yamlio import Document, Path_, parse_all

FOLDER = "patches"
SUFFIXES = (".yaml", ".yml", ".json")

Object = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """What of a patch applies or does not by itself: an operation of JSON 6902, or a strategic merge's object."""

    data: Object
    document: Document
    path: Path_
    is_operation: bool

    def problem(self, inner: Path_, message: str) -> Problem:
        return self.document.problem((*self.path, *inner), message)


@dataclass(frozen=True)
class Patch:
    """One entry of `patches`. `parts` is empty where its text cannot be read; kustomize says why."""

    entry: Object
    listed: Document  # the kustomization.yaml
    at: Path_
    parts: tuple[Part, ...]

    @property
    def target(self) -> Object | None:
        return self.entry.get("target")

    def problem(self, message: str, *inner: str) -> Problem:
        return self.listed.problem((*self.at, *inner), message)

    def upto(self, count: int | None = None) -> Object:
        """The entry, its operations strictly; with `count` only that many of its parts."""
        parts = self.parts[:count]
        if not parts or (count is None and not parts[0].is_operation):
            return self.entry
        if parts[0].is_operation:
            text = _json([operation for part in parts for operation in _strictly(part.data)])
        else:
            text = "\n---\n".join(_json(part.data) for part in parts)
        return {**{key: value for key, value in self.entry.items() if key != "path"}, "patch": text}


def _json(value: Any) -> str:
    """YAML, too; `!!binary` and the like are text."""
    return json.dumps(value, default=str)


def _strictly(operation: Object) -> list[Object]:
    """The operation so that kustomize refuses it where RFC 6902 does.

    It takes `replace` of an absent member as `add`, and `copy` of one as null; `remove` and `move` it refuses.
    """
    path, source, aside = operation.get("path"), operation.get("from"), "/tagship-aside"
    if operation.get("op") == "replace" and path:
        return [{"op": "remove", "path": path}, {**operation, "op": "add"}]
    if operation.get("op") == "copy" and source:
        away = {"op": "move", "from": source, "path": aside}
        return [away, {"op": "move", "from": aside, "path": source}, operation]
    return [operation]


def mentions(overlay: Path) -> bool:
    """Whether patches may be listed there; far cheaper than reading it."""
    file = overlay / "kustomization.yaml"
    return file.is_file() and re.search(r"^[^#\n]*patches", _text(file), re.MULTILINE) is not None


def kustomization(overlay: Path, shown: str) -> Document | None:
    """The overlay's kustomization.yaml; None where there is none that kustomize could read either."""
    file = overlay / "kustomization.yaml"
    documents = _read(_text(file), f"{shown}/{file.name}", patch=False) if file.is_file() else []
    return documents[0] if documents and isinstance(documents[0].data, dict) else None


def patches_of(overlay: Path, shown: str, listed: Document) -> Iterator[Patch]:
    """What `patches` lists, in its order."""
    for number, entry in entries(listed):
        at: Path_ = ("patches", number)
        yield Patch(entry, listed, at, tuple(_parts(overlay, shown, entry, listed, at)))


def entries(listed: Document) -> Iterator[tuple[int, Object]]:
    """Those of `patches` that are any, with their numbers; kustomize refuses all else."""
    found = listed.data.get("patches")
    for number, entry in enumerate(found if isinstance(found, list) else ()):
        if isinstance(entry, dict):
            yield number, entry


def listed_files(listed: Document) -> set[str]:
    """Every path that the kustomization names anywhere, such as those of patches."""

    def strings(value: Any) -> Iterator[str]:
        if isinstance(value, dict | list):
            for inner in value.values() if isinstance(value, dict) else value:
                yield from strings(inner)
        elif isinstance(value, str):
            yield from (value, value.rpartition("=")[2])

    return {text.removeprefix("./") for text in strings(listed.data)}


def forgotten(overlay: Path, shown: str, listed: Document) -> Iterator[Problem]:
    """Files in patches/ that kustomize does not read."""
    named = listed_files(listed)
    for file in sorted((overlay / FOLDER).rglob("*")):
        path = file.relative_to(overlay).as_posix()
        below = any(path.startswith(f"{name.rstrip('/')}/") for name in named if name)
        if file.suffix in SUFFIXES and file.is_file() and path not in named and not below:
            message = (
                f"is listed nowhere, so kustomize does not read it: add `- path: {path}` to `patches:` in "
                f"{listed.file}, or remove the file"
            )
            yield Problem(f"{shown}/{path}", 0, 0, message)


def _parts(overlay: Path, shown: str, entry: Object, listed: Document, at: Path_) -> Iterator[Part]:
    for document in _documents(overlay, shown, entry, listed, at):
        if isinstance(document.data, list):
            for number, operation in enumerate(document.data):
                if isinstance(operation, dict):
                    yield Part(operation, document, (number,), is_operation=True)
        elif isinstance(document.data, dict):
            yield Part(document.data, document, (), is_operation=False)


def _documents(overlay: Path, shown: str, entry: Object, listed: Document, at: Path_) -> list[Document]:
    path, text = entry.get("path"), entry.get("patch")
    if isinstance(path, str) and (overlay / path).is_file():
        return _read(_text(overlay / path), f"{shown}/{path.removeprefix('./')}")
    if isinstance(text, str):
        return [_moved(document, text, overlay, listed, (*at, "patch")) for document in _read(text, listed.file)]
    return []


def _moved(document: Document, text: str, overlay: Path, listed: Document, at: Path_) -> Document:
    """Places in a patch that stands in the kustomization itself: in a block each line is found again."""
    line, column = listed.values.get(at, (1, 1))
    lines = _text(overlay / "kustomization.yaml").splitlines()
    begins = lines[line - 1][column - 1 :].startswith("|") if line <= len(lines) else False
    first, written = text.split("\n", 1)[0], lines[line] if begins and line < len(lines) else ""
    if not begins or not written.endswith(first):
        return Document(document.file, document.data, {(): (line, column)}, {(): (line, column)})
    indent = len(written) - len(first)

    def move(places: dict[Path_, tuple[int, int]]) -> dict[Path_, tuple[int, int]]:
        return {path: (line + there[0], indent + there[1]) for path, there in places.items()}

    return Document(document.file, document.data, move(document.keys), move(document.values))


def _text(file: Path) -> str:
    """What is not UTF-8 is for kustomize to refuse."""
    return file.read_text(encoding="utf-8", errors="replace")


def _read(text: str, shown: str, *, patch: bool = True) -> list[Document]:
    """What kustomize reads, with the places of a strict parse; what only kustomize takes (an anchor) has none."""
    try:
        values = values_of(text, patch=patch)
    except (YAMLError, ValueError):
        return []
    try:
        placed = [document for document in parse_all(text, shown) if document.data is not None]
    except InvalidInput:
        placed = [Document(shown, None, {}, {(): (1, 1)}) for _ in values]
    return [replace(document, data=data) for document, data in zip(placed, values, strict=True)]
