"""requirements.lock: the training environment, every package with its hashes, and what it was made from.

Whether a lock is still the right one is read from its header alone: no network, no resolver.
"""

from __future__ import annotations

import hashlib
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from generator.config.model import Model
from generator.errors import GeneratorError, InvalidInput, Problem, Unresolvable
from generator.ports import Environments
from generator.training.indexes import indexes_of
from generator.training.requirement_lines import Line, logical_lines, names, unlockable

DEFAULT_MLFLOW = "mlflow>=3,<3.14"
# What converts a model to ONNX, and then shows that it predicts the same; onnxmltools for the libraries beside.
CONVERSION = ("skl2onnx>=1.17", "onnx>=1.16", "onnxruntime>=1.18")
BOOSTING = "onnxmltools>=1.13"
_BOOSTED = {"lightgbm", "xgboost", "xgboost-cpu"}
_MLFLOW = {"mlflow", "mlflow-skinny"}
_INCLUDE = re.compile(r"(-r|--requirement|-c|--constraint)(?:\s+|=|(?<=-[rc]))(?P<path>\S+)")
_HEADER = re.compile(r"^# made-from: sha256:([0-9a-f]{64})$", re.MULTILINE)
_FORMAT = "1"  # changes when the same requirements must be locked differently


@dataclass(frozen=True)
class Source:
    """The training requirements as they were read: all lines, and the files' texts by path."""

    lines: tuple[Line, ...]
    texts: tuple[tuple[str, str], ...]
    folder: str  # that includes are relative to, from the repository's root
    text: str  # what is given to the resolver
    converts: bool = False  # whether the training job converts the model to ONNX
    indexes: tuple[str, ...] = ()  # addresses of private indexes, in the order in which they are asked

    def sha256(self, python: str) -> str:
        """Names what a lock was made from; line ends and trailing spaces do not count."""
        total = hashlib.sha256(f"{_FORMAT}\0{python}\0".encode())
        for path, text in self.texts:
            normal = "\n".join(line.rstrip() for line in text.splitlines())
            total.update(f"{path}\0{normal}\0".encode())
        if self.converts:
            total.update("\0".join(self.conversion).encode())
        if self.indexes:
            total.update("\0".join(("indexes", *self.indexes)).encode())
        return total.hexdigest()

    @property
    def names_mlflow(self) -> bool:
        return bool(self._named & _MLFLOW)

    @property
    def conversion(self) -> tuple[str, ...]:
        """The converters that are added; the user's own lines bound their versions, too."""
        if not self.converts:
            return ()
        return (*CONVERSION, BOOSTING) if self._named & _BOOSTED else CONVERSION

    @property
    def added(self) -> tuple[str, ...]:
        """Requirements that are not the user's."""
        return (*(() if self.names_mlflow else (DEFAULT_MLFLOW,)), *self.conversion)

    @property
    def _named(self) -> set[str]:
        return {name for line in self.lines if not line.constraint for name in names(line)}


def lock_text(model: Model, root: Path, environments: Environments, given: Mapping[str, str] = {}) -> str:
    """The text of requirements.lock for `model`, resolved now.

    `given` is the caller's environment, which may have the logins of package indexes: the lock has none of them.
    Raises InvalidInput where a requirement cannot be locked, GeneratorError where they do not resolve.
    """
    source = _read(model, root)
    problems = unlockable(source.lines)
    if problems:
        raise InvalidInput(problems)
    python = model.config.train.python
    text = "\n".join((source.text, *source.added, "")) if source.added else source.text
    try:
        locked = environments.compile(
            text, python=python, folder=root / source.folder, indexes=indexes_of(model, given)
        )
    except Unresolvable as error:
        raise GeneratorError(_unresolved(model, source, error)) from error
    return _header(model, source, python) + locked


def lock_problems(model: Model, root: Path) -> list[Problem]:
    """Why the lock of `model` cannot be used: missing, made from something else, or nothing to make it from."""
    command = "generator lock" if model.at_root else f"generator lock --model {model.name}"
    try:
        source = _read(model, root)
    except InvalidInput as error:
        return list(error.problems)
    problems = unlockable(source.lines)
    path = root / model.lock_file
    if not path.is_file():
        return [*problems, Problem(model.lock_file, 0, 0, f"is missing: run `{command}` and commit it")]
    text = path.read_text(encoding="utf-8", errors="replace")
    found = _HEADER.search(text)
    if found is None:
        message = f"was not written by `generator lock`: run `{command}` and commit it"
        return [*problems, Problem(model.lock_file, 1, 1, message)]
    if found[1] != source.sha256(model.config.train.python):
        line = text[: found.start()].count("\n") + 1
        what = f"{_shown(model)}, train.python, train.indexes or serve.runtime"
        message = f"is stale, {what} has changed since: run `{command}` and commit it"
        problems.append(Problem(model.lock_file, line, 1, message))
    return problems


