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

import numpy as np
import orjson

from inference.requests.frames import frame
from inference.requests.tables import Batch, Matrix, Table
from inference.requests.values import Array
from inference.runtimes import stored
from inference.runtimes.base import Result, Unfit, refused

MODEL_FILE = "converted.onnx"
DESCRIPTION_FILE = "converted.json"
_NO_SPINNING = {"session.intra_op.allow_spinning": "0", "session.inter_op.allow_spinning": "0"}


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


class ConvertedModel:
    """See base.Runtime."""

    name = "onnx"
    independent = True

    def __init__(self, description: Converted, session: Any) -> None:
        self.library: str | None = description.library
        self.classes = description.classes
        self._description = description
        self._labels = np.array(description.classes)
        self._run = session.run
        self._outputs = [name for name in description.output.values() if name]

    def columns(self) -> tuple[list[str] | None, int | None]:
        return self._description.names, self._description.width

    def ask(self, batch: Batch, params: Mapping[str, Any] | None = None, *, probabilities: bool = False) -> Result:  # noqa: ARG002 - the originals take none
        outputs = self._outputs if probabilities else self._outputs[:1]
        found = self._run(outputs, {self._description.input: self._checked(batch)})
        return Result(self._as_labels(found[0]), found[1] if probabilities else None)

    def _as_labels(self, found: Array) -> Array:
        if self._description.labels == "position":
            return self._labels.take(found, axis=0)
        return found[:, 0] if found.ndim == 2 and found.shape[1] == 1 else found

    def _checked(self, batch: Batch) -> Array:
        """The rows as the graph takes them; RequestError for what the original refuses."""
        rows = (
            batch.block if isinstance(batch, Table) else batch.array if isinstance(batch, Matrix) else batch.arrays
        )
        if not isinstance(rows, np.ndarray) or rows.dtype.kind not in "fiub" or rows.ndim != 2:
            raise refused("it takes rows of numbers")
        if rows.shape[1] != self._description.width:
            raise refused(f"it takes {self._description.width} columns, not {rows.shape[1]}")
        with np.errstate(over="ignore"):
            rows = np.ascontiguousarray(rows, dtype=self._description.dtype)
        if not np.isfinite(rows).all():
            if np.isinf(rows).any():
                raise refused(f"infinity or a value too large for {self._description.dtype}")
            if not self._description.gaps:
                raise refused("missing values (NaN), which it does not take")
        return rows


class Onnx:
    """See base.Runtime. Of MLflow's onnx flavor: a frame for a table, else arrays by the outputs' names."""

    name = "onnx"
    library: str | None = None
    independent = False  # a graph may do anything with its rows
    classes: list[Any] | None = None

    def __init__(self, session: Any) -> None:
        self._run = session.run
        self._inputs = {one.name: one for one in session.get_inputs()}
        self._outputs = [one.name for one in session.get_outputs()]

    def columns(self) -> tuple[list[str] | None, int | None]:
        shape = next(iter(self._inputs.values())).shape
        known = len(self._inputs) == 1 and len(shape) == 2 and isinstance(shape[1], int)
        return None, shape[1] if known else None

    def ask(self, batch: Batch, params: Mapping[str, Any] | None = None, *, probabilities: bool = False) -> Result:  # noqa: ARG002 - pyfunc leaves them out too
        feed = {name: self._cast(name, array) for name, array in self._feed(batch).items()}
        found = dict(zip(self._outputs, self._run(self._outputs, feed), strict=True))
        return Result(_one_column_each(found) if isinstance(batch, Table) else found)

    def _feed(self, batch: Batch) -> Mapping[str, Array]:
        if isinstance(batch, Table):
            if len(self._inputs) == 1:
                return dict.fromkeys(self._inputs, _values(batch))
            return {name: batch.columns[name] for name in self._inputs}
        arrays = batch.array if isinstance(batch, Matrix) else batch.arrays
        if isinstance(arrays, Mapping):
            return arrays
        if len(self._inputs) > 1:
            raise ValueError(f"this model takes the tensors {list(self._inputs)}, not a single one")
        return dict.fromkeys(self._inputs, arrays)

    def _cast(self, name: str, array: Array) -> Array:
        """MLflow makes 32 bits of 64 where the graph wants that, and leaves all else to ONNX Runtime."""
        wanted = self._inputs.get(name)
        single = wanted is not None and wanted.type == "tensor(float)" and array.dtype == np.float64
        return array.astype(np.float32) if single else array


def load(folder: Path, flavors: Mapping[str, Any]) -> Onnx:
    """A model of MLflow's onnx flavor."""
    flavor, data = flavors.get("onnx"), flavors["python_function"].get("data")
    if not flavor or not data:
        raise Unfit("the MLmodel file does not say where the graph is")
    stored.only_predicts(flavors)
    stored.use_code(folder, flavors)
    return Onnx(_session(folder / data, flavor.get("onnx_session_options") or {}))


def load_converted(folder: Path) -> ConvertedModel | None:
    """The converted model in this folder; None where there is none. ValueError for a wrong description."""
    try:
        content = orjson.loads((folder / DESCRIPTION_FILE).read_bytes())
    except FileNotFoundError:
        return None
    try:
        description = Converted(**content)
    except TypeError as error:
        raise ValueError(f"{DESCRIPTION_FILE}: {error}") from None
    if description.version != 1:
        raise ValueError(f"{DESCRIPTION_FILE} is of version {description.version}; this server reads version 1")
    return ConvertedModel(description, _session(folder / MODEL_FILE, {}))


def _session(path: Path, options: Mapping[str, Any]) -> Any:
    """One thread: with more the order of sums is no longer fixed, and idle threads spin."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    settings.log_severity_level = 3
    if options.get("graph_optimization_level") is not None:
        level = options["graph_optimization_level"]
        settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel(level)
    for key, value in {**(options.get("extra_session_config") or {}), **_NO_SPINNING}.items():
        settings.add_session_config_entry(key, str(value))
    return onnxruntime.InferenceSession(str(path), sess_options=settings, providers=["CPUExecutionProvider"])


def _values(table: Table) -> Array:
    """What `values` of the table's frame would be."""
    if table.schema.plain and any(column.dtype.kind == "f" for column in table.schema.columns if column.dtype):
        block = table.block
        if block is not None:
            return block
    arrays = list(table.columns.values())
    if {array.dtype.kind for array in arrays} <= {"f", "i"}:
        return np.column_stack(arrays)
    found: Array = frame(table).values
    return found


def _one_column_each(found: Mapping[str, Any]) -> Any:
    """A frame as MLflow makes it of the outputs, whatever their shape."""
    import pandas as pd

    return pd.DataFrame({name: np.asarray(output).reshape(-1) for name, output in found.items()})
