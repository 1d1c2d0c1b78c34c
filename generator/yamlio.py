"""Reads YAML that people write, keeping the place of every key and value, and quotes values on the way out.

Reading is strict: UTF-8, no anchors, no tags, no duplicate keys, bounded size and depth, so that a file
means what it looks like. The scalar rules are YAML 1.2's core schema: `on` and `yes` are strings.
"""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from generator.errors import InvalidInput, Problem

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20

Path_ = tuple[str | int, ...]


@dataclass
class Document:
    """A parsed file: plain data, and where each path's key and value stand (line and column from 1)."""

    file: str
    data: Any
    keys: dict[Path_, tuple[int, int]] = field(default_factory=dict)
    values: dict[Path_, tuple[int, int]] = field(default_factory=dict)
    inherited: dict[str, Document] = field(default_factory=dict)  # by first key: what another file says for it

    def problem(self, path: Path_, message: str, *, key: bool = False) -> Problem:
        """A problem at `path`, or at the nearest place above it that the file has which says it."""
        if path and (other := self.inherited.get(str(path[0]))):
            return other.problem(path, message, key=key)
        places = self.keys if key else self.values
        if path in places:
            return Problem(self.file, *places[path], message)
        while path and path not in self.values:
            path = path[:-1]
        return Problem(self.file, *self.values.get(path, (1, 1)), message)


