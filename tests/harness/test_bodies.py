"""The forms of a request body, each brought to the canonical one or refused with the reason."""

from typing import Any

import pytest

from generator.harness.bodies import BodyError, bounded, count, parse
from generator.harness.inputs import Inputs

COLUMNS = Inputs(names=("b", "a"), required=frozenset({"a", "b"}), width=2)
POSITIONS = Inputs(width=2)
ONE = Inputs(names=("a",), required=frozenset({"a"}), width=1)
UNKNOWN = Inputs()

BODIES: dict[str, Any] = {
    "records": [{"a": 90, "b": 1}, {"a": 30, "b": 60, "extra": "left out"}],
    "dataframe_records": {"dataframe_records": [{"a": 90, "b": 1}, {"a": 30, "b": 60}]},
    "dataframe_split": {"dataframe_split": {"columns": ["a", "b"], "index": [7, 8], "data": [[90, 1], [30, 60]]}},
    "split-by-position": {"dataframe_split": {"data": [[1, 90], [60, 30]]}},
    "data-with-columns": {"data": [[90, 1], [30, 60]], "columns": ["a", "b"]},
    "instances": {"instances": [[1, 90], [60, 30]]},
    "columns": {"inputs": {"a": [90, 30], "b": [1, 60]}},
    "instances-of-records": {"instances": [{"a": 90, "b": 1}, {"a": 30, "b": 60}], "model_version": "latest"},
}
REFUSED: dict[str, tuple[Any, str]] = {
    "two-envelopes": ({"inputs": [[1, 2]], "data": [[1, 2]]}, "inputs and data"),
    "missing": ([{"a": 1}], "row 0 has no b"),
    "width": ({"instances": [[1, 2, 3]]}, "row 0 has 3 values"),
    "flat": ({"instances": [1, 2]}, "flat list"),
    "mixed": ({"inputs": {"a": [1], "b": 2}}, "an object of columns"),
    "lengths": ({"inputs": {"a": [1], "b": [2, 3]}}, "different lengths"),
    "sibling": ({"instances": [[1, 2]], "shape": 3}, "shape"),
    "features": ({"features": [[1, 2]]}, "row 0 has 1 values"),
    "empty": ([], "a list of objects"),
    "scalar": (7, "a body is an object"),
}


@pytest.mark.parametrize("name", BODIES)
def test_one_meaning_in_many_forms(name: str) -> None:
    assert parse(BODIES[name], COLUMNS) == {
        "dataframe_split": {"columns": ["b", "a"], "data": [[1, 90], [60, 30]]}
    }


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    body, why = REFUSED[name]
    with pytest.raises(BodyError, match=why):
        parse(body, COLUMNS)


def test_one_row() -> None:
    row = {"dataframe_split": {"columns": ["b", "a"], "data": [[1, 90]]}}
    for body in (
        {"features": [1, 90]},
        {"features": {"a": 90, "b": 1}},
        {"a": 90, "b": 1},
        {"inputs": {"a": 90, "b": 1}},
    ):
        assert parse(body, COLUMNS) == row


def test_a_flat_list_is_rows_of_one_column() -> None:
    assert parse({"instances": [1, 2]}, ONE) == {"dataframe_split": {"columns": ["a"], "data": [[1], [2]]}}


def test_without_names_rows_go_by_position() -> None:
    assert parse({"inputs": [[1, 2]]}, POSITIONS) == {"instances": [[1, 2]]}
    with pytest.raises(BodyError, match="send rows"):
        parse([{"a": 1, "b": 2}], POSITIONS)


def test_a_model_that_says_nothing_takes_both() -> None:
    assert parse([{"a": 1}], UNKNOWN) == {"dataframe_split": {"columns": ["a"], "data": [[1]]}}
    assert parse({"instances": [[1, 2, 3]]}, UNKNOWN) == {"instances": [[1, 2, 3]]}


def test_tensors_pass_as_they_are() -> None:
    tensor = Inputs(tensor=True)
    assert parse({"inputs": {"p": [[1]], "q": [[2]]}}, tensor) == {"instances": {"p": [[1]], "q": [[2]]}}
    assert parse({"instances": [[[1]]]}, tensor) == {"instances": [[[1]]]}
    with pytest.raises(BodyError, match="tensor signature"):
        parse({"features": [1]}, tensor)
    with pytest.raises(BodyError, match="tensor signature"):
        parse([{"a": 1}], tensor)


def test_what_is_kept_is_bounded() -> None:
    assert count(bounded({"instances": [[1]] * 50})) == 20
    assert count(bounded({"instances": {"p": [[1]] * 50}})) == 20
    wide = {"dataframe_split": {"columns": ["a"], "data": [["x" * 300_000]] * 20}}
    assert count(bounded(wide)) == 2
