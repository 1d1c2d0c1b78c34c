"""What a model returns, as values that JSON can hold.

Models return arrays, frames, series, lists, dictionaries, or things of their own. Not-a-number becomes null:
orjson writes it so, and JSON has no other word for it.
"""

from __future__ import annotations

import base64
import datetime
import decimal
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson


def jsonable(result: Any) -> Any:
    """Predictions as lists and scalars; a frame becomes one object a row, a series a list."""
    if hasattr(result, "to_dict") and hasattr(result, "columns"):
        result.columns = [str(name) for name in result.columns]
        return result.to_dict(orient="records")
    if hasattr(result, "toarray"):  # sparse
        return jsonable(result.toarray())
    if hasattr(result, "to_numpy") and hasattr(result, "index"):  # a series
        return jsonable(result.to_numpy())
    if isinstance(result, np.ndarray):
        return _array(result)
    if isinstance(result, np.generic):
        return jsonable(np.asarray(result))
    if isinstance(result, Mapping):
        return {str(key): jsonable(value) for key, value in result.items()}
    if isinstance(result, tuple):
        return [jsonable(item) for item in result]
    return result


def probabilities(result: Any) -> list[Any]:
    """A list a row; of several outputs, each row has a list of their lists."""
    if isinstance(result, list):
        return [list(row) for row in zip(*(jsonable(output) for output in result), strict=True)]
    return list(jsonable(result))


def class_labels(classes: Any) -> list[Any]:
    """The labels that the probabilities belong to; of several outputs, a list each."""
    return [jsonable(item) for item in classes] if isinstance(classes, list) else list(jsonable(classes))


def first(predictions: Any) -> Any:
    """The only row's prediction."""
    if isinstance(predictions, Mapping):
        return {key: first(value) for key, value in predictions.items()}
    if isinstance(predictions, Sequence) and not isinstance(predictions, str) and len(predictions) == 1:
        return predictions[0]
    return predictions


def probability_of(prediction: Any, row: Sequence[Any], classes: Sequence[Any]) -> float | None:
    """The probability of the predicted class; None where the prediction is not one of the classes."""
    for label, probability in zip(classes, row, strict=False):
        if label == prediction and isinstance(probability, float):
            return probability
    return None


def dumps(content: Any) -> bytes:
    """JSON text; whatever a model may have put into its answer."""
    return orjson.dumps(content, default=_default, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)


def _array(array: np.ndarray[Any, Any]) -> Any:
    if array.dtype.kind == "M":
        text = np.datetime_as_string(array.astype("datetime64[us]")).astype(object)
        text[np.isnat(array)] = None
        return text.tolist()
    if array.dtype.kind == "m":
        return (array / np.timedelta64(1, "s")).tolist()
    if array.dtype.kind == "O":
        return [jsonable(item) for item in array] if array.ndim else jsonable(array.item())
    return array.tolist()


def _default(value: Any) -> Any:
    """What orjson does not know; an unknown kind is a TypeError and so an internal error."""
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, datetime.datetime):  # pandas' Timestamp is a subclass
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, decimal.Decimal | float):
        return float(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=repr)
    converted = jsonable(value)
    if converted is value:
        raise TypeError(f"a prediction of type {type(value).__name__} has no JSON form")
    return converted
