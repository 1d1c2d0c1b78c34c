"""The comparison of a native runtime with pyfunc: it passes real ones, and finds each kind of difference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, TensorSpec
from mlflow.types import Schema as MlflowSchema
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

from inference import runtimes
from inference.prediction.model import describe
from inference.requests.tables import Batch, Matrix, Table, Tensors
from inference.runtimes import made_up, parity
from inference.runtimes import sklearn as sklearn_runtime
from inference.runtimes.base import Result
from inference.runtimes.parity import Report, check
from inference.schema import Column, Schema, without_signature
from tests.inference.estimators import DIRECT, FRAME, SIGNATURE, WIDTH, YES
from tests.inference.test_runtimes import load, save
from tests.inference.test_runtimes_rows import SCHEMA

ROWS = 1500


def compare(path: Path, *bodies: Any, rows: int = ROWS) -> Report:
    """As packaging does."""
    described = describe(path)
    native = runtimes.native(path, described.mlmodel)
    schema = described.schema or without_signature(*native.columns())
    return check(native, load(path, "pyfunc"), schema, bodies, rows=rows)


@pytest.mark.parametrize(
    "family",
    [
        "forest, strings",
        "forest, several labels",
        "tree, numbers",
        "logistic regression, three classes",
        "filled and scaled logistic regression",
        "linear regression, several numbers",
        "xgboost, two classes",
        "xgboost booster",
        "lightgbm, three classes",
        "lightgbm booster",
    ],
)
def test_native_runtimes_pass(family: str, tmp_path: Path) -> None:
    found = compare(save(DIRECT[family](), tmp_path / "model"), {"instances": [[0.5] * WIDTH]})
    assert found.reason is None
    assert found.rows > ROWS
    assert found.largest_difference <= parity.TOLERANCE


def test_models_without_signature_or_names_pass(tmp_path: Path) -> None:
    raw = DecisionTreeClassifier(max_depth=4).fit(FRAME.to_numpy(), YES)
    found = compare(save(raw, tmp_path / "model", signature=None))
    assert (found.reason, found.rows > ROWS) == (None, True)


def test_words_are_those_of_the_golden_rows(tmp_path: Path) -> None:
    frame = pd.DataFrame({"colour": ["red", "blue"] * 10, "n": np.arange(20)})
    steps = make_column_transformer((OneHotEncoder(), ["colour"]), remainder="passthrough")
    raw = make_pipeline(steps, LogisticRegression()).fit(frame, ["r", "b"] * 10)
    signature = ModelSignature(MlflowSchema([ColSpec("string", "colour"), ColSpec("long", "n")]))
    path = save(raw, tmp_path / "model", signature=signature)
    golden = {"instances": [["red", 1], ["blue", 2]]}
    found = compare(path, golden)
    assert (found.reason, found.rows > ROWS) == (None, True)
    unknown = compare(path)
    assert unknown.refused > ROWS / 2
    assert unknown.reason is None or "golden rows" in unknown.reason


def test_tensors_pass(tmp_path: Path) -> None:
    signature = ModelSignature(MlflowSchema([TensorSpec(np.dtype("float64"), (-1, WIDTH))]))
    found = compare(save(DIRECT["forest, strings"](), tmp_path / "model", signature=signature))
    assert (found.reason, found.rows >= ROWS) == (None, True)


def test_an_onnx_model_passes(tmp_path: Path) -> None:
    from skl2onnx import to_onnx

    graph = to_onnx(DIRECT["linear regression"](), FRAME.to_numpy()[:1].astype(np.float32))
    mlflow.onnx.save_model(graph, tmp_path / "model", signature=SIGNATURE, pip_requirements=[])
    found = compare(tmp_path / "model")
    assert (found.reason, found.rows > ROWS) == (None, True)


@dataclass
class Wrong:
    """A runtime that answers what another does, but for one thing."""

    right: Any
    how: str
    name: str = "sklearn"
    library: str | None = "sklearn"
    independent: bool = True

    @property
    def classes(self) -> list[Any] | None:
        classes: list[Any] | None = self.right.classes
        return classes[::-1] if self.how == "classes" and classes else classes

    def columns(self) -> Any:
        return self.right.columns()

    def ask(self, batch: Batch, params: Mapping[str, Any] | None = None, *, probabilities: bool = False) -> Result:
        found = self.right.ask(batch, params, probabilities=probabilities)
        labels, proba = found.predictions.copy(), found.probabilities
        block = batch.block if isinstance(batch, Table) else None
        assert block is not None
        near = np.abs(block[:, 0] - 0.5) < 1e-3
        if self.how == "rare label":
            labels[near] = "no"
        elif self.how == "probability":
            proba = proba + 1e-9
        elif self.how == "one probability":
            proba = np.where(near[:, None], np.nan, proba)
        elif self.how == "type":
            labels = np.where(labels == "yes", 1.0, 0.0)
        elif self.how == "kind":
            labels = np.where(labels == "yes", 1, 0)
        elif self.how == "shape":
            labels = labels[:, None]
        elif self.how == "refuses" and np.isnan(block).any():
            raise ValueError("no gaps here")
        elif self.how == "single rows" and len(block) == 1:
            labels[:] = "odd"
        elif self.how == "batches" and len(block) > 100:
            labels = labels[::-1]
        return Result(labels, proba)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("classes", "its classes are"),
        ("rare label", "predictions differ, one is 'no' where pyfunc says 'yes'"),
        ("probability", "numbers differ by up to"),
        ("one probability", "numbers differ by up to inf"),
        ("type", "are of the type float64"),
        ("kind", "where pyfunc says"),
        ("shape", "have the shape"),
        ("refuses", "it refuses what pyfunc answers: ValueError: no gaps here"),
        ("single rows", "one is 'odd'"),
        ("batches", "predictions differ"),
    ],
)
def test_a_wrong_runtime_is_found_out(how: str, reason: str) -> None:
    raw = DecisionTreeClassifier(max_depth=6, random_state=0).fit(FRAME, np.where(FRAME["x0"] > 0.5, "yes", "no"))
    right = sklearn_runtime.of(raw)
    assert check(Wrong(right, "not at all"), right, SCHEMA, rows=ROWS).reason is None
    found = check(Wrong(right, how), right, SCHEMA, rows=ROWS)
    assert found.reason is not None
    assert reason in found.reason


def test_it_may_not_answer_what_pyfunc_refuses() -> None:
    strict = sklearn_runtime.of(DIRECT["logistic regression, two classes"]())
    lax = sklearn_runtime.of(DIRECT["filled and scaled logistic regression"]())
    found = check(lax, strict, SCHEMA, rows=0)
    assert found.reason is not None
    assert "it answers what pyfunc refuses: ValueError: Input X contains NaN" in found.reason


def test_a_looser_tolerance_lets_converted_numbers_pass() -> None:
    right = sklearn_runtime.of(DIRECT["forest, strings"]())
    near = Wrong(right, "probability")
    assert check(near, right, SCHEMA, rows=ROWS).reason is not None
    found = check(near, right, SCHEMA, rows=ROWS, tolerance=1e-5)
    assert found.reason is None
    assert 1e-10 < found.largest_difference < 1e-5


def test_nothing_answered_is_no_proof() -> None:
    runtime = sklearn_runtime.of(DIRECT["forest, strings"]())
    three = Schema(columns=tuple(Column(name, name, "double") for name in "abc"), width=3)
    found = check(runtime, runtime, three, [{"instances": [["no", "numbers", 1]]}], rows=10)
    assert (found.rows, found.refused > 10) == (0, True)
    assert found.reason is not None
    assert "golden rows" in found.reason


TYPES = Schema(
    columns=(
        Column("double", "double", "double"),
        Column("float", "float", "float"),
        Column("long", "long", "long"),
        Column("optional", "optional", "integer", required=False),
        Column("boolean", "boolean", "boolean"),
        Column("string", "string", "string"),
        Column("datetime", "datetime", "datetime"),
        Column("binary", "binary", "binary"),
    ),
    width=8,
)


def test_made_up_rows_are_always_the_same_and_of_the_declared_types() -> None:
    body = {"instances": [[2.5, 1.5, 7, None, True, "red", "2024-01-31", "aGk="]]}
    one, other = (list(made_up.batches(TYPES, [body], None, 200)) for _ in range(2))
    assert sum(batch.rows for batch in one) > 200
    for mine, again in zip(one, other, strict=True):
        assert isinstance(mine, Table)
        assert isinstance(again, Table)
        for name, values in mine.columns.items():
            same = np.array_equal(values, again.columns[name], equal_nan=values.dtype.kind == "f")
            assert same or pd.Series(values).equals(pd.Series(again.columns[name])), name
    first = one[0]
    assert isinstance(first, Table)
    kinds = {name: values.dtype.kind for name, values in first.columns.items()}
    expected = {"double": "f", "float": "f", "long": "i", "optional": "i", "boolean": "b", "datetime": "M"}
    assert {name: kinds[name] for name in expected} == expected
    assert set(first.columns["string"]) == {"red"}
    gaps = [batch for batch in one if isinstance(batch, Table) and np.isnan(batch.columns["double"]).any()]
    assert gaps


def test_made_up_rows_stand_at_thresholds_and_beside_them() -> None:
    thresholds = [np.array([1.25]), *[np.empty(0)] * (WIDTH - 1)]
    batches = list(made_up.batches(SCHEMA, [], thresholds, 2000))
    values = np.concatenate(
        [batch.block[:, 0] for batch in batches if isinstance(batch, Table) and batch.block is not None]
    )
    assert np.count_nonzero(values == 1.25) > 50
    for beside in (
        np.nextafter(1.25, 2),
        np.nextafter(1.25, 0),
        float(np.nextafter(np.float32(1.25), np.float32(2))),
    ):
        assert np.count_nonzero(values == beside) > 20


@pytest.mark.parametrize("family", ["forest, strings", "xgboost, three classes", "lightgbm, numbers"])
def test_thresholds_are_the_models_own(family: str, tmp_path: Path) -> None:
    runtime: Any = load(save(DIRECT[family](), tmp_path / "model"))
    thresholds = runtime.thresholds()
    assert len(thresholds) == WIDTH
    assert sum(map(len, thresholds)) > 20
    column = int(np.argmax([len(points) for points in thresholds]))
    assert -5 < float(np.median(thresholds[column])) < 5


def test_rows_of_models_that_know_less() -> None:
    matrix = next(made_up.batches(Schema(named=False, width=3, origin="none"), [], None, 5))
    assert isinstance(matrix, Matrix)
    assert matrix.array.shape == (5, 3)
    assert list(made_up.batches(Schema(named=False, origin="none"), [], None, 5)) == []
    from inference.schema import Tensor

    tensors = Schema(
        tensors=(Tensor("x", "float32", (-1, 2)), Tensor("n", "int64", (-1,)), Tensor("s", "str", (-1,)))
    )
    found = next(made_up.batches(tensors, [], None, 5))
    assert isinstance(found, Tensors)
    assert isinstance(found.arrays, Mapping)
    assert {name: (array.dtype.kind, array.shape) for name, array in found.arrays.items()} == {
        "x": ("f", (5, 2)),
        "n": ("i", (5,)),
        "s": ("O", (5,)),
    }
