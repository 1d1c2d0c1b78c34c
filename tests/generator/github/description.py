"""GitHub's published API description as a judge: which operation a request is, and what is wrong with it.

Requests are held to it strictly: a key that the description does not name is a violation, since GitHub would
ignore it in silence.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema

FILE = Path(__file__).parents[2] / "data/github-openapi.json"
DOCUMENT: dict[str, Any] = json.loads(FILE.read_text())
Schema = dict[str, Any]


def resolve(node: dict[str, Any]) -> dict[str, Any]:
    """What a `$ref` names; anything else is itself."""
    while "$ref" in node:
        _, _, kind, name = node["$ref"].split("/")
        node = DOCUMENT["components"][kind][name]
    return node


@dataclass(frozen=True)
class Operation:
    """One operation of the description."""

    name: str
    method: str
    template: str
    content: dict[str, Any]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(self.template)))

    def parameters(self, place: str) -> dict[str, dict[str, Any]]:
        found = [resolve(item) for item in self.content.get("parameters", [])]
        return {item["name"]: item for item in found if item["in"] == place}

    def problems(self, path: dict[str, str], query: dict[str, str], body: Any) -> Iterator[str]:
        """What is wrong with a request. `body` is None where it has none."""
        for place, given in (("path", path), ("query", query)):
            known = self.parameters(place)
            yield from (f"{place} parameter {name} is unknown" for name in given if name not in known)
            for name, parameter in known.items():
                if name in given:
                    yield from _wrong(_typed(given[name], parameter["schema"]), parameter["schema"], name)
                elif parameter.get("required"):
                    yield f"{place} parameter {name} is missing"
        described = self.content.get("requestBody")
        if described is None:
            if body is not None:
                yield "it has a body, and takes none"
        elif body is None:
            if resolve(described).get("required"):
                yield "it has no body"
        else:
            yield from _wrong(
                body, resolve(described)["content"]["application/json"]["schema"], "body", strict=True
            )

    def answer_problems(self, status: int, body: Any) -> Iterator[str]:
        """What is wrong with an answer. 401, 429 and 5xx may come from anywhere and are described nowhere."""
        response = self.content["responses"].get(str(status))
        if response is None:
            if status < 400:
                yield f"answer {status} is not described"
            return
        content = resolve(response).get("content")
        if not content:
            if status < 400 and body is not None:
                yield f"answer {status} has a body"
        elif "application/json" in content:
            yield from _wrong(body, content["application/json"]["schema"], f"answer {status}")

    def example(self, status: int = 200) -> Any:
        """A copy of GitHub's own example of an answer."""
        content = resolve(self.content["responses"][str(status)])["content"]["application/json"]
        first = next(iter(content["examples"].values()))
        return copy.deepcopy(resolve(first)["value"])


@cache
def operations() -> dict[str, Operation]:
    """All of them, by name."""
    found = [
        Operation(content["operationId"], method.upper(), template, content)
        for template, item in DOCUMENT["paths"].items()
        for method, content in item.items()
    ]
    return {operation.name: operation for operation in found}


def find(method: str, raw_path: str) -> tuple[Operation, dict[str, str]] | None:
    """The operation of a request, and its path's parameters. A template without a variable goes first."""
    for operation in sorted(operations().values(), key=lambda item: item.template.count("{")):
        match = operation.pattern.fullmatch(raw_path)
        if match and operation.method == method:
            return operation, {name: unquote(value) for name, value in match.groupdict().items()}
    return None


def _typed(text: str, schema: Schema) -> Any:
    kind = resolve(schema).get("type")
    if kind == "integer" and re.fullmatch(r"-?\d+", text):
        return int(text)
    return {"true": True, "false": False}.get(text, text) if kind == "boolean" else text


def _wrong(value: Any, schema: Schema, where: str, *, strict: bool = False) -> Iterator[str]:
    for error in _validator(json.dumps(schema), strict).iter_errors(value):
        place = "".join(f"[{part!r}]" for part in error.absolute_path)
        yield f"{where}{place}: {error.message[:300]}"


@cache
def _validator(schema: str, strict: bool) -> jsonschema.Draft202012Validator:
    root = {**_json_schema(json.loads(schema), strict), "components": {"schemas": _schemas(strict)}}
    return jsonschema.Draft202012Validator(root, format_checker=jsonschema.FormatChecker())


@cache
def _schemas(strict: bool) -> dict[str, Any]:
    return {name: _json_schema(item, strict) for name, item in DOCUMENT["components"]["schemas"].items()}


def _json_schema(node: Any, strict: bool) -> Any:
    """A schema of OpenAPI 3.0 as JSON Schema: `nullable` becomes a type; `strict` closes every object."""
    if isinstance(node, list):
        return [_json_schema(item, strict) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: _json_schema(value, strict) for key, value in node.items() if key != "nullable"}
    if strict and isinstance(made.get("properties"), dict) and made.get("type") == "object":
        made.setdefault("additionalProperties", False)
    if node.get("nullable") is True:
        return {"anyOf": [{"type": "null"}, made]}
    return made
