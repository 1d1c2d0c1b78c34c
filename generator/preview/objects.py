"""What differs between two renderings of an overlay, without noise: objects matched by what they are called.

The order of objects and keys says nothing. A name that a generator ended with a hash is shown without it, so that
changed content is one difference and not one more wherever the name is used. What a Secret holds is never shown.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import yaml

Object = Mapping[str, Any]
Change = Literal["added", "removed", "changed"]

# How kustomize ends the names of generated ConfigMaps and Secrets: ten of the letters that spell no word.
_HASHED = re.compile(r"(.+)-[2456789bcdfghkmt]{10}")
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"  # an annotation that repeats the whole object
_HIDDEN, _OTHER = "(hidden)", "(hidden, another value)"


@dataclass(frozen=True)
class Difference:
    """One object that is not the same on both sides. `lines` are those of a unified diff, without its head."""

    change: Change
    title: str  # kind, namespace and name
    lines: tuple[str, ...]


def differences(before: Iterable[Object], after: Iterable[Object]) -> tuple[Difference, ...]:
    """Every object that differs, by kind, namespace and name."""
    old, new = _by_title(before), _by_title(after)
    found = []
    for title in sorted({*old, *new}):
        one, other = _hidden(old.get(title), new.get(title))
        if one == other:
            continue
        change: Change = "added" if one is None else "removed" if other is None else "changed"
        lines = tuple(difflib.unified_diff(_lines(one), _lines(other), lineterm=""))[2:]
        found.append(Difference(change, title, lines))
    return tuple(found)


def images(objects: Iterable[Object]) -> frozenset[str]:
    """Every image that the objects run."""
    found: set[str] = set()
    for item in objects:
        for part in _walk(item.get("spec")):
            for key in ("containers", "initContainers"):
                containers = part.get(key)
                for container in containers if isinstance(containers, list) else ():
                    if isinstance(container, dict) and isinstance(container.get("image"), str):
                        found.add(container["image"])
    return frozenset(found)


def _walk(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _walk(item)


def _by_title(objects: Iterable[Object]) -> dict[str, Any]:
    """Objects by what they are; generated names everywhere without their hash."""
    given = list(objects)
    shown = _without_hashes(given)
    found: dict[str, Any] = {}
    for item in given:
        plain = _renamed(item, shown)
        title = _title(plain)
        while title in found:  # kustomize refuses two of a name; a renderer of another make may not
            title += " (again)"
        found[title] = plain
    return found


def _title(item: Object) -> str:
    metadata = item.get("metadata") or {}
    group = str(item.get("apiVersion", "")).rpartition("/")[0]
    kind = f"{item.get('kind')}.{group}" if group and "." in group else str(item.get("kind"))
    namespace = metadata.get("namespace")
    return f"{kind} {f'{namespace}/' if namespace else ''}{metadata.get('name')}"


def _without_hashes(objects: Iterable[Object]) -> dict[str, str]:
    """Names with a hash to how they are shown. Two that would be shown alike keep theirs."""
    names: dict[str, set[str]] = {}
    for item in objects:
        name = str((item.get("metadata") or {}).get("name"))
        match = _HASHED.fullmatch(name)
        if match and item.get("kind") in ("ConfigMap", "Secret"):
            names.setdefault(f"{match[1]}-<hash>", set()).add(name)
    return {name: shown for shown, found in names.items() if len(found) == 1 for name in found}


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _renamed(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_renamed(item, names) for item in value]
    return names.get(value, value) if isinstance(value, str) else value


def _hidden(one: Any, other: Any) -> tuple[Any, Any]:
    """Both sides of an object; of a Secret only which keys it has and which values differ."""
    if (one or other).get("kind") != "Secret":
        return one, other
    return _masked(one, None), _masked(other, one)


def _masked(secret: Any, before: Any) -> Any:
    """A Secret without its values; those that `before` has otherwise are marked."""
    if secret is None:
        return None
    masked = dict(secret)
    for key in ("data", "stringData"):
        old = (before or {}).get(key) or {}
        masked[key] = {
            name: _OTHER if name in old and old[name] != value else _HIDDEN
            for name, value in (secret.get(key) or {}).items()
        }
    metadata = dict(secret.get("metadata") or {})
    if _APPLIED in (metadata.get("annotations") or {}):
        metadata["annotations"] = metadata["annotations"] | {_APPLIED: _HIDDEN}
    return masked | {"metadata": metadata}


class _Dumper(yaml.SafeDumper):
    """Keys sorted, texts of several lines as such, nothing folded and no aliases."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def _lines(item: Any) -> list[str]:
    if item is None:
        return []
    text = yaml.dump(item, Dumper=_Dumper, sort_keys=True, allow_unicode=True, width=10**9)
    return str(text).split("\n")[:-1]
