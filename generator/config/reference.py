"""What model.yaml may hold, for editors (JSON Schema) and for people (the reference page)."""

from __future__ import annotations

import json
import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from generator.config.schema import ModelFile, WorkspaceFile
from generator.config.types import Matching, Section
from generator.config.unsupported import NOTES

_ONE_OF = {"env": "variable"}  # what a mapping's key names, where it is not the mapping's name less an s


def json_schema(*, workspace: bool = False) -> str:
    """The JSON Schema (draft 2020-12) of model.yaml, or of tagship.yaml."""
    schema = (WorkspaceFile if workspace else ModelFile).model_json_schema(mode="validation")
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def reference() -> str:
    """docs/model-yaml.md, from the schema itself."""
    lines = [
        "# model.yaml, key by key",
        "",
        "Made from the schema by `generator schema --markdown`; a test fails when this page is stale. An",
        "unknown key is an error. *Not yet*, *only … yet*: the key or the other values are known, and refused",
        "until their feature exists.",
        "",
    ]
    for path, section in _sections(ModelFile, ""):
        lines += [f"## {f'`{path}`' if path else 'The file'}", ""]
        lines += [" ".join((section.__doc__ or "").split()), ""]
        lines += ["| key | value | default | meaning |", "| --- | --- | --- | --- |"]
        for name, field in section.model_fields.items():
            name = field.alias or name
            full = f"{path}.{name}".lstrip(".")
            note = f" {NOTES[full]}" if full in NOTES else ""
            cells = (f"`{name}`", _kind(field), _default(field), (field.description or "") + note)
            lines.append(f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in cells)} |")
        lines.append("")
    return "\n".join(lines)


def _sections(section: type[Section], path: str) -> Iterator[tuple[str, type[Section]]]:
    yield path, section
    for name, field in section.model_fields.items():
        inner = _inner_section(field.annotation)
        if inner is not None:
            mapping = get_origin(_bare(field.annotation)) is dict
            suffix = f".<{_ONE_OF.get(name, name.removesuffix('s'))}>" if mapping else ""
            yield from _sections(inner, f"{path}.{name}{suffix}".lstrip("."))


def _bare(kind: Any) -> Any:
    return _bare(get_args(kind)[0]) if get_origin(kind) is Annotated else kind


def _inner_section(kind: Any) -> type[Section] | None:
    if isinstance(kind, type) and issubclass(kind, Section):
        return kind
    for inner in get_args(kind):
        if (found := _inner_section(inner)) is not None:
            return found
    return None


def _kind(field: FieldInfo) -> str:
    meanings = [item for item in field.metadata if isinstance(item, Matching)]
    return meanings[0].meaning if meanings else _words(field.annotation)


def _words(kind: Any) -> str:
    for item in getattr(kind, "__metadata__", ()):
        if isinstance(item, Matching):
            return item.meaning
    kind, origin = _bare(kind), get_origin(_bare(kind))
    if origin is Literal:
        return ", ".join(f"`{_plain(choice)}`" for choice in get_args(kind))
    if origin in (Union, types.UnionType):
        return " or ".join(_words(item) for item in get_args(kind) if item is not type(None))
    if origin is tuple:
        return f"list of: {_words(get_args(kind)[0])}"
    if origin is dict:
        return "mapping, see below" if _inner_section(kind) else "mapping"
    if isinstance(kind, type) and issubclass(kind, Section):
        return "mapping, see below"
    return {str: "text", int: "whole number", float: "number", bool: "`true` or `false`"}.get(kind, str(kind))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    if field.default_factory is not None or field.default is None or field.default in ({}, ()):
        return ""
    return f"`{_plain(field.default)}`"


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
