"""The user's hooks.py around a real model: what it sees, what it may do, and what it is told when it breaks."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pandas as pd
import pytest
from starlette.testclient import TestClient

from inference.errors import HookError, RequestError
from inference.prediction import asking, hooks
from inference.requests import forms, frames
from inference.requests.batch import Rules
from inference.requests.forms import Query
from inference.requests.tables import Matrix
from inference.runtimes.base import Result
from inference.schema import Column, Schema
from tests.inference.conftest import Serve

Hooked = Callable[..., TestClient]


@pytest.fixture
def hooked(client: Serve, tmp_path: Path) -> Hooked:
    """A ready server of `weights` (10 a + b) with this hooks.py, and the types of its input if given."""

    def serve(
        code: str, *, types: dict[str, str] | None = None, model: str = "weights", **settings: Any
    ) -> TestClient:
        return client(model, hooks=folder(tmp_path, code, types), **settings)

    return serve


def folder(path: Path, code: str, types: dict[str, str] | None = None) -> Path:
    (path / "hooks.py").write_text(dedent(code))
    if types is not None:
        (path / "input.json").write_text(json.dumps(types))
    return path


def ask(served: TestClient, rows: Any) -> Any:
    answer = served.post("/predict", json={"instances": rows})
    assert answer.status_code == 200, answer.text
    return answer.json()["predictions"]


def refused(served: TestClient, rows: Any) -> tuple[int, dict[str, Any]]:
    answer = served.post("/predict", json={"instances": rows})
    return answer.status_code, answer.json()["error"]


def test_both_hooks_are_around_the_model(hooked: Hooked) -> None:
    served = hooked("""
        def preprocess(frame):
            return frame.assign(a=frame["a"] + 1)

        def postprocess(predictions):
            return [f"{value:g}" for value in predictions]
    """)
    assert ask(served, [{"a": 1, "b": 2}, {"a": 0, "b": 0}]) == ["22", "10"]


def test_requests_follow_their_own_schema(hooked: Hooked) -> None:
    served = hooked(
        """
        def preprocess(frame):
            size = frame["size"].map({"small": 1.0, "large": 2.0}).fillna(0.0)
            return size.to_frame("a").assign(b=frame["count"].astype(float), unused="x")
        """,
        types={"size": "string?", "count": "long"},
    )
    assert ask(served, [{"size": "large", "count": 5}, {"count": 1}]) == [25.0, 1.0]
    status, error = refused(served, [{"size": "large", "count": "many"}])
    assert (status, error["code"], error["column"]) == (400, "wrong_type", "count")
    row = served.get("/openapi.json").json()["components"]["schemas"]["Row"]
    assert list(row["properties"]) == ["size", "count"]
    assert row["required"] == ["count"]
    columns = served.get("/model/info").json()["columns"]
    assert [column["name"] for column in columns] == ["size", "count"]


def test_a_value_error_of_the_hook_is_the_senders(hooked: Hooked) -> None:
    served = hooked("""
        def preprocess(frame):
            if (frame["a"] < 0).any():
                raise ValueError("a must not be negative")
            return frame
    """)
    status, error = refused(served, [{"a": -1, "b": 0}])
    assert (status, error["code"]) == (400, "refused_by_hook")
    assert error["message"] == "preprocess refuses this input: a must not be negative"
    assert ask(served, [{"a": 1, "b": 0}]) == [10.0]


@pytest.mark.parametrize(
    "code",
    [
        "def preprocess(frame): return frame.head(0)",
        "def preprocess(frame): return frame.drop(columns='a')",
        "def preprocess(frame): return frame.assign(a='text')",
        "def preprocess(frame): return [1]",
        "def preprocess(frame): return {}['secret-value']",
        "def preprocess(frame): return frame['a'].astype('no-such-type')",
        "def preprocess(frame): raise SystemExit(3)",
        "def preprocess(frame): int('secret-value')",
        "def postprocess(predictions): return predictions[:0]",
        "def postprocess(predictions): return 'text'",
        "def postprocess(predictions): return 7",
        "def postprocess(predictions): return None",
        "def postprocess(predictions): return {'a': 1}",
    ],
)
def test_a_broken_hook_is_told_from_the_model_and_gives_nothing_away(hooked: Hooked, code: str) -> None:
    served = hooked(code)
    status, error = refused(served, [{"a": 1, "b": 2}])
    assert (status, error["code"]) == (500, "hook_failed")
    assert "secret-value" not in json.dumps(error)
    assert 'ml_prediction_errors_total{code="hook_failed"} 1.0' in served.get("/metrics").text
    assert served.get("/livez").status_code == 200


def test_a_broken_model_behind_good_hooks_is_the_models(hooked: Hooked) -> None:
    served = hooked("def preprocess(frame): return frame", model="breaks")
    status, error = refused(served, [{"a": 1, "b": 2}])
    assert (status, error["code"]) == (500, "internal_error")


COUNT = """
    seen = []
    {batched}

    def preprocess(frame):
        import time
        seen.append(len(frame))
        time.sleep(0.02)
        return frame

    def postprocess(predictions):
        return [f"{{value:g}} of {{max(seen)}}" for value in predictions]