def _shown(model: Model) -> str:
    return model.requirements_file or f"{model.shown} (train.requirements)"


def _header(model: Model, source: Source, python: str) -> str:
    what = (
        f"Every package that {model.name} is trained with, for Python {python}, with its hashes. "
        f"Made by `generator lock` from {_shown(model)}; change that and run the command again, not this file."
    )
    lines = textwrap.wrap(what, 100)
    if not source.names_mlflow:
        why = (
            f"{_shown(model)} does not name mlflow, so {DEFAULT_MLFLOW} was added: from 3.14 on, MLflow does not "
            "save tree models (random forests, gradient boosting) unless the script says how. "
            "To choose another version, name mlflow in the requirements."
        )
        lines += ["", *textwrap.wrap(why, 100)]
    if source.converts:
        why = (
            f"serve.runtime in {model.shown} is onnx, so {', '.join(source.conversion)} were added: the training "
            "job converts the model, and compares what both predict."
        )
        lines += ["", *textwrap.wrap(why, 100)]
    if source.indexes:
        asked = ", ".join(source.indexes)
        why = f"Asked before the default package index (train.indexes in {model.shown}): {asked}."
        lines += ["", *textwrap.wrap(why, 100, break_long_words=False, break_on_hyphens=False)]
    lines += ["", f"made-from: sha256:{source.sha256(python)}"]
    return "".join(f"# {line}".rstrip() + "\n" for line in lines) + "\n"


def _unresolved(model: Model, source: Source, error: GeneratorError) -> str:
    message = f"{_shown(model)}: the requirements cannot be locked for Python {model.config.train.python}: {error}"
    if source.converts and "onnx" in str(error):
        message += (
            f"\n{', '.join(source.conversion)} are not yours: serve.runtime: onnx adds them. Loosen what they "
            "exclude, or set serve.runtime: auto."
        )
    if not source.names_mlflow and "mlflow" in str(error):
        message += (
            f"\n{DEFAULT_MLFLOW} is not yours: it is added where the requirements do not name mlflow. "
            "Name a version of mlflow that fits the others."
        )
    return message


def _read(model: Model, root: Path) -> Source:
    """Raises InvalidInput where a file is missing, unreadable or outside the repository."""
    given, converts = model.config.train.requirements, model.config.serve.runtime == "onnx"
    indexes = tuple(index.url.rstrip("/") for index in model.config.train.indexes)
    if not isinstance(given, str):
        text = "".join(f"{item}\n" for item in given)
        reader = _Reader(root)
        reader.take(text, model.shown, model.folder, numbered=False, constraint=False)
        return Source(tuple(reader.lines), (("", text), *reader.texts), model.folder, text, converts, indexes)
    path = model.path(given)
    reader = _Reader(root)
    text = reader.file(path, None, constraint=False)
    folder = str(PurePosixPath(path).parent)
    return Source(tuple(reader.lines), tuple(reader.texts), folder, text, converts, indexes)


class _Reader:
    """Follows -r and -c includes."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.lines: list[Line] = []
        self.texts: list[tuple[str, str]] = []

    def file(self, path: str, included: Line | None, *, constraint: bool) -> str:
        if any(path == known for known, _ in self.texts):
            return ""
        text = _text(self.root, path, included)
        self.texts.append((path, text))
        self.take(text, path, str(PurePosixPath(path).parent), numbered=True, constraint=constraint)
        return text

    def take(self, text: str, shown: str, folder: str, *, numbered: bool, constraint: bool) -> None:
        for number, logical in logical_lines(text):
            line = Line(shown, number if numbered else 0, logical, constraint)
            include = _INCLUDE.fullmatch(logical)
            if include is None:
                self.lines.append(line)
                continue
            path = self._inside(folder, include["path"], line)
            self.file(path, line, constraint=constraint or include[1] in ("-c", "--constraint"))

    def _inside(self, folder: str, path: str, line: Line) -> str:
        target = (self.root / folder / path).resolve()
        if "://" in path or not target.is_relative_to(self.root):
            raise InvalidInput([line.problem(f"includes {path!r}, which is not in this repository; copy it here")])
        return target.relative_to(self.root).as_posix()


def _text(root: Path, path: str, included: Line | None) -> str:
    try:
        raw = (root / path).read_bytes()
    except OSError as error:
        if included is not None:
            message = f"includes {path}, which cannot be read: {error.strerror}"
            raise InvalidInput([included.problem(message)]) from error
        message = "is missing: list what the script imports in it, or set train.requirements in model.yaml"
        raise InvalidInput([Problem(path, 0, 0, message)]) from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = "is not UTF-8 (PowerShell's > writes UTF-16); save it as UTF-8"
        raise InvalidInput([Problem(path, 1, 1, message)]) from error
