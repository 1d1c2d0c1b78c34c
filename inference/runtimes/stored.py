"""A model's files as MLflow stored them: pickles, skops files, and the code that they need."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inference.runtimes.base import Unfit


def use_code(folder: Path, flavors: Mapping[str, Any]) -> None:
    """Put the modules that were logged with the model first on the path, as pyfunc does."""
    code = flavors["python_function"].get("code")
    if code:
        sys.path.insert(0, str(folder / code))


def estimator(path: Path, flavor: Mapping[str, Any], default: str = "pickle") -> Any:
    """The object in a file, by the serialization format that its flavor names; `default` where it names none."""
    kind = flavor.get("serialization_format") or default
    if kind == "skops":
        import skops.io

        return skops.io.load(path, trusted=flavor.get("skops_trusted_types"))
    if kind not in ("pickle", "cloudpickle"):
        raise Unfit(f"the serialization format {kind!r} is unknown")
    if os.environ.get("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true").lower() in ("false", "0"):
        raise Unfit("MLFLOW_ALLOW_PICKLE_DESERIALIZATION forbids pickles")
    if kind == "cloudpickle":
        import cloudpickle  # noqa: F401 - it brings what its pickles refer to
    with path.open("rb") as file:
        return pickle.load(file)  # noqa: S301 - the model is the user's own code


def only_predicts(flavors: Mapping[str, Any]) -> None:
    """Unfit where pyfunc would call another method than `predict`."""
    method = flavors["python_function"].get("predict_fn", "predict")
    if method != "predict":
        raise Unfit(f"pyfunc calls `{method}` of this model")
