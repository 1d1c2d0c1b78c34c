"""The user's own code before and after the model: `preprocess(frame)` and `postprocess(predictions)`.

A hook gets the rows of one request at a time, unless the file says `batched = True` (then those of all requests
that go together), and must keep their number. A ValueError that the hooks' file itself raises is the sender's
mistake (400, with its message); everything else is a bug in the hooks (500).
"""

from __future__ import annotations

import dis
import importlib.util
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from inference.errors import HookError, RequestError
from inference.requests import frames
from inference.requests.tables import Batch, Matrix, Table
from inference.schema import SCALAR_TYPES, Column, Schema

_MODULE = "tagship_hooks"


@dataclass(frozen=True)
class Hooks:
    """What the file defines; at least one of the two."""

    file: Path
    preprocess: Callable[[Any], Any] | None
    postprocess: Callable[[Any], Any] | None
    batched: bool
    input: Schema | None  # of requests, where it is not the model's

    def before(self, batch: Batch, schema: Schema) -> Batch:
        """What the model with `schema` is asked: the frame that preprocess makes of the request's."""
        if self.preprocess is None:
            return batch
        if not isinstance(batch, Table | Matrix):
            raise HookError("preprocess takes a frame, and this model takes tensors")
        found = self._call("preprocess", self.preprocess, frames.frame(batch))
        if not hasattr(found, "iloc") or not hasattr(found, "columns"):
            raise HookError(f"preprocess must return a DataFrame, not {type(found).__name__}")
        self._check_rows("preprocess", len(found), batch.rows)
        try:
            return frames.batch(found, schema)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise HookError(f"the model cannot take what preprocess returns: {error}") from error

    def after(self, predictions: Any, rows: int) -> Any:
        """What postprocess makes of the model's predictions."""
        if self.postprocess is None:
            return predictions
        found = self._call("postprocess", self.postprocess, predictions)
        if not hasattr(found, "__len__") or isinstance(found, str | bytes | dict):
            raise HookError(f"postprocess must return one item a row, not {type(found).__name__}")
        self._check_rows("postprocess", len(found), rows)
        return found

    def _call(self, name: str, function: Callable[[Any], Any], value: Any) -> Any:
        try:
            return function(value)
        except ValueError as error:
            if self._raised(error):
                reason = (str(error).splitlines() or ["no reason given"])[0][:300]
                raise RequestError("refused_by_hook", f"{name} refuses this input: {reason}") from error
            raise HookError(f"{name} failed: {type(error).__name__}") from error
        except (Exception, SystemExit) as error:
            raise HookError(f"{name} failed: {type(error).__name__}") from error

    def _raised(self, error: Exception) -> bool:
        """Whether a `raise` in the hooks' own file raised it, and not something that it called."""
        trace = error.__traceback__
        while trace and trace.tb_next:
            trace = trace.tb_next
        if not trace or trace.tb_frame.f_code.co_filename != str(self.file):
            return False
        return trace.tb_frame.f_code.co_code[trace.tb_lasti] == dis.opmap["RAISE_VARARGS"]

    @staticmethod
    def _check_rows(name: str, found: int, rows: int) -> None:
        if found != rows:
            raise HookError(f"{name} was given {rows} rows and returned {found}: their number must stay")


def load(folder: Path) -> Hooks:
    """Import `hooks.py`, and read the schema of requests from `input.json` where there is one.

    The latter is an object of MLflow's type names by column, such as `{"age": "long", "city": "string?"}`; a
    question mark makes the column optional. Raises HookError for whatever is wrong.
    """
    file = folder / "hooks.py"
    try:
        module = _imported(file)
        found = input_schema(folder / "input.json")
    except (Exception, SystemExit) as error:
        raise HookError(f"the hooks cannot be loaded: {type(error).__name__}: {error}") from error
    before, after = (getattr(module, name, None) for name in ("preprocess", "postprocess"))
    if not callable(before) and not callable(after):
        raise HookError("the hooks' file defines neither preprocess nor postprocess")
    return Hooks(
        file,
        before if callable(before) else None,
        after if callable(after) else None,
        bool(getattr(module, "batched", False)),
        found,
    )


def _imported(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(_MODULE, file)
    if spec is None or spec.loader is None:
        raise HookError(f"{file.name} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[_MODULE] = module  # what pickle and dataclasses look up
    spec.loader.exec_module(module)
    return module


def input_schema(file: Path) -> Schema | None:
    """The schema that `input.json` describes; None where there is no such file."""
    if not file.is_file():
        return None
    columns = []
    for name, text in json.loads(file.read_text(encoding="utf-8")).items():
        kind = text.removesuffix("?")
        if kind not in SCALAR_TYPES:
            raise HookError(f"column {name!r} has the unknown type {kind!r}")
        columns.append(Column(name, name, kind, required=kind == text, spec={"name": name, "type": kind}))
    return Schema(columns=tuple(columns), width=len(columns))
