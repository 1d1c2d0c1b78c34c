"""The rule by which predictions are compared."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from generator.errors import GeneratorError
from generator.image.golden import Recorded, Tolerance, allowed, compare, read_golden


def difference(expected: Any, found: Any, *, tolerance: float = 1e-9, deterministic: bool = True) -> float:
    return compare(Recorded({"instances": []}, expected, deterministic), found, Tolerance(tolerance))


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ([1, 0], [1, 0]),
        ([1], [1.0]),
        (["a", "b"], ["a", "b"]),
        ([True], [True]),
        ([None, math.nan], [math.nan, None]),
        ([0.1 + 0.2], [0.3]),
        ([[0.1, 0.9]], [[0.1, 0.9]]),
        ([{"label": "a", "score": 0.5}], [{"score": 0.5, "label": "a"}]),
        ([math.inf], [math.inf]),
        ([0.0], [-0.0]),
        ({"a": [1.0]}, {"a": [1.0]}),
        ([], []),
    ],
)
def test_equal(expected: Any, found: Any) -> None:
    assert difference(expected, found) <= 1e-9


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ([1], [0]),
        ([10**17], [10**17 + 1]),
        (["a"], ["b"]),
        (["1"], [1]),
        ([True], [1]),
        ([True], [False]),
        ([None], [0.0]),
        ([0.0], [1e-30]),
        ([1.0], [1.0 + 1e-8]),
        ([1.0], [-1.0]),
        ([1.0], [math.inf]),
        ([math.inf], [-math.inf]),
        ([[1.0, 2.0]], [[1.0]]),
        ([1.0], [[1.0]]),
        ([{"a": 1}], [{"b": 1}]),
        ([1, 2], [1]),
        ([1], [1, 2]),
        ([1], None),
        ([1], {"a": 1}),
    ],
)
def test_not_equal(expected: Any, found: Any) -> None:
    with pytest.raises(GeneratorError, match="does not predict what the training environment predicted"):
        difference(expected, found)


def test_a_large_tolerance_forgives_no_label() -> None:
    with pytest.raises(GeneratorError, match="row 0"):
        difference([100, 5.0], [101, 5.0], tolerance=0.5)


def test_a_model_that_varies_is_compared_by_shape() -> None:
    assert difference([[0.1, 0.2]], [[0.3, 0.4]], deterministic=False) == 0.0
    with pytest.raises(GeneratorError, match="another shape"):
        difference([[0.1, 0.2]], [[0.3]], deterministic=False)


def test_many_differing_rows_are_counted_and_the_first_shown() -> None:
    with pytest.raises(GeneratorError) as caught:
        difference(list(range(10)), list(range(1, 11)))
    assert "in 10 of 10 rows" in str(caught.value)
    assert "row 4" in str(caught.value)
    assert "row 5" not in str(caught.value)
    assert "and 5 more" in str(caught.value)


def test_long_rows_are_shortened() -> None:
    with pytest.raises(GeneratorError) as caught:
        difference([[0.0] * 10_000], [[1.0] * 10_000])
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"request": 1}', "null"])
def test_a_damaged_file_is_refused(text: str) -> None:
    with pytest.raises(GeneratorError, match=r"golden\.json is damaged"):
        read_golden(text)


def test_a_recorded_file_is_read() -> None:
    assert read_golden(json.dumps({"request": {"inputs": [1]}, "predictions": [1]})).deterministic


def converted(expected: Any, found: Any) -> float:
    """Compared as a model that was converted to ONNX is."""
    return compare(Recorded({"instances": []}, expected, deterministic=True), found, allowed(1e-9, converted=True))


def test_numbers_of_a_converted_model_may_differ_by_what_32_bits_leave_out() -> None:
    assert converted([0.3, 1e-9, 2e5], [0.300001, 0.0, 2e5 + 1.5]) == pytest.approx(7.5e-6, rel=1e-4)
    assert converted(["yes", 1, True], ["yes", 1, True]) == 0
    assert allowed(1e-3, converted=True).share == 1e-3, "what model.yaml allows beyond that stays allowed"


@pytest.mark.parametrize(
    ("expected", "found"), [([0.3], [0.30002]), ([1], [0]), (["yes"], ["no"]), ([2e5], [2e5 + 3]), ([0.5], [None])]
)
def test_other_answers_of_a_converted_model_are_refused(expected: Any, found: Any) -> None:
    with pytest.raises(GeneratorError, match="converted to ONNX, numbers may differ by 1e-05"):
        converted(expected, found)
