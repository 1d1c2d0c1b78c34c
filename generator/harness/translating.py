"""The converters: skl2onnx for scikit-learn, onnxmltools for XGBoost and LightGBM."""

import warnings
from collections.abc import Callable
from typing import Any

from .original import Refused

INPUT = "input"
GRAPH = "converted"  # a converter left alone makes up another name each time
DTYPES = {"sklearn": ("float32", "float64"), "xgboost": ("float32",), "lightgbm": ("float32",)}
PACKAGES = {"sklearn": "skl2onnx", "xgboost": "onnxmltools", "lightgbm": "onnxmltools"}


def translate(library: str, raw: Any, width: int, dtype: str) -> tuple[bytes, list[str]]:
    """The graph for rows of `dtype`, one of DTYPES, and the names of its outputs."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            graph = _CONVERTERS[library](raw, width, dtype)
    except ModuleNotFoundError as error:
        raise Refused(f"{error.name} is not installed here; run `generator lock` and commit the lock") from error
    except Exception as error:
        text = " ".join(str(error).split())
        raise Refused(f"{PACKAGES[library]} cannot convert it: {type(error).__name__}: {text:.500}") from error
    return graph.SerializeToString(), [output.name for output in graph.graph.output]


def _sklearn(raw: Any, width: int, dtype: str) -> Any:
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    if dtype == "float64" and _splits_on_gaps(raw):
        raise Refused("a tree splits on whether a value is missing, over which skl2onnx never ends in 64 bits")
    tensor = FloatTensorType if dtype == "float32" else DoubleTensorType
    options = {id(raw): {"zipmap": False}} if hasattr(raw, "classes_") else None
    return convert_sklearn(raw, name=GRAPH, initial_types=[(INPUT, tensor([None, width]))], options=options)


def _splits_on_gaps(raw: Any) -> bool:
    """scikit-learn writes such a split as one at infinity."""
    import numpy

    last = raw.steps[-1][1] if hasattr(raw, "steps") else raw
    trees = [last, *numpy.ravel(getattr(last, "estimators_", []))]
    return any(numpy.isinf(tree.tree_.threshold).any() for tree in trees if hasattr(tree, "tree_"))


def _lightgbm(raw: Any, width: int, _: str) -> Any:
    from onnxmltools import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    return convert_lightgbm(raw, name=GRAPH, initial_types=[(INPUT, FloatTensorType([None, width]))], zipmap=False)


def _xgboost(raw: Any, width: int, _: str) -> Any:
    from onnxmltools import convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    booster = raw.get_booster()
    names = booster.feature_names
    booster.feature_names = [f"f{place}" for place in range(width)]  # the converter reads no others
    try:
        return convert_xgboost(raw, name=GRAPH, initial_types=[(INPUT, FloatTensorType([None, width]))])
    finally:
        booster.feature_names = names


_CONVERTERS: dict[str, Callable[[Any, int, str], Any]] = {
    "sklearn": _sklearn,
    "xgboost": _xgboost,
    "lightgbm": _lightgbm,
}
