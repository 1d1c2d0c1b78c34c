"""The model that is to be converted: an estimator of a known library that takes rows of numbers."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from .inputs import Inputs, features_of, inputs_of, inside

LIBRARIES = ("sklearn", "xgboost", "lightgbm")
DTYPES = {"double": "float64", "float": "float32", "integer": "int32", "long": "int64", "boolean": "bool"}


class Refused(Exception):
    """Why the model cannot be converted."""


@dataclass(frozen=True)
class Original:
    """A model as it was logged."""

    library: str
    pyfunc: Any
    raw: Any  # the estimator
    inputs: Inputs
    dtypes: tuple[str, ...]  # of the columns
    classes: list[Any] | None  # None: a regressor

    @property
    def width(self) -> int:
        return len(self.dtypes)

    @property
    def names(self) -> list[str] | None:
        """Of its columns, as the estimator knows them."""
        names, _ = features_of(self.pyfunc)
        return list(names) if names else None

    @property
    def gives_probabilities(self) -> bool:
        return self.classes is not None and hasattr(self.raw, "predict_proba")

    @cached_property
    def takes_gaps(self) -> bool:
        """Whether a missing value (NaN) in a column of numbers is answered."""
        import numpy

        row = numpy.zeros((1, self.width))
        row[0, [dtype.startswith("float") for dtype in self.dtypes]] = numpy.nan
        try:
            self.predict(row)
        except Exception:
            return False
        return bool(numpy.isnan(row).any())

    def predict(self, rows: Any) -> Any:
        """What pyfunc answers."""
        import numpy

        return numpy.asarray(self.pyfunc.predict(self._data(rows)))

    def probabilities(self, rows: Any) -> Any:
        return self.raw.predict_proba(self._data(rows))

    def _data(self, rows: Any) -> Any:
        """Rows of numbers (an array of 64 bits) in the form and types that the model was logged for."""
        import pandas

        if self.inputs.tensor or (self.inputs.schema is None and self.inputs.names is None):
            return rows.astype(self.dtypes[0])
        frame = pandas.DataFrame({at: rows[:, at].astype(dtype) for at, dtype in enumerate(self.dtypes)})
        if self.inputs.names is not None:
            frame.columns = pandas.Index(self.inputs.names)
        return frame


def original(folder: Path) -> Original:
    """The model in `folder`. Raises Refused where it is of no kind that can be converted."""
    import mlflow.pyfunc
    from mlflow.models import Model

    flavor = Model.load(str(folder)).flavors.get("python_function") or {}
    library = str(flavor.get("loader_module")).removeprefix("mlflow.")
    if library == "onnx":
        raise Refused("it is an ONNX model already")
    if library not in LIBRARIES:
        raise Refused(f"it is no scikit-learn, XGBoost or LightGBM model (MLflow loads it with {library})")
    if flavor.get("predict_fn", "predict") != "predict":
        raise Refused(f"it was logged to answer with {flavor['predict_fn']} instead of predict")
    loaded = mlflow.pyfunc.load_model(str(folder))
    raw, inputs = inside(loaded)[0], inputs_of(loaded)
    if not hasattr(raw, "predict") or not hasattr(raw, "get_params"):
        raise Refused(f"it is a bare {type(raw).__name__}; train with the library's scikit-learn interface")
    if getattr(loaded.metadata, "get_params_schema", lambda: None)() is not None:
        raise Refused("its signature has params, which only the model itself understands")
    return Original(library, loaded, raw, inputs, _dtypes(inputs), _classes(raw))


def _dtypes(inputs: Inputs) -> tuple[str, ...]:
    if inputs.tensor:
        specs = list(inputs.schema.inputs)
        shape = specs[0].shape
        if len(specs) > 1 or specs[0].name or len(shape) != 2 or shape[1] < 1 or specs[0].type.kind != "f":
            raise Refused("its signature is of tensors that are no rows of numbers")
        return (str(specs[0].type),) * int(shape[1])
    if inputs.schema is None:
        if inputs.width is None:
            raise Refused("it has no signature and does not say how many columns it takes")
        return ("float64",) * inputs.width
    kinds = [(spec.name, getattr(spec.type, "name", str(spec.type))) for spec in inputs.columns]
    for place, (name, kind) in enumerate(kinds):
        if kind not in DTYPES:
            raise Refused(f"its column {name or place} is of type {kind}, and only numbers can be converted")
    return tuple(DTYPES[kind] for _, kind in kinds)


def _classes(raw: Any) -> list[Any] | None:
    """The labels of a classifier. Raises Refused where there are several outputs of them."""
    classes = getattr(raw, "classes_", None)
    if classes is None:
        return None
    if isinstance(classes, list) or getattr(classes, "ndim", 1) != 1:
        raise Refused("it predicts several outputs of labels")
    return list(classes.tolist())
