"""From the text of model.yaml or tagship.yaml to its frozen model, or to all problems at once."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from generator.config.following import following_problems
from generator.config.observing import observing_problems
from generator.config.schema import ModelFile, WorkspaceFile
from generator.config.separate import separation_problems
from generator.config.serving import serving_problems
from generator.config.types import Section
from generator.config.unsupported import unsupported
from generator.config.variables import variable_problems
from generator.errors import InvalidInput, Problem
from generator.yamlio import Document, Path_, read

S = TypeVar("S", bound=Section)

# What people write and what pydantic calls it.
_TYPES = {
    "string_type": "must be text; put it in quotes",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "dict_type": "must be a mapping (key: value)",
    "tuple_type": "must be a list",
    "model_type": "must be a mapping (key: value)",
    "finite_number": "must be a finite number",
    "missing": "is missing",
}

# What a workflow or a stage sets for itself.
_RESERVED = re.compile(
    r"PATH|HOME|PYTHONPATH|PYTHONHOME|RELEASE|INSTALL|CI|GH_TOKEN"
    r"|MLFLOW_(TRACKING_URI|EXPERIMENT_NAME|RUN_CONTEXT)|(RUNNER|ACTIONS|GITHUB|TAGSHIP)_.*"
)

# What no single key shows, of each part: all give (path of a key, message).
_CHECKS = (separation_problems, following_problems, serving_problems, variable_problems, observing_problems)


def load_model(path: Path, shown: str, shared: Document | None = None) -> ModelFile:
    """model.yaml at `path`; `shared` is a valid tagship.yaml. Raises InvalidInput with every problem."""
    return model_of(read(path, shown), shared)


def model_of(document: Document, shared: Document | None = None) -> ModelFile:
    """A parsed model.yaml; see `load_model`."""
    problems = _inherit(document, shared) if shared else []
    config, found = _validate(ModelFile, document)
    problems += found
    if config is not None:
        rows = [*unsupported(config, document), *(row for check in _CHECKS for row in check(config))]
        problems += [document.problem(path, message, key=True) for path, message in rows]
        problems += _contradictions(config, document)
    if problems or config is None:
        raise InvalidInput(problems)
    return config


def load_workspace(path: Path, shown: str) -> tuple[WorkspaceFile, Document]:
    """tagship.yaml at `path`, and its text for the models. Raises InvalidInput with every problem."""
    document = read(path, shown)
    config, problems = _validate(WorkspaceFile, document)
    if problems or config is None:
        raise InvalidInput(problems)
    return config, document


def _inherit(document: Document, shared: Document) -> list[Problem]:
    """Puts the workspace's sections, as written, where the model is silent; to contradict is a problem."""
    problems = []
    if isinstance(document.data, dict):
        for key in ("repository", "tracking", "deploy", "pipeline"):
            default = shared.data.get(key)
            if default is None:
                continue
            if key not in document.data:
                document.data[key], document.inherited[key] = default, shared
            elif document.data[key] != default:
                message = f"{key} contradicts {shared.file}, which all models share; remove it here"
                problems.append(document.problem((key,), message, key=True))
    return problems


def _validate(kind: type[S], document: Document) -> tuple[S | None, list[Problem]]:
    if not isinstance(document.data, dict):
        return None, [Problem(document.file, 1, 1, "must be a mapping that begins with `version: 1`")]
    try:
        return kind.model_validate(document.data), []
    except ValidationError as error:
        return None, [_problem(document, dict(item), kind) for item in error.errors(include_url=False)]


def _problem(document: Document, item: dict[str, Any], kind: type[Section]) -> Problem:
    path = _real_path(document.data, item["loc"])
    name = ".".join(map(str, path)) or "the file"
    if item["type"] == "extra_forbidden":
        return document.problem(path, _unknown(path, kind), key=True)
    if item["loc"][-1:] == ("[key]",):
        return document.problem(path, f"key {_reason(item)}", key=True)
    return document.problem(path, f"{name} {_reason(item)}")


def _reason(item: dict[str, Any]) -> str:
    if item["type"] in _TYPES:
        return _TYPES[item["type"]]
    if item["type"] == "value_error":
        reason = str(item["ctx"]["error"])
        return reason if reason.startswith(("must ", "is ", "has ")) else f"is wrong: {reason}"
    message = str(item["msg"])
    return "must" + message.removeprefix("Input should") if message.startswith("Input should") else message


