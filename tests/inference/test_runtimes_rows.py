"""Every family of models with a native runtime, on 200,000 random rows: nothing differs from the model's own
`predict`, whether the rows come in small batches or through the server's queue, many at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import orjson
import pandas as pd
import pytest
import xgboost
from threadpoolctl import threadpool_limits

from inference import outputs
from inference.prediction.model import Model
from inference.requests import forms
from inference.requests.tables import Table
from inference.runtimes import lightgbm as lightgbm_runtime
from inference.runtimes import sklearn as sklearn_runtime
from inference.runtimes import xgboost as xgboost_runtime
from inference.runtimes.direct import Native
from inference.runtimes.estimators import parts, use_one_thread
from inference.schema import Column, Schema
from inference.service import Service
from inference.settings import Settings
from tests.inference.estimators import DIRECT, NAMES, OWN, SIGNATURE, WIDTH

ROWS = 200_000
SCHEMA = Schema(columns=tuple(Column(name, name, "double") for name in NAMES), width=WIDTH)
SIZES = (1, 2, 3, 8, 9, 40, 64, 300, 1000, 4096)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """As in the server; here OpenMP may be loaded already, and would use all processors for each small batch."""
    with threadpool_limits(1):
        yield


def package(raw: Any) -> str:
    return type(raw).__module__.split(".")[0]


def native(raw: Any) -> Native:
    modules: dict[str, Any] = {"xgboost": xgboost_runtime, "lightgbm": lightgbm_runtime}
    found: Native = modules.get(package(raw), sklearn_runtime).of(raw)
    return found


def random_rows(seed: int, rows: int = ROWS) -> Any:
    drawn = np.random.default_rng(seed)
    return drawn.normal(size=(rows, WIDTH)) * drawn.choice([0.1, 1.0, 10.0], size=(rows, 1))


def itself(raw: Any, rows: Any) -> tuple[Any, Any]:
    """What the model itself says to a frame. With one thread: several add up trees in another order each time."""
    use_one_thread(parts(raw))
    frame = pd.DataFrame(rows, columns=NAMES)
    data = xgboost.DMatrix(frame) if isinstance(raw, xgboost.Booster) else frame
    return raw.predict(data), raw.predict_proba(frame) if hasattr(raw, "predict_proba") else None


def same(found: Any, expected: Any, what: str) -> None:
    """Labels are equal, and of one type; numbers differ by no more than 1e-12 of the largest beside them."""
    if isinstance(expected, list):
        assert len(found) == len(expected), what
        for one, other in zip(found, expected, strict=True):
            same(one, other, what)
        return
    assert found.dtype == expected.dtype, what
    assert found.shape == expected.shape, what
    if expected.dtype.kind != "f":
        assert np.count_nonzero(found != expected) == 0, what
    elif not np.array_equal(found, expected):  # an infinity has no difference
        scale = max(1.0, float(np.median(np.abs(expected))))
        assert float(np.abs(found - expected).max()) <= 1e-12 * scale, what


def slices(rows: int, seed: int) -> Iterator[slice]:
    """The rows in batches of all sizes, in a random order."""
    drawn, start = np.random.default_rng(seed), 0
    while start < rows:
        size = int(drawn.choice(SIZES))
        yield slice(start, min(rows, start + size))
        start += size


@pytest.mark.parametrize("family", [*DIRECT, *OWN])
def test_two_hundred_thousand_rows_in_batches_of_all_sizes(family: str) -> None:
    raw = (DIRECT | OWN)[family]()
    rows = random_rows(1)
    predictions, probabilities = itself(raw, rows)
    runtime = native(raw)
    assert (runtime.is_direct, runtime.independent) == (family in DIRECT, True)
    answers = [
        runtime.ask(
            Table(SCHEMA, part.stop - part.start, block=rows[part]), probabilities=runtime.classes is not None
        )
        for part in slices(ROWS, 2)
    ]
    same(np.concatenate([one.predictions for one in answers]), predictions, "predictions")
    if probabilities is None:
        assert runtime.classes is None
    elif isinstance(probabilities, list):
        joined = [np.concatenate(one) for one in zip(*(one.probabilities for one in answers), strict=True)]
        same(joined, probabilities, "probabilities")
    else:
        same(np.concatenate([one.probabilities for one in answers]), probabilities, "probabilities")


SERVED = {
    "forest, strings": 40_000,
    "forest, several labels": 20_000,
    "forest, several numbers": 20_000,
    "scaled logistic regression": 40_000,
    "linear regression": 20_000,
    "xgboost, three classes": 20_000,
    "xgboost booster": 10_000,
    "lightgbm, three classes": 30_000,
}
"""Rows of each, 200,000 in all."""
assert sum(SERVED.values()) == ROWS


def body(form: int, rows: Any) -> dict[str, Any]:
    """The rows as a request, one of the forms in turn."""
    listed = rows.tolist()
    if form == 1:
        return {"dataframe_split": {"columns": NAMES[::-1], "data": [row[::-1] for row in listed]}}
    if form == 2:
        return {"dataframe_records": [dict(zip(NAMES, row, strict=True)) for row in listed]}
    if form == 3:
        return {"inputs": {name: rows[:, at].tolist() for at, name in enumerate(NAMES)}}
    if form == 4 and len(rows) == 1:
        return {"features": listed[0]}
    return {"instances": listed}


async def ask_all(service: Service, rows: Any, wanted: bool) -> list[Any]:
    """The rows through the queue in requests of mixed sizes and forms, up to 200 at once, in order."""
    gate = asyncio.Semaphore(200)
    drawn = np.random.default_rng(5)

    async def one(part: slice, form: int, probabilities: bool) -> Any:
        content = orjson.loads(orjson.dumps(body(form, rows[part]) | {"return_probabilities": probabilities}))

        def read(model: Model) -> forms.Query:
            return forms.read(content, model.schema, service.rules)

        async with gate:
            found = await service.answer(read, 0)
            return found.predictions, found.probabilities if probabilities else None

    asked = []
    for part in slices(len(rows), 6):
        asked.append(one(part, int(drawn.integers(5)), wanted and bool(drawn.integers(2))))
    return await asyncio.gather(*asked)


@pytest.mark.parametrize("family", SERVED)
def test_many_requests_at_once_get_their_own_rows(family: str, tmp_path: Path) -> None:
    raw = DIRECT[family]()
    flavor: Any = {"xgboost": mlflow.xgboost, "lightgbm": mlflow.lightgbm}.get(package(raw), mlflow.sklearn)
    flavor.save_model(raw, tmp_path / "model", signature=SIGNATURE, pip_requirements=[])
    service = Service(Settings(model=tmp_path / "model", max_queue=100_000))
    service.lifecycle.start()
    deadline = time.monotonic() + 60
    while service.lifecycle.state == "starting" and time.monotonic() < deadline:
        time.sleep(0.02)
    model = service.lifecycle.require_model()
    assert model.runtime.name != "pyfunc"
    rows = random_rows(3, SERVED[family])
    predictions, probabilities = itself(raw, rows)

    answers = asyncio.run(ask_all(service, rows, model.classes is not None))

    start = 0
    expected = np.asarray(predictions)
    listed = outputs.probabilities(probabilities) if probabilities is not None else []
    for found, proba in answers:
        part = slice(start, start + len(found))
        same(found, expected[part], "predictions")
        if proba is not None:
            for got, wanted in zip(outputs.probabilities(proba), listed[part], strict=True):
                assert np.abs(np.hstack(got) - np.hstack(wanted)).max() <= 1e-12
        start = part.stop
    assert start == len(rows)
