"""ONNX Runtime: MLflow's onnx flavor answers as pyfunc does, a converted model as its original does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import onnx
import pytest
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema, TensorSpec
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from starlette.testclient import TestClient

from inference import outputs
from inference.app import create_app
from inference.errors import RequestError
from inference.prediction.model import describe
from inference.requests import batch
from inference.requests.batch import Rules
from inference.requests.tables import Batch, Matrix, Table, Tensors
from inference.runtimes.onnx import DESCRIPTION_FILE, MODEL_FILE
from inference.settings import Settings
from tests.inference.conftest import wait_until
from tests.inference.estimators import DIRECT, FRAME, NAMES, NUMBER, SIGNATURE, WIDTH
from tests.inference.test_runtimes import FEW, imported, load, rows, save

RULES = Rules(version="")


def convert(raw: Any, folder: Path, **changes: Any) -> Path:
    """The model's folder as packaging leaves it: without the estimator, with the graph."""
    save(raw, folder)
    (folder / "model.pkl").unlink()
    width = raw.n_features_in_
    classes = getattr(raw, "classes_", None)
    options = {} if classes is None else {"zipmap": False}
    graph = to_onnx(raw, initial_types=[("input", FloatTensorType([None, width]))], options=options)
    (folder / MODEL_FILE).write_bytes(graph.SerializeToString())
    names = [output.name for output in graph.graph.output]
    content = {
        "version": 1,
        "library": "sklearn",
        "width": width,
        "names": NAMES,
        "gaps": False,
        "input": "input",
        "dtype": "float32",
        "output": {"labels": names[0], "probabilities": names[1] if classes is not None else None},
        "labels": "value" if classes is None else "label",
        "classes": None if classes is None else outputs.jsonable(classes),
    }
    (folder / DESCRIPTION_FILE).write_text(json.dumps(content | changes))
    return folder


@pytest.mark.parametrize(
    ("family", "labels"),
    [
        ("forest, strings", "label"),
        ("forest, whole numbers", "label"),
        ("forest, booleans", "position"),
        ("scaled logistic regression", "label"),
        ("forest, numbers", "value"),
        ("linear regression, several numbers", "value"),
    ],
)
def test_a_converted_model_answers_as_its_original(family: str, labels: str, tmp_path: Path) -> None:
    raw = DIRECT[family]()
    found = load(convert(raw, tmp_path / "model", labels=labels))
    assert (found.name, found.library, found.independent, found.columns()) == (
        "onnx",
        "sklearn",
        True,
        (NAMES, WIDTH),
    )
    answer = found.ask(rows(), probabilities=hasattr(raw, "classes_"))
    expected = raw.predict(FRAME[:50])
    if not hasattr(raw, "classes_"):
        assert answer.predictions.shape == expected.shape
        assert np.allclose(answer.predictions, expected, rtol=1e-5)
        return
    assert outputs.jsonable(answer.predictions) == outputs.jsonable(expected)
    assert found.classes == outputs.jsonable(raw.classes_)
    assert [type(label) for label in found.classes] == [type(label) for label in outputs.jsonable(raw.classes_)]
    assert np.allclose(answer.probabilities, raw.predict_proba(FRAME[:50]), atol=1e-6)


def test_a_converted_model_is_served(tmp_path: Path) -> None:
    app = create_app(Settings(model=convert(DIRECT["forest, strings"](), tmp_path / "model")))
    with TestClient(app) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        body = {"instances": FEW[:2].tolist(), "return_probabilities": True}
        answer = client.post("/predict", json=body).json()
        refused = client.post("/predict", json={"instances": [[1e300] * 6]}).json()
    raw = DIRECT["forest, strings"]()
    assert answer["predictions"] == raw.predict(FRAME[:2]).tolist()
    assert answer["classes"] == ["a great deal", "low", "middle"]
    assert np.allclose(answer["probabilities"], raw.predict_proba(FRAME[:2]), atol=1e-6)
    assert refused["error"]["code"] == "refused_by_model"


def test_a_converted_model_needs_numpy_and_onnxruntime_alone(tmp_path: Path) -> None:
    said, packages = imported(convert(DIRECT["forest, strings"](), tmp_path / "model"))
    assert said == ["onnx", "2", "2"]
    assert not packages & {"sklearn", "scipy", "pandas", "mlflow", "joblib", "onnx", "skl2onnx", "google"}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (rows([[np.nan] * WIDTH]), "missing values"),
        (rows([[1e300] * WIDTH]), "too large for float32"),
        (Matrix(np.ones((1, 2)), 1), "it takes 6 columns, not 2"),
        (Matrix(np.array([["a"] * WIDTH], dtype=object), 1), "rows of numbers"),
    ],
)
def test_what_the_original_refuses_is_refused(given: Batch, reason: str, tmp_path: Path) -> None:
    found = load(convert(DIRECT["forest, strings"](), tmp_path / "model"))
    with pytest.raises(RequestError, match=reason) as refused:
        found.ask(given)
    assert refused.value.code == "refused_by_model"