def _real_path(data: Any, location: tuple[str | int, ...]) -> Path_:
    """pydantic's location without the names of union members, [key] and other steps that it has not."""
    path: list[str | int] = []
    for i, step in enumerate(location):
        if isinstance(data, dict) and step in data:
            data = data[step]
        elif isinstance(data, list) and isinstance(step, int):
            data = data[step] if step < len(data) else None
        elif i < len(location) - 1 or not isinstance(data, dict) or str(step).startswith("["):
            continue
        path.append(step)
    return tuple(path)


def _unknown(path: Path_, kind: type[Section]) -> str:
    known = list(_known_keys(path[:-1], kind))
    near = difflib.get_close_matches(str(path[-1]), known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
    return f"unknown key {str(path[-1])[:80]!r}; {hint}"


def _known_keys(path: Path_, kind: Any) -> tuple[str, ...]:
    for step in path:
        kind = _step(kind, step)
    found = _section(kind)
    return tuple(field.alias or name for name, field in found.model_fields.items()) if found else ()


def _step(kind: Any, step: str | int) -> Any:
    section = _section(kind)
    if section is not None and step in section.model_fields:
        return section.model_fields[str(step)].annotation
    return kind  # a mapping's or a list's own key: the section inside it comes next


def _section(kind: Any) -> type[Section] | None:
    """The section that an annotation holds: itself, an optional one, or the values of a mapping."""
    if isinstance(kind, type) and issubclass(kind, Section):
        return kind
    for inner in getattr(kind, "__args__", ()):
        if (found := _section(inner)) is not None:
            return found
    return None


def _contradictions(config: ModelFile, document: Document) -> list[Problem]:
    """What no single key shows."""
    problems = []
    champion = config.gate.champion
    if (
        champion is not None
        and (champion.metric or next(iter(config.gate.metrics), "")) not in config.gate.metrics
    ):
        message = "the champion's metric needs a threshold in gate.metrics, whose min or max gives its direction"
        problems.append(document.problem(("gate", "champion"), message))
    for name, settings in config.deploy.environments.items():
        if settings.serve.resources is not None:
            path: Path_ = ("deploy", "environments", name, "serve", "resources")
            resources = settings.serve.resources.onto(config.serve.resources)
            problems += [document.problem(path, f"with serve.resources, {why}") for why in resources.excesses()]
    for name in config.train.env:
        if _RESERVED.fullmatch(name) or name in {*config.train.secrets, *config.train.index_secrets}:
            message = f"{name} is set by the pipeline or is a secret already; remove it"
            problems.append(document.problem(("train", "env", name), message, key=True))
    secrets: dict[Path_, str] = {("train", "secrets", i): name for i, name in enumerate(config.train.secrets)}
    secrets[("tracking", "secret")] = config.tracking.secret or ""
    secrets |= {
        ("train", "indexes", i, "secret"): index.secret or "" for i, index in enumerate(config.train.indexes)
    }
    for path, name in secrets.items():
        if _RESERVED.fullmatch(name):
            problems.append(document.problem(path, f"{name} is set by the pipeline; give the secret another name"))
    problems += _index_problems(config, document)
    if len(config.deploy.environments) == 0 and "environments" in (document.data.get("deploy") or {}):
        problems.append(document.problem(("deploy", "environments"), "name at least one environment"))
    return problems


def _index_problems(config: ModelFile, document: Document) -> list[Problem]:
    """Two indexes that nobody could tell apart, and secrets that uv would read by itself and misunderstand."""
    problems = []
    for i, index in enumerate(config.train.indexes):
        path: Path_ = ("train", "indexes", i)
        before = config.train.indexes[:i]
        if index.name in {other.name for other in before}:
            message = f"there is an index {index.name} already; give this one another name"
            problems.append(document.problem((*path, "name"), message))
        if index.url.rstrip("/") in {other.url.rstrip("/") for other in before}:
            problems.append(document.problem((*path, "url"), "there is an index with this address already"))
        if index.secret and re.match("UV_|PIP_", index.secret):
            message = f"{index.secret} is a setting of uv or pip; give the secret another name"
            problems.append(document.problem((*path, "secret"), message))
    return problems
