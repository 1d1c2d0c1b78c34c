"""The converters: skl2onnx for scikit-learn, onnxmltools for XGBoost and LightGBM. Inputs are of 32 bits."""

import warnings
from collections.abc import Callable
from typing import Any

from .original import Refused

INPUT = "input"
GRAPH = "converted"  # a converter left alone makes up another name each time
PACKAGES = {"sklearn": "skl2onnx", "xgboost": "onnxmltools", "lightgbm": "onnxmltools"}


def translate(library: str, raw: Any, width: int) -> tuple[bytes, list[str]]:
    """The graph, and the names of its outputs."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            graph = _CONVERTERS[library](raw, width)
    except ModuleNotFoundError as error:
        raise Refused(f"{error.name} is not installed here; run `generator lock` and commit the lock") from error
    except Exception as error:
        text = " ".join(str(error).split())
        raise Refused(f"{PACKAGES[library]} cannot convert it: {type(error).__name__}: {text:.500}") from error
    return graph.SerializeToString(), [output.name for output in graph.graph.output]


def _sklearn(raw: Any, width: int) -> Any:
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    options = {id(raw): {"zipmap": False}} if hasattr(raw, "classes_") else None
    return convert_sklearn(
        raw, name=GRAPH, initial_types=[(INPUT, FloatTensorType([None, width]))], options=options
    )


def _lightgbm(raw: Any, width: int) -> Any:
    from onnxmltools import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    return convert_lightgbm(raw, name=GRAPH, initial_types=[(INPUT, FloatTensorType([None, width]))], zipmap=False)


def _xgboost(raw: Any, width: int) -> Any:
    from onnxmltools import convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    booster = raw.get_booster()
    names = booster.feature_names
    booster.feature_names = [f"f{place}" for place in range(width)]  # the converter reads no others
    try:
        return convert_xgboost(raw, name=GRAPH, initial_types=[(INPUT, FloatTensorType([None, width]))])
    finally:
        booster.feature_names = names


_CONVERTERS: dict[str, Callable[[Any, int], Any]] = {
    "sklearn": _sklearn,
    "xgboost": _xgboost,
    "lightgbm": _lightgbm,
}
