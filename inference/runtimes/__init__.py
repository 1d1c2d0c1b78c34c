"""Loaders: MLflow's pyfunc for every model, and faster ones for the libraries that people use most.

A native runtime is taken only for models of which it gives exactly what pyfunc gives: each refuses the
others, and packaging compares both before an image may be published (see parity.py).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from inference.runtimes import onnx
from inference.runtimes.base import Runtime, Unfit

WANTED = ("auto", "pyfunc")
"""Values of TAGSHIP_RUNTIME: the native runtime where there is one, or pyfunc in any case."""

_NATIVE = {
    "mlflow.sklearn": "sklearn",
    "mlflow.xgboost": "xgboost",
    "mlflow.lightgbm": "lightgbm",
    "mlflow.onnx": "onnx",
}
"""Module of this folder by the module that MLflow loads a model with."""

_log = logging.getLogger("inference")


def load(folder: Path, mlmodel: Mapping[str, Any], wanted: str = "auto") -> Runtime:
    """The model in `folder` by the runtime that fits; slow (seconds)."""
    loader = str(mlmodel["flavors"].get("python_function", {}).get("loader_module"))
    reason = "it was asked for"
    if wanted == "auto":
        try:
            return native(folder, mlmodel)
        except Unfit as unfit:
            reason = str(unfit)
            _log.info("served by MLflow's pyfunc: %s", reason)
    from inference.runtimes import pyfunc

    # A model that MLflow checks by its own type hints needs MLflow's check; columns are checked by our schema.
    enforce = not _has_columns(mlmodel) or bool(mlmodel.get("is_signature_from_type_hint"))
    return pyfunc.load(folder, loader, reason, enforce=enforce)


def native(folder: Path, mlmodel: Mapping[str, Any]) -> Runtime:
    """A converted model, else the library's own runtime; Unfit where neither is there or fits."""
    converted = onnx.load_converted(folder)
    if converted is not None:
        return converted
    if str((mlmodel.get("signature") or {}).get("params") or "null") != "null":
        raise Unfit("its signature has params, which MLflow checks and hands on")
    flavors = mlmodel["flavors"]
    name = _NATIVE.get(str(flavors.get("python_function", {}).get("loader_module")))
    if name is None:
        raise Unfit("there is no native runtime for this flavor")
    try:
        module = import_module(f"inference.runtimes.{name}")
    except ImportError as error:
        raise Unfit(f"{error.name} is not installed") from None
    runtime: Runtime = module.load(folder, flavors)
    return runtime


def _has_columns(mlmodel: Mapping[str, Any]) -> bool:
    return '"tensor-spec"' not in str((mlmodel.get("signature") or {}).get("inputs"))
