"""Reads the hooks' file without running it, and says what would keep it from being called."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

from generator.config.model import Model
from generator.config.places import config_problem
from generator.errors import Problem

HOOKS = ("preprocess", "postprocess")
MOST_BYTES = 2**20


def hooks_problems(model: Model, root: Path) -> list[Problem]:
    """All problems of `serve.hooks`: its file, its golden file, and an input schema that nobody turns around."""
    hooks = model.config.serve.hooks
    if hooks is None:
        return []
    path = root / model.path(hooks.file)
    found, problems = _functions(model, root, path)
    if found is not None:
        problems += _unfit(model.path(hooks.file), found)
        if hooks.input and "preprocess" not in found:
            message = (
                "requests follow serve.hooks.input, and nothing makes the model's columns of them: define "
                "preprocess(frame), or leave input out"
            )
            problems.append(config_problem(model, root, ("serve", "hooks", "input"), message))
    return problems + _golden(model, root, hooks.golden)


def _functions(model: Model, root: Path, path: Path) -> tuple[dict[str, ast.stmt] | None, list[Problem]]:
    """The hooks by name, as the file defines them at its top; None where it cannot be read."""
    shown = path.relative_to(root).as_posix()
    if not path.is_file() or not path.resolve().is_relative_to((root / model.folder).resolve()):
        message = f"the hooks' file {shown} is not there: add it, or name another"
        return None, [config_problem(model, root, ("serve", "hooks", "file"), message)]
    if path.stat().st_size > MOST_BYTES:
        return None, [Problem(shown, 0, 0, "is larger than 1 MiB: hooks are a short file of code")]
    try:
        tree = ast.parse(path.read_bytes(), shown)
    except SyntaxError as error:
        return None, [Problem(shown, error.lineno or 1, error.offset or 1, f"is no Python: {error.msg}")]
    except (ValueError, RecursionError) as error:
        return None, [Problem(shown, 1, 1, f"is no Python: {error}")]
    found: dict[str, ast.stmt] = {}
    for node in _statements(tree.body):
        names = [node.name] if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) else []
        if isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            names = [node.target.id] if isinstance(node.target, ast.Name) else []
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names = [alias.asname or alias.name for alias in node.names]
        found |= {name: node for name in names if name in HOOKS}
    return found, []


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """What is at the top of a file, also where it is tried or depends on something."""
    for node in body:
        yield node
        if isinstance(node, ast.Try | ast.If | ast.With):
            for field in ("body", "handlers", "orelse", "finalbody"):
                for part in getattr(node, field, []):
                    yield from _statements(part.body if isinstance(part, ast.ExceptHandler) else [part])


def _unfit(shown: str, found: dict[str, ast.stmt]) -> list[Problem]:
    if not found:
        message = "defines neither preprocess(frame) nor postprocess(predictions): define one, or drop serve.hooks"
        return [Problem(shown, 1, 1, message)]
    problems = []
    for name, node in found.items():
        if isinstance(node, ast.AsyncFunctionDef):
            problems.append(_at(shown, node, f"{name} is async, and hooks are called plainly: make it a `def`"))
        elif isinstance(node, ast.FunctionDef) and not _takes_one(node.args):
            problems.append(_at(shown, node, f"{name} is called with one argument: `def {name}(given):`"))
    return problems


def _takes_one(arguments: ast.arguments) -> bool:
    positional = len(arguments.posonlyargs) + len(arguments.args)
    needed = positional - len(arguments.defaults)
    named = len(arguments.kwonlyargs) - sum(default is not None for default in arguments.kw_defaults)
    return needed <= 1 and (positional >= 1 or arguments.vararg is not None) and not named


def _golden(model: Model, root: Path, given: str | None) -> list[Problem]:
    if given is None:
        return []
    shown = model.path(given)
    try:
        content = json.loads((root / shown).read_bytes())
    except FileNotFoundError:
        message = f"the golden file {shown} is not there: add it, or leave golden out"
        return [config_problem(model, root, ("serve", "hooks", "golden"), message)]
    except (OSError, ValueError, RecursionError) as error:
        return [Problem(shown, getattr(error, "lineno", 0), getattr(error, "colno", 0), f"is no JSON: {error}")]
    if not isinstance(content, dict) or set(content) != {"request", "predictions"}:
        message = 'must be an object with `request` and `predictions`, such as {"request": {"instances": …}, …}'
        return [Problem(shown, 1, 1, message)]
    if not isinstance(content["predictions"], list) or not content["predictions"]:
        return [Problem(shown, 1, 1, "`predictions` must be a list with what is answered for each row")]
    return []


def _at(shown: str, node: ast.stmt, message: str) -> Problem:
    return Problem(shown, node.lineno, node.col_offset + 1, message)
