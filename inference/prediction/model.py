"""The model: its description, its schema, an example, and the runtime that answers.

Nothing here is safe for two threads at once: the caller asks one at a time.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from inference import runtimes
from inference.description import examples
from inference.errors import RequestError
from inference.prediction.hooks import Hooks
from inference.prediction.hooks import load as load_hooks
from inference.requests import forms
from inference.requests.batch import Rules
from inference.requests.tables import Batch
from inference.runtimes.base import Result, Runtime
from inference.schema import Schema, SchemaError, from_mlmodel, without_signature

_NUMERIC = frozenset({"sklearn", "xgboost", "lightgbm", "numpy", "pandas", "scipy"})
_ABOUT_VALUES = re.compile(r"\bNaN\b|missing value|infinity|unknown categor|could not convert", re.IGNORECASE)


@dataclass(frozen=True)
class Description:
    """What the MLmodel file says; known before the model is loaded."""

    folder: Path
    mlmodel: Mapping[str, Any]
    schema: Schema | None  # None: no signature

    @property
    def flavors(self) -> list[str]:
        """The names of the model's flavors, e.g. python_function and sklearn."""
        return sorted(self.mlmodel.get("flavors") or {})

    @cached_property
    def signature(self) -> dict[str, Any] | None:
        """The signature as objects; MLflow keeps it as JSON in YAML."""
        signature = self.mlmodel.get("signature")
        if not isinstance(signature, dict):
            return None
        return {key: json.loads(signature.get(key) or "null") for key in ("inputs", "outputs", "params")}

    @property
    def loader(self) -> str:
        """The module that MLflow loads the model with, e.g. mlflow.sklearn."""
        flavor = (self.mlmodel.get("flavors") or {}).get("python_function") or {}
        return str(flavor.get("loader_module"))


def describe(folder: Path) -> Description:
    """Read the MLmodel file; FileNotFoundError or SchemaError where that fails."""
    try:
        content = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SchemaError(f"the MLmodel file is not YAML: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("flavors"), dict):
        raise SchemaError("the MLmodel file names no flavors")
    return Description(folder, content, from_mlmodel(content))


class Model:
    """A loaded model."""

    def __init__(self, description: Description, runtime: Runtime, hooks: Hooks | None = None) -> None:
        self.description = description
        self.runtime = runtime
        self.hooks = hooks
        self._taken = description.schema or without_signature(*runtime.columns())
        self.schema = (hooks and hooks.input) or self._taken
        """What a request must hold; the model itself may be given something else, by preprocess."""
        self.classes = runtime.classes
        self.example: dict[str, Any] | None = None
        self.loaded_at = time.time()

    def ask(self, batch: Batch, params: Mapping[str, Any] | None = None, *, probabilities: bool = False) -> Result:
        """Whatever the model returns for these rows; RequestError when it refuses a value."""
        try:
            return self.runtime.ask(batch, params, probabilities=probabilities)
        except SystemExit as error:
            raise RuntimeError("the model called sys.exit") from error
        except Exception as error:
            reason = _refusal(error, self.runtime.library)
            if reason:
                raise RequestError("refused_by_model", f"the model refuses this input: {reason}") from error
            raise

    def before(self, batch: Batch) -> Batch:
        """What the model is asked for these rows of a request."""
        return self.hooks.before(batch, self._taken) if self.hooks else batch

    def after(self, result: Result, rows: int) -> Result:
        """What is answered, given what the model returned."""
        return replace(result, predictions=self.hooks.after(result.predictions, rows)) if self.hooks else result

    def choose_example(self) -> None:
        """Keep the first example that the model really answers; asking it also warms the model up."""
        description = self.description
        bodies = examples.candidates(description.folder, description.mlmodel, self.schema)
        self.example = bodies[-1] if bodies else None
        for body in bodies:
            try:
                batch = forms.read(body, self.schema, Rules(version="")).batch
                self.after(self.ask(self.before(batch)), batch.rows)
            except Exception:  # noqa: BLE001, S112 - a made-up value may be none that the model knows
                continue
            self.example = body
            return


def load(description: Description, runtime: str = "auto", hooks: Path | None = None) -> Model:
    """Import the model's libraries and load it; slow (seconds).

    `runtime` is one of runtimes.WANTED, `hooks` the folder with the user's hooks.
    """
    loaded = runtimes.load(description.folder, description.mlmodel, runtime)
    model = Model(description, loaded, load_hooks(hooks) if hooks else None)
    model.choose_example()
    return model


def _refusal(error: Exception, library: str | None) -> str | None:
    """The model's reason, when it is the input that it refuses; None for a bug.

    Libraries refuse values with a plain ValueError or TypeError of their own. The same exception from the
    user's code is a bug, and so is nearly everything that a custom model lets a library raise.
    """
    package = _origin(error)
    message = str(error).strip()
    if package == "mlflow" and getattr(error, "error_code", "") in ("INVALID_PARAMETER_VALUE", "BAD_REQUEST"):
        return _first_line(message.rsplit("Error: ", 1)[-1])
    if type(error) not in (ValueError, TypeError):
        return None
    if library and package in _NUMERIC:
        return _first_line(message)
    if package in _NUMERIC and _ABOUT_VALUES.search(message):
        return _first_line(message)
    return None


def _origin(error: Exception) -> str:
    """The top-level package of the innermost frame."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    name = trace.tb_frame.f_globals.get("__name__", "") if trace else ""
    return str(name).split(".")[0]


def _first_line(message: str) -> str:
    return (message.splitlines() or ["no reason given"])[0][:300]
