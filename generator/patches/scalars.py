"""YAML's values as kustomize takes them: 0444 is octal and mostly `yes` is true, as in YAML 1.1."""

from __future__ import annotations

import json
import re
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode


def _forms(*words: str) -> set[str]:
    return {form for word in words for form in (word, word.capitalize(), word.upper())}  # `yEs` is text


_TRUE, _FALSE = _forms("true"), _forms("false")
_OTHERWISE = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?|true|false")  # which only a tag makes text
_YES, _NO = _forms("y", "yes", "on"), _forms("n", "no", "off")


class _Values(SafeConstructor):
    """ruamel's, but for scalars that stand without quotes."""

    words = True


class _OfPatch(_Values):
    """A strategic merge is read by another part of kustomize, to which `yes` is text."""

    def construct_document(self, node: Node) -> Any:
        self.words = not isinstance(node, MappingNode)
        return super().construct_document(node)


def _scalar(values: _Values, node: ScalarNode) -> Any:
    text = str(node.value)
    tagged = str(node.tag).rpartition(":")[2]
    if tagged == "str" and (node.style or _OTHERWISE.fullmatch(text)):  # in quotes, a block, or by its tag
        return text
    if text in _TRUE | _FALSE:
        return text in _TRUE
    if values.words and text in _YES | _NO:
        return text in _YES
    number = text.replace("_", "") if text[:1] != "_" else text
    if re.fullmatch(r"[-+]?0[0-7]+", number):
        return int(number, 8)
    if re.fullmatch(r"[-+]?0([xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)", number):
        return int(number, 0)
    if re.fullmatch(r"[-+]?[0-9]+", number):
        return int(number)
    if re.fullmatch(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", number):
        return float(number)
    return text  # a date, too: JSON has none


for _kind in ("str", "int", "float", "bool", "timestamp", "value"):
    _Values.add_constructor(f"tag:yaml.org,2002:{_kind}", _scalar)


def values_of(text: str, *, patch: bool) -> list[Any]:
    """What each document of a patch, or of a kustomization.yaml, says; without those that are empty.

    Raises YAMLError, or ValueError.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _OfPatch if patch else _Values
    try:
        values = [value for value in yaml.load_all(text) if value is not None]
        json.dumps(values)
    except (TypeError, RecursionError) as error:
        raise ValueError("it is nested too deeply, or has a key that JSON cannot have") from error
    return values
