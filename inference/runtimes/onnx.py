"""ONNX Runtime: models of MLflow's onnx flavor, and models that packaging has converted from another library.

A converted model's folder holds, beside everything that MLflow put there, `converted.onnx` and
`converted.json`; `Converted` is the JSON's content. It answers as the original estimator would, with the
labels in their own types, and nothing but numpy and onnxruntime is imported for it. An example:

    {"version": 1, "library": "sklearn", "width": 2, "names": ["a", "b"], "gaps": false,
     "input": "input", "dtype": "float32",
     "output": {"labels": "label", "probabilities": "probabilities"}, "labels": "position",
     "classes": ["no", "yes"]}

and of a regressor:

    {"version": 1, "library": "sklearn", "width": 2, "names": null, "gaps": false,
     "input": "input", "dtype": "float32",
     "output": {"labels": "variable", "probabilities": null}, "labels": "value", "classes": null}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.runtimes.base import Runtime, Unfit

MODEL_FILE = "converted.onnx"
DESCRIPTION_FILE = "converted.json"


@dataclass(frozen=True)
class Converted:
    """The content of converted.json. Unknown keys and another `version` are refused."""

    version: int
    """1."""

    library: str
    """Package of the original estimator: sklearn, xgboost or lightgbm."""

    width: int
    """Number of columns that the model takes."""

    names: list[str] | None
    """Their names, for a model without a signature; null for one trained on bare arrays."""

    gaps: bool
    """Whether the original takes missing values (NaN). If not, they are refused as the original does; values
    that the dtype cannot hold are refused in any case."""

    input: str
    """Name of the graph's only input, a tensor of shape (rows, width)."""

    dtype: str
    """Of the input: float32 or float64."""

    output: dict[str, str | None]
    """Names of the graph's outputs: `labels` (the predictions; for a regressor its numbers) and
    `probabilities`, an array of shape (rows, classes), so convert without ZipMap; null for a regressor, and
    for a classifier that gives none."""

    labels: str
    """What the output of labels holds. `position`: whole numbers that count in `classes`. `label`: the classes
    themselves, whole numbers or strings. `value`: numbers, shape (rows,), (rows, 1), which is answered as
    (rows,), or (rows, outputs)."""

    classes: list[Any] | None
    """The original's `classes_` in its order, as JSON strings, whole numbers, booleans or floats; null for a
    regressor. A model with several outputs of labels cannot be converted."""


def load(folder: Path, flavors: Mapping[str, Any]) -> Runtime:  # noqa: ARG001 - the work is still to be done
    """A model of MLflow's onnx flavor."""
    raise Unfit("ONNX models are served by pyfunc so far")
