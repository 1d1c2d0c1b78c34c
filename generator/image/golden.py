"""Golden rows: what the training environment predicted, compared with what the image predicts.

The rule: labels (text, whole numbers, true and false) are equal; numbers with a fraction differ by at most
a share of the larger of both, or of the tolerance's floor where that is larger still; no number (NaN, null)
equals only no number. A model that answers differently when asked twice is compared by shape alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from generator.errors import GeneratorError

SHOWN = 5  # differing rows in a message


@dataclass(frozen=True)
class Tolerance:
    """How far two numbers may be apart, relative to the larger one, but at least to `floor`."""

    share: float
    floor: float = 0.0


ONNX = Tolerance(1e-5, floor=1.0)
"""A model that was converted to ONNX computes in 32 bits, which hold about seven digits."""


def allowed(golden_tolerance: float, *, converted: bool) -> Tolerance:
    """What `gate.golden_tolerance` allows, and what a conversion does."""
    return Tolerance(max(golden_tolerance, ONNX.share), ONNX.floor) if converted else Tolerance(golden_tolerance)


@dataclass(frozen=True)
class Recorded:
    """The content of golden.json."""

    request: Any  # a body for /predict; None where there are no golden rows
    predictions: Any
    deterministic: bool


def read_golden(text: str, named: str | None = None) -> Recorded:
    """golden.json, or a file of the user's that is `named`. Raises GeneratorError where it is none."""
    try:
        content = json.loads(text)
        return Recorded(content["request"], content["predictions"], content.get("deterministic") is not False)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if named:
            raise GeneratorError(f"{named} must be an object with `request` and `predictions`") from error
        raise GeneratorError(f"golden.json is damaged ({error!r}): run `generator stage train` again") from error


def compare(recorded: Recorded, predictions: Any, tolerance: Tolerance) -> float:
    """The largest difference. Raises GeneratorError with the first rows that differ."""
    if recorded.request is None:
        return 0.0
    if not recorded.deterministic:
        if _shape(recorded.predictions) != _shape(predictions):
            raise GeneratorError(
                f"the image answers the golden rows with another shape than the training environment: "
                f"{_short(predictions)} instead of {_short(recorded.predictions)}"
            )
        return 0.0
    rows = list(_rows(recorded.predictions, predictions, tolerance))
    wrong = [line for line, _ in rows if line is not None]
    if wrong:
        more = f"\n  and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        limit = "converted to ONNX, numbers may differ by" if tolerance.floor else "gate.golden_tolerance is"
        raise GeneratorError(
            f"the image does not predict what the training environment predicted, in {len(wrong)} of "
            f"{len(rows)} rows ({limit} {tolerance.share:g}):\n  " + "\n  ".join(wrong[:SHOWN]) + more
        )
    return max((difference for _, difference in rows), default=0.0)


def _rows(expected: Any, found: Any, tolerance: Tolerance) -> Iterator[tuple[str | None, float]]:
    """For each row what is wrong with it, if anything, and its largest difference."""
    if not isinstance(expected, list) or not isinstance(found, list):
        expected, found = [expected], [found]
    for row in range(max(len(expected), len(found))):
        if row >= len(found) or row >= len(expected):
            side = "the image answers no such row" if row >= len(found) else "only the image answers this row"
            yield f"row {row}: {side}", math.inf
            continue
        difference = _difference(expected[row], found[row], tolerance.floor)
        if difference <= tolerance.share:
            yield None, difference
        else:
            yield f"row {row}: recorded {_short(expected[row])}, the image says {_short(found[row])}", difference


def _difference(expected: Any, found: Any, floor: float) -> float:
    """0 for equal values, the relative difference of two numbers, infinity for everything else."""
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        return max((_difference(a, b, floor) for a, b in zip(expected, found, strict=True)), default=0.0)
    if isinstance(expected, dict) and isinstance(found, dict) and expected.keys() == found.keys():
        return max((_difference(expected[key], found[key], floor) for key in expected), default=0.0)
    if _is_nothing(expected) or _is_nothing(found):
        return 0.0 if _is_nothing(expected) and _is_nothing(found) else math.inf
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (expected, found))
    if not numbers:
        return 0.0 if type(expected) is type(found) and expected == found else math.inf
    if expected == found:
        return 0.0
    if (isinstance(expected, int) and isinstance(found, int)) or math.isinf(expected) or math.isinf(found):
        return math.inf
    return float(abs(expected - found) / max(abs(expected), abs(found), floor))


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _shape(value: Any) -> Any:
    if isinstance(value, list):
        return [_shape(item) for item in value]
    if isinstance(value, dict):
        return {key: _shape(item) for key, item in value.items()}
    return None


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 200 else f"{text[:197]}..."
