"""The model itself: loads an MLflow model folder and asks it. The only module that imports MLflow.

Predictions come from pyfunc, so that they are what MLflow's own server answers; probabilities from the
estimator underneath. Nothing here is safe for two threads at once: the caller asks one at a time.
"""

from __future__ import annotations

import copy
import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from inference import examples, forms
from inference.batch import Batch, Matrix, Rules, Table
from inference.errors import RequestError
from inference.outputs import class_labels
from inference.schema import Schema, SchemaError, from_mlmodel, without_signature

_LIBRARIES = {"mlflow.sklearn": "sklearn", "mlflow.xgboost": "xgboost", "mlflow.lightgbm": "lightgbm"}
"""Loader modules whose raw model is a known estimator or booster."""

_NUMERIC = frozenset({*_LIBRARIES.values(), "numpy", "pandas", "scipy"})
_ABOUT_VALUES = re.compile(r"\bNaN\b|missing value|infinity|unknown categor|could not convert", re.IGNORECASE)
_NO_NAMES = re.compile(r"Column_\d+")  # what LightGBM makes up for bare arrays


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

    @property
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

    def __init__(self, description: Description, pyfunc: Any) -> None:
        self.description = description
        self._pyfunc = pyfunc
        self._library = _LIBRARIES.get(description.loader)
        self._raw = pyfunc.get_raw_model() if self._library else None
        self.schema = description.schema or without_signature(*_known_columns(self._raw))
        self.classes = _classes(self._raw)
        self.example: dict[str, Any] | None = None
        self.loaded_at = time.time()
        if self.schema.columns and not description.mlmodel.get("is_signature_from_type_hint"):
            _switch_off_enforcement(pyfunc)

    def predict(self, batch: Batch, params: Mapping[str, Any] | None = None) -> Any:
        """Whatever the model returns for these rows; RequestError when it refuses a value."""
        try:
            data = _as_input(batch)
            return self._pyfunc.predict(data, params=dict(params)) if params else self._pyfunc.predict(data)
        except SystemExit as error:
            raise RuntimeError("the model called sys.exit") from error
        except Exception as error:
            self._raise_refusal(error)
            raise

    def probabilities(self, batch: Batch) -> Any:
        """The estimator's own predict_proba; only where `classes` is not None."""
        if self._raw is None:
            raise TypeError("this model has no predict_proba")
        try:
            return self._raw.predict_proba(_as_input(batch))
        except Exception as error:
            self._raise_refusal(error)
            raise

    def choose_example(self) -> None:
        """Keep the first example that the model really answers; asking it also warms the model up."""
        description = self.description
        bodies = examples.candidates(description.folder, description.mlmodel, self.schema)
        self.example = bodies[-1] if bodies else None
        for body in bodies:
            try:
                self.predict(forms.read(body, self.schema, Rules(version="")).batch)
            except Exception:  # noqa: BLE001, S112 - a made-up value may be none that the model knows
                continue
            self.example = body
            return

    def _raise_refusal(self, error: Exception) -> None:
        reason = _refusal(error, self._library)
        if reason:
            raise RequestError("refused_by_model", f"the model refuses this input: {reason}") from error


def load(description: Description) -> Model:
    """Import MLflow and the model's libraries, and load it; slow (seconds)."""
    os.environ.setdefault("MLFLOW_CONFIGURE_LOGGING", "false")  # its lines become ours, as JSON
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow.pyfunc
    import mlflow.tracing

    # There is no tracking server to trace to. Left on, load_model wants one afterwards, and in failing to
    # find it loses the model's own exception and returns None.
    mlflow.tracing.disable()
    model = Model(description, mlflow.pyfunc.load_model(str(description.folder)))
    model.choose_example()
    return model


def _as_input(batch: Batch) -> Any:
    if isinstance(batch, Matrix):
        return batch.array
    if not isinstance(batch, Table):
        return batch.arrays
    import pandas as pd

    return pd.DataFrame(dict(batch.columns))


def _switch_off_enforcement(pyfunc: Any) -> None:
    """Our schema has checked every value already; MLflow's refuses gaps in optional whole-number columns."""
    if pyfunc.metadata.signature:
        signature = copy.copy(pyfunc.metadata.signature)
        signature.inputs = None
        pyfunc.metadata.signature = signature


def _known_columns(raw: Any) -> tuple[list[str | int] | None, int | None]:
    """Names (None: trained on bare arrays) and number of the columns that a loaded estimator knows."""
    names = _ask(raw, "feature_names_in_", "feature_names", "feature_name")
    width = _ask(raw, "n_features_in_", "num_features", "num_feature")
    names = None if names is None else [str(name) for name in names]
    if not names or all(_NO_NAMES.fullmatch(name) for name in names):
        names = None
    return names, None if width is None else int(width)


def _ask(raw: Any, *attributes: str) -> Any:
    """The first attribute that is there, called where it is a method."""
    for attribute in attributes:
        # Estimators raise AttributeError or their own NotFittedError from these properties.
        found = getattr(raw, attribute, None)
        found = found() if callable(found) else found
        if found is not None:
            return found
    return None


def _classes(raw: Any) -> list[Any] | None:
    """The labels of a classifier that gives probabilities, else None."""
    classes = getattr(raw, "classes_", None)
    if classes is None or not hasattr(raw, "predict_proba"):
        return None
    return class_labels(classes)


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
