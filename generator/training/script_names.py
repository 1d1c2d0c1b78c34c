"""What one Python file says, read by its syntax tree: names, imports and calls. Nothing of it is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

_OURS = {
    "MLFLOW_TRACKING_URI": "tracking",
    "MLFLOW_EXPERIMENT_NAME": "experiment",
    "EXPERIMENT_NAME": "experiment",
}
_RUNS_OTHER_CODE = {"getattr", "eval", "exec", "__import__", "globals", "locals"}


@dataclass(frozen=True)
class Import:
    """`import a.b` or `from a.b import c`; `level` counts the dots of a relative import."""

    module: str
    names: tuple[str, ...]
    level: int
    line: int
    column: int

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]


@dataclass(frozen=True)
class Setting:
    """A place where the script sets a tracking URI or an experiment. `value` is None where it is computed."""

    what: str  # tracking or experiment
    value: str | None
    line: int


@dataclass
class Names:
    """Everything in a file that a question about it can be answered from."""

    used: dict[str, tuple[int, int]] = field(default_factory=dict)  # each name's first place
    imports: list[Import] = field(default_factory=list)
    settings: list[Setting] = field(default_factory=list)
    notebook_calls: list[tuple[int, int]] = field(default_factory=list)
    runs_other_code: bool = False  # what it does may not stand in it

    def first(self, names: frozenset[str]) -> tuple[int, int] | None:
        """The first place where one of `names` is used."""
        return min((self.used[name] for name in names if name in self.used), default=None)


def names_in(tree: ast.Module) -> Names:
    """The names in a parsed file."""
    reader = _Reader(_constants(tree))
    reader.visit(tree)
    return reader.names


def _constants(tree: ast.Module) -> dict[str, str]:
    """Names that are given one text once, such as URI = "http://…"."""
    found: dict[str, list[str | None]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            value = node.value.value if isinstance(node.value, ast.Constant) else None
            found.setdefault(node.targets[0].id, []).append(value if isinstance(value, str) else None)
    return {name: values[0] for name, values in found.items() if len(values) == 1 and values[0] is not None}


class _Reader(ast.NodeVisitor):
    def __init__(self, constants: dict[str, str]) -> None:
        self.names = Names()
        self._constants = constants
        self._guarded = 0

    def _use(self, name: str, node: ast.expr | ast.stmt | ast.keyword | ast.alias) -> None:
        self.names.used.setdefault(name, (node.lineno, node.col_offset + 1))

    def visit_Name(self, node: ast.Name) -> None:
        self._use(node.id, node)
        if node.id in _RUNS_OTHER_CODE:
            self.names.runs_other_code = True

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self._use(node.attr, node)
        self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg:
            self._use(node.arg, node)
        self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.names.imports.append(Import(alias.name, (), 0, node.lineno, node.col_offset + 1))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        names = tuple(alias.name for alias in node.names)
        self.names.imports.append(Import(node.module or "", names, node.level, node.lineno, node.col_offset + 1))
        for alias in node.names:
            self._use(alias.name, alias)

    def visit_Try(self, node: ast.Try) -> None:
        self._guarded += 1
        self.generic_visit(node)
        self._guarded -= 1

    def visit_Assign(self, node: ast.Assign) -> None:
        """os.environ["MLFLOW_TRACKING_URI"] = …"""
        for target in node.targets:
            if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
                self._environment(target.slice.value, node.value, node.lineno)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name == "set_tracking_uri":
            self._set("tracking", _argument(node, "uri"), node.lineno)
        elif name == "set_experiment":
            self._set("experiment", _argument(node, "experiment_name"), node.lineno)
        elif name == "get_ipython" and not self._guarded:
            self.names.notebook_calls.append((node.lineno, node.col_offset + 1))
        for keyword in node.keywords:
            if keyword.arg == "tracking_uri":
                self._set("tracking", keyword.value, node.lineno)
        self.generic_visit(node)

    def _environment(self, variable: object, value: ast.expr, line: int) -> None:
        what = _OURS.get(str(variable))
        if what is not None:
            self._set(what, value, line)

    def _set(self, what: str, value: ast.expr | None, line: int) -> None:
        if _is_ours(value):
            return
        texts: list[str | None] = [*self._texts(value)]
        self.names.settings += [Setting(what, text, line) for text in texts or [None]]

    def _texts(self, value: ast.expr | None) -> Iterator[str]:
        """The texts that an expression may be: a literal, a constant, or the default of os.getenv."""
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield value.value
        elif isinstance(value, ast.Name) and value.id in self._constants:
            yield self._constants[value.id]
        elif isinstance(value, ast.Call) and len(value.args) == 2:
            yield from self._texts(value.args[1])
        elif isinstance(value, ast.BoolOp):
            for part in value.values:
                yield from self._texts(part)


def _is_ours(value: ast.expr | None) -> bool:
    """Whether an expression looks up what we set: os.environ["MLFLOW_TRACKING_URI"], os.getenv(…, "…")."""
    key = value.slice if isinstance(value, ast.Subscript) else None
    if isinstance(value, ast.Call) and value.args:
        key = value.args[0]
    return isinstance(key, ast.Constant) and key.value in _OURS


def _argument(node: ast.Call, name: str) -> ast.expr | None:
    if node.args:
        return node.args[0]
    return next((keyword.value for keyword in node.keywords if keyword.arg == name), None)
