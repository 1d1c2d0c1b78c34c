"""What the server in an image writes when it is tried, and what of it is believed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from generator.adapters.replies import read_parity, read_replay
from generator.adapters.shell import ProcessFailed
from generator.errors import GeneratorError
from generator.ports import Parity, Replay

REPLAYED: dict[str, Any] = {"predictions": [1], "load_seconds": 2.5, "runtime": "sklearn", "runtime_reason": None}
COMPARED: dict[str, Any] = {"rows": 4096, "largest_difference": 1e-16, "reason": None}
FAILED = ProcessFailed(("docker", "run"), 1, "", "no space left")


@pytest.mark.parametrize("output", ["", "no JSON", "[]", '{"predictions"', '{"other": 1}'])
def test_an_answer_that_is_none_is_an_error(output: str) -> None:
    with pytest.raises(GeneratorError, match="the server in the image did not answer"):
        read_replay(output)


def test_what_a_model_prints_before_the_answer_does_no_harm() -> None:
    found = read_replay(f"loading...\n{json.dumps({**REPLAYED, 'columns': []})}\n")
    assert found == Replay([1], 2.5, None, "sklearn", None)
    assert read_parity(f"loading...\n{json.dumps(COMPARED)}") == Parity(4096, 1e-16, None)


@pytest.mark.parametrize(
    "change",
    [
        {"runtime": "mine"},
        {"runtime": None},
        {"load_seconds": -1},
        {"load_seconds": "2"},
        {"runtime_reason": ["x"]},
    ],
)
def test_a_replay_of_another_form_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(GeneratorError, match="not understood"):
        read_replay(json.dumps({**REPLAYED, **change}))


@pytest.mark.parametrize("change", [{"rows": -1}, {"rows": None}, {"largest_difference": "0"}, {"reason": 1}])
def test_a_comparison_of_another_form_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(GeneratorError, match="not understood"):
        read_parity(json.dumps({**COMPARED, **change}))


def test_reasons_are_one_bounded_line() -> None:
    reason = read_parity(json.dumps({**COMPARED, "reason": "row 7:\n\x1b[31m1 != 0" + "x" * 5000})).reason
    assert reason is not None
    assert reason.startswith("row 7: [31m1 != 0x")
    assert len(reason) == 500
    assert read_replay(json.dumps({**REPLAYED, "runtime_reason": "a\u2028b"})).reason == "a b"


def test_a_model_that_fails_in_one_runtime_is_not_the_same_in_both() -> None:
    failed = json.dumps({"error": {"code": "model_failed", "message": "no module named x"}})
    assert read_parity(failed, failure=FAILED) == Parity(0, 0.0, "no module named x")
    assert read_replay(failed, failure=FAILED).error == "no module named x"


def test_a_container_that_died_is_an_error_with_its_last_words() -> None:
    for read in (read_replay, read_parity):
        with pytest.raises(GeneratorError, match="did not answer: no space left"):
            read("", failure=FAILED)