def read(path: Path, shown: str) -> Document:
    """The file at `path` as a document; in messages it is called `shown`.

    Raises InvalidInput where it is unreadable, too large, not UTF-8 or not strict YAML.
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidInput([Problem(shown, 0, 0, f"cannot be read: {error.strerror}")]) from error
    if len(raw) > MAX_BYTES:
        raise InvalidInput([Problem(shown, 1, 1, f"is larger than {MAX_BYTES // 1024} KiB; shorten it")])
    return parse(_decode(raw, shown), shown)


def _decode(raw: bytes, shown: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line = before.count(b"\n") + 1
        column = error.start - (before.rfind(b"\n") + 1) + 1
        message = f"byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise InvalidInput([Problem(shown, line, column, message)]) from error


def parse(text: str, shown: str) -> Document:
    """`text` as a document; see `read`."""
    found = parse_all(text, shown, alone=True)
    return found[0] if found else Document(shown, None)


def parse_all(text: str, shown: str, *, alone: bool = False) -> list[Document]:
    """Each document of `text`, with its places in the whole of it; `alone` refuses a second one."""
    _refuse_aliases(text, shown)
    yaml = YAML(typ="safe", pure=True)
    try:
        nodes = [yaml.compose(io.StringIO(text))] if alone else list(yaml.compose_all(io.StringIO(text)))
    except MarkedYAMLError as error:
        raise InvalidInput([_syntax_problem(error, shown)]) from error
    except (YAMLError, ValueError) as error:
        raise InvalidInput([_plain_problem(error, text, shown)]) from error
    documents, problems = [], list[Problem]()
    for node in nodes:
        if node is not None:
            document = Document(shown, None)
            document.data = _convert(node, (), document, problems)
            documents.append(document)
    if problems:
        raise InvalidInput(problems)
    return documents


def _refuse_aliases(text: str, shown: str) -> None:
    """Walks the events before composing: neither deep nesting nor an alias bomb gets further than this."""
    depth = 0
    try:
        for event in YAML(typ="safe", pure=True).parse(io.StringIO(text)):
            name = type(event).__name__
            depth += name.endswith(("SequenceStartEvent", "MappingStartEvent"))
            depth -= name.endswith(("SequenceEndEvent", "MappingEndEvent"))
            mark = event.start_mark
            if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
                message = "anchors and aliases (&, *) are refused; write the value out"
            elif depth > MAX_DEPTH:
                message = f"nested deeper than {MAX_DEPTH} levels"
            else:
                continue
            raise InvalidInput([Problem(shown, mark.line + 1, mark.column + 1, message)])
    except MarkedYAMLError as error:
        raise InvalidInput([_syntax_problem(error, shown)]) from error
    except RecursionError as error:
        raise InvalidInput([Problem(shown, 1, 1, f"nested deeper than {MAX_DEPTH} levels")]) from error
    except (YAMLError, ValueError) as error:
        raise InvalidInput([_plain_problem(error, text, shown)]) from error


def _syntax_problem(error: MarkedYAMLError, shown: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    what = " ".join(str(error.problem or error.context or "cannot be parsed").split())
    return Problem(shown, line, column, f"is not valid YAML: {what}")


def _plain_problem(error: Exception, text: str, shown: str) -> Problem:
    match = re.search(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text)
    if match is None:
        return Problem(shown, 1, 1, f"is not valid YAML: {str(error).splitlines()[0]}")
    before = text[: match.start()]
    line, column = before.count("\n") + 1, match.start() - (before.rfind("\n") + 1) + 1
    return Problem(shown, line, column, f"control character U+{ord(match[0]):04X} is refused")


def _convert(node: Node, path: Path_, document: Document, problems: list[Problem]) -> Any:
    place = (node.start_mark.line + 1, node.start_mark.column + 1)
    document.values[path] = place
    if isinstance(node, ScalarNode):
        return _scalar(node, place, document.file, problems)
    if not str(node.tag).endswith((":map", ":seq")):
        problems.append(Problem(document.file, *place, f"tag {node.tag!r} is refused"))
    if isinstance(node, SequenceNode):
        return [_convert(item, (*path, i), document, problems) for i, item in enumerate(node.value)]
    assert isinstance(node, MappingNode)
    return _mapping(node, path, document, problems)


def _mapping(node: MappingNode, path: Path_, document: Document, problems: list[Problem]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        place = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
        if not isinstance(key_node, ScalarNode):
            problems.append(Problem(document.file, *place, "a key must be a plain word"))
            continue
        key = str(key_node.value)
        if key in result:
            first = document.keys[(*path, key)][0]
            problems.append(Problem(document.file, *place, f"{key!r} is given twice, first in line {first}"))
            continue
        document.keys[(*path, key)] = place
        result[key] = _convert(value_node, (*path, key), document, problems)
    return result


def _scalar(node: ScalarNode, place: tuple[int, int], file: str, problems: list[Problem]) -> Any:
    kind, text = str(node.tag).rsplit(":", 1)[-1], str(node.value)
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind in ("int", "float"):
        return _number(kind, text, place, file, problems)
    if kind not in ("str", "timestamp"):
        problems.append(Problem(file, *place, f"tag {node.tag!r} is refused; write a plain value"))
    return text


def _number(kind: str, text: str, place: tuple[int, int], file: str, problems: list[Problem]) -> Any:
    try:
        if len(text) > 40:
            raise ValueError
        if kind == "int":
            return int(text, 0) if text.lstrip("+-")[:2].lower() in ("0x", "0o") else int(text)
        special = {".inf": "inf", "-.inf": "-inf", "+.inf": "inf", ".nan": "nan"}
        return float(special.get(text.lower(), text))
    except ValueError:
        problems.append(Problem(file, *place, f"{text[:40]!r} is no number; quote it if it is text"))
        return None


def quote(value: object) -> str:
    """`value` as one line of ASCII YAML in JSON's form: the only way a value gets into a template.

    YAML knows no surrogate pairs, so characters beyond U+FFFF take YAML's own eight-digit escape.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return re.sub(
        r"[^\x20-\x7e]", lambda m: f"\\u{ord(m[0]):04x}" if m[0] <= "\uffff" else f"\\U{ord(m[0]):08x}", text
    )


def key(name: str) -> str:
    """`name`, of letters, digits and _, as a mapping's key: in quotes where some YAML reads no text."""
    return quote(name) if re.fullmatch(r"null|true|false|yes|no|on|off|y|n", name.lower()) else name