"""


def eight_clients(served: TestClient) -> list[Any]:
    """What each was answered to six requests with one row, `a` being 10 times the client and the request's turn."""
    together = threading.Barrier(8)

    def one(number: int) -> Any:
        together.wait(30)
        return [ask(served, [{"a": 10 * number + turn, "b": 0}]) for turn in range(6)]

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(one, range(8)))


@pytest.mark.parametrize(("batched", "alone"), [("", True), ("batched = True", False)])
def test_a_hook_sees_one_request_at_a_time_unless_it_is_batched(hooked: Hooked, batched: str, alone: bool) -> None:
    served = hooked(dedent(COUNT).format(batched=batched), model="linear")
    answers = eight_clients(served)
    for number, turns in enumerate(answers):
        values = [row.split(" of ") for (row,) in turns]
        assert [float(value) for value, _ in values] == [10.0 * number + turn for turn in range(6)]
    largest = max(int(row.split(" of ")[1]) for turns in answers for (row,) in turns)
    assert (largest == 1) == alone


LISTS = """
batched = True

def postprocess(predictions):
    import time
    time.sleep(0.02)
    return [row.round(2) for row in predictions]
"""


def test_a_list_of_arrays_from_a_batched_hook_is_one_item_a_row(hooked: Hooked) -> None:
    served = hooked(LISTS, model="pairs")
    answers = eight_clients(served)
    assert answers == [[[[10.0 * number + turn, 1.0]] for turn in range(6)] for number in range(8)]


def test_what_a_preprocess_does_in_place_is_done_once(hooked: Hooked) -> None:
    """A batch that fails for one request's sake is asked again, one by one."""
    served = hooked("def preprocess(frame): frame.iloc[:, 0] += 0.3; return frame", model="bare")
    assert ask(served, [[0.0, 0.0]]) == ["no"]
    batched = asking.ask(
        served.app.state.service.lifecycle.require_model(),  # type: ignore[attr-defined]
        [Query(Matrix(np.zeros((1, 2)), 1)), Query(Matrix(np.zeros((1, 3)), 1))],
    )
    assert isinstance(batched[1], Exception)
    assert isinstance(batched[0], Result)
    assert batched[0].predictions.tolist() == ["no"]


def test_numbers_that_a_column_does_not_hold_are_no_other_numbers() -> None:
    schema = Schema(columns=(Column("a", "a", "integer"),), named=True, origin="signature")
    for values in (np.array([2**40 + 5]), np.array([1e19]), np.array([-(2.0**31) - 1])):
        with pytest.raises(ValueError, match="a number that int32 does not hold"):
            frames.batch(pd.DataFrame({"a": values}), schema)
    held = frames.batch(pd.DataFrame({"a": np.array([-(2.0**31), 2.0**31 - 1])}), schema)
    assert held.columns["a"].tolist() == [-(2**31), 2**31 - 1]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("def preprocess(frame:", "SyntaxError"),
        ("import no_such_module_here", "ModuleNotFoundError"),
        ("x = 1", "neither preprocess nor postprocess"),
        ("raise SystemExit", "SystemExit"),
    ],
)
def test_hooks_that_cannot_be_loaded(tmp_path: Path, code: str, reason: str) -> None:
    with pytest.raises(HookError, match=reason):
        hooks.load(folder(tmp_path, code))


def test_an_input_schema_of_an_unknown_type(tmp_path: Path) -> None:
    with pytest.raises(HookError, match="column 'a' has the unknown type 'number'"):
        hooks.load(folder(tmp_path, "def preprocess(frame): return frame", {"a": "number"}))
    with pytest.raises(HookError, match=r"hooks\.py"):
        hooks.load(tmp_path / "nowhere")


def test_the_pages_own_hooks(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/hooks.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    loaded = hooks.load(folder(tmp_path, code, {"age": "long", "city": "string?"}))
    schema = Schema(columns=(Column("age", "age", "long"), Column("is_adult", "is_adult", "boolean")), width=2)

    def asked(age: int) -> Any:
        rows = forms.read({"instances": [{"age": age}]}, loaded.input or schema, Rules("1")).batch
        return loaded.before(rows, schema)

    assert [column.tolist() for column in asked(30).columns.values()] == [[30], [True]]
    with pytest.raises(RequestError, match="age must not be negative"):
        asked(-1)
    assert loaded.after([1, 0], 2) == [{"label": 1}, {"label": 0}]