def test_gaps_that_the_original_takes_reach_the_graph(tmp_path: Path) -> None:
    found = load(convert(DIRECT["forest, strings"](), tmp_path / "model", gaps=True))
    assert len(found.ask(rows([[np.nan] * WIDTH])).predictions) == 1


@pytest.mark.parametrize(("change", "reason"), [({"version": 2}, "version 2"), ({"colour": "red"}, "colour")])
def test_a_description_of_another_kind_is_refused(change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    folder = convert(DIRECT["forest, numbers"](), tmp_path / "model", **change)
    with pytest.raises(ValueError, match=reason):
        load(folder)


def test_pyfunc_can_be_asked_for_all_the_same(tmp_path: Path) -> None:
    folder = convert(DIRECT["forest, strings"](), tmp_path / "model")
    with pytest.raises(FileNotFoundError):  # since its estimator is gone
        load(folder, "pyfunc")


def tensors(names: list[str | None], width: int = WIDTH) -> ModelSignature:
    return ModelSignature(Schema([TensorSpec(np.dtype("float64"), (-1, width), name) for name in names]))


def flavor(
    raw: Any, path: Path, signature: ModelSignature | None, kind: Any = FloatTensorType, **options: Any
) -> Path:
    graph = to_onnx(raw, initial_types=[("input", kind([None, raw.n_features_in_]))], options=options)
    mlflow.onnx.save_model(graph, path, signature=signature, pip_requirements=[])
    return path


def both(folder: Path, given: Batch) -> tuple[Any, Any]:
    """What the native runtime and pyfunc answer, as JSON."""
    mine, theirs = load(folder), load(folder, "pyfunc")
    assert (mine.name, theirs.name, mine.independent) == ("onnx", "pyfunc", False)
    answers = [outputs.jsonable(one.ask(given).predictions) for one in (mine, theirs)]
    return json.loads(outputs.dumps(answers[0])), json.loads(outputs.dumps(answers[1]))


def regression() -> Any:
    return make_pipeline(StandardScaler(), LinearRegression()).fit(FRAME, NUMBER)


def test_columns_give_a_frame(tmp_path: Path) -> None:
    mine, theirs = both(flavor(regression(), tmp_path / "model", SIGNATURE), rows())
    assert mine == theirs
    assert list(mine[0]) == ["variable"]


def test_columns_of_classes_and_their_probabilities(tmp_path: Path) -> None:
    raw = DIRECT["forest, whole numbers"]()
    mine, theirs = both(flavor(raw, tmp_path / "model", SIGNATURE, zipmap=True), rows())
    assert mine == theirs
    assert set(mine[0]) == {"output_label", "output_probability"}


@pytest.mark.parametrize("names", [["input"], [None]])
def test_tensors_give_arrays_by_name(names: list[str | None], tmp_path: Path) -> None:
    array = FEW.astype(np.float64)
    given = Tensors({"input": array} if names[0] else array, len(array))
    mine, theirs = both(flavor(regression(), tmp_path / "model", tensors(names)), given)
    assert mine == theirs
    assert np.shape(mine["variable"]) == (50, 1)


def test_whole_numbers_stay_whole(tmp_path: Path) -> None:
    whole = ModelSignature(Schema([ColSpec("long", name) for name in NAMES]))
    folder = flavor(regression(), tmp_path / "model", whole, kind=Int64TensorType)
    schema = describe(folder).schema
    assert schema is not None
    given = batch.from_rows(schema, [[1, 2, 3, 4, 5, 6]], RULES)
    mine, theirs = both(folder, given)
    assert mine == theirs


def test_64_bits_stay_64_bits_where_the_graph_wants_them(tmp_path: Path) -> None:
    folder = flavor(regression(), tmp_path / "model", SIGNATURE, kind=DoubleTensorType)
    mine, theirs = both(folder, rows())
    assert mine == theirs
    assert np.allclose([row["variable"] for row in mine], regression().predict(FRAME[:50]), rtol=1e-12)


def test_an_input_for_each_column(tmp_path: Path) -> None:
    nodes = [onnx.helper.make_node("Add", ["a", "b"], ["sum"])]
    value = onnx.helper.make_tensor_value_info
    kinds = [value(name, onnx.TensorProto.FLOAT, [None]) for name in ("a", "b", "sum")]
    graph = onnx.helper.make_graph(nodes, "sum", kinds[:2], kinds[2:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    signature = ModelSignature(Schema([ColSpec("double", "b"), ColSpec("double", "a")]))
    mlflow.onnx.save_model(model, tmp_path / "model", signature=signature, pip_requirements=[])
    schema = describe(tmp_path / "model").schema
    assert schema is not None
    mine, theirs = both(tmp_path / "model", Table(schema, 2, block=np.array([[1.0, 2.0], [3.0, 4.5]])))
    assert mine == theirs == [{"sum": 3.0}, {"sum": 7.5}]


def test_a_model_without_signature_knows_its_width(tmp_path: Path) -> None:
    folder = flavor(regression(), tmp_path / "model", None)
    assert load(folder).columns() == (None, WIDTH)
    mine, theirs = both(folder, Matrix(FEW, 50))
    assert mine == theirs
