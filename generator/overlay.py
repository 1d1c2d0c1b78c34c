"""Edits an overlay's kustomization.yaml: exactly the values meant, every other byte as the user left it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from generator.errors import InvalidInput, Problem

LOGICAL_IMAGE = "inference"


@dataclass(frozen=True)
class OverlayImage:
    """Our entry of `images`, and where its digest stands (line and column from 1)."""

    repository: str
    digest: str
    line: int
    column: int


def image_of(text: str, shown: str) -> OverlayImage:
    """The image that an overlay runs. Raises InvalidInput, with line and column, where our entry is damaged."""
    name, digest = _values(text, shown)
    mark = digest.start_mark
    return OverlayImage(name.value, digest.value, mark.line + 1, mark.column + 1)


def with_image(text: str, shown: str, *, repository: str, digest: str) -> str:
    """`text` with our entry of `images` pointing at `repository@digest`; raises like `image_of`."""
    edits = zip(_values(text, shown), (repository, digest), strict=True)
    for node, value in sorted(edits, key=lambda edit: -edit[0].start_mark.index):
        if node.value != value:
            mark = node.style if node.style in ("'", '"') else ""
            text = f"{text[: node.start_mark.index]}{mark}{value}{mark}{text[node.end_mark.index :]}"
    return text


def _values(text: str, shown: str) -> tuple[ScalarNode, ScalarNode]:
    """The nodes of newName and digest in our entry."""
    entry = _entry(text, shown)
    keys = {str(key.value): value for key, value in entry.value}
    for key in ("newName", "digest"):
        if not isinstance(keys.get(key), ScalarNode):
            raise InvalidInput([_problem(shown, entry, f"our entry of images has no {key}; add `{key}: …`")])
    if "newTag" in keys:
        raise InvalidInput([_problem(shown, keys["newTag"], "newTag beside a digest is misleading; remove it")])
    return keys["newName"], keys["digest"]


def _entry(text: str, shown: str) -> MappingNode:
    try:
        root = YAML(typ="safe", pure=True).compose(io.StringIO(text))
    except YAMLError as error:
        raise InvalidInput([Problem(shown, 0, 0, f"is not valid YAML: {' '.join(str(error).split())}")]) from error
    for node in _children(root, "images"):
        if isinstance(node, MappingNode) and any(
            key.value == "name" and value.value == LOGICAL_IMAGE for key, value in node.value
        ):
            return node
    fix = f"images has no entry with `name: {LOGICAL_IMAGE}`; restore it with git, or generate the overlay anew"
    raise InvalidInput([Problem(shown, 1, 1, fix)])


def _children(root: Any, key: str) -> Iterator[Node]:
    if isinstance(root, MappingNode):
        for name, value in root.value:
            if name.value == key and isinstance(value, SequenceNode):
                yield from value.value


def _problem(shown: str, node: Node, message: str) -> Problem:
    return Problem(shown, node.start_mark.line + 1, node.start_mark.column + 1, message)


def scalars_of(text: str) -> dict[str, tuple[str, int, int]]:
    """The top-level scalars of an overlay, such as its namespace: value, line and column (from 1)."""
    root = YAML(typ="safe", pure=True).compose(io.StringIO(text))
    return {
        str(key.value): (str(value.value), value.start_mark.line + 1, value.start_mark.column + 1)
        for key, value in (root.value if isinstance(root, MappingNode) else ())
        if isinstance(value, ScalarNode)
    }


def image_problems(objects: list[dict[str, Any]], *, name: str, repository: str, digest: str) -> list[str]:
    """What is wrong with a rendered overlay that should run exactly `repository@digest` and report it."""
    deployments = [
        item for item in objects if item.get("kind") == "Deployment" and item["metadata"]["name"] == name
    ]
    if len(deployments) != 1:
        return [f"renders {len(deployments)} Deployments called {name}, not one"]
    pod = deployments[0]["spec"]["template"]["spec"]
    servers = [container for container in pod.get("containers", ()) if container.get("name") == "server"]
    if len(servers) != 1:
        return [f"Deployment {name} has no container `server`"]
    problems = []
    if servers[0].get("image") != f"{repository}@{digest}":
        problems.append(f"renders the image {servers[0].get('image')}, not {repository}@{digest}")
    told = [item.get("value") for item in servers[0].get("env", ()) if item.get("name") == "TAGSHIP_DIGEST"]
    if told != [digest]:
        problems.append(f"tells the server the digest {told}, not {digest}: the replacement is missing or changed")
    return problems
