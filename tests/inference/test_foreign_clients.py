"""Clients that other people wrote, unmodified and with their own defaults, against a real server process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.pyfunc.scoring_server.client import ScoringServerClient
from scipy.sparse import csr_matrix
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

from inference import __version__
from tests.inference.conftest import wait_until
from tests.inference.process import is_ready, served

Ports = Callable[[str], int]


@pytest.fixture(scope="module")
def port(saved: Callable[[str], Path]) -> Iterator[Ports]:
    """The port of a ready process that serves a model as `shop`."""
    found: dict[str, int] = {}
    with ExitStack() as stack:

        def serve(name: str) -> int:
            if name not in found:
                _, number = stack.enter_context(served(saved(name), TAGSHIP_NAME="shop"))
                wait_until(lambda: is_ready(number))
                found[name] = number
            return found[name]

        yield serve


def triton(port: int) -> InferenceServerClient:
    return InferenceServerClient(f"127.0.0.1:{port}")


def given(name: str, array: Any, datatype: str, **how: Any) -> InferInput:
    return InferInput(name, list(array.shape), datatype).set_data_from_numpy(array, **how)


A = np.array([[1.0], [0.0]])
B = np.array([[0.0], [1.0]])


def test_triton_health_and_metadata(port: Ports) -> None:
    client = triton(port("labels"))
    assert client.is_server_live() is True
    assert client.is_server_ready() is True
    assert client.is_model_ready("shop") is True
    assert client.is_model_ready("shop", "0.0.0") is True
    assert client.is_model_ready("other") is False
    assert client.get_server_metadata() == {
        "name": "tagship",
        "version": __version__,
        "extensions": ["binary_tensor_data"],
    }
    metadata = client.get_model_metadata("shop")
    assert [item["name"] for item in metadata["inputs"]] == ["a", "b"]
    assert [(item["name"], item["datatype"]) for item in metadata["outputs"]] == [
        ("predict", "BYTES"),
        ("predict_proba", "FP64"),
    ]


def test_triton_infers_with_its_defaults(port: Ports) -> None:
    """By default it sends and wants bytes behind the JSON."""
    result = triton(port("labels")).infer("shop", [given("a", A, "FP64"), given("b", B, "FP64")], request_id="7")
    assert result.as_numpy("predict").tolist() == [b"yes", b"no"]
    assert result.get_response()["id"] == "7"
    assert result.get_output("predict")["parameters"] == {"binary_data_size": 13}


def test_triton_asks_for_an_output_in_its_default_way(port: Ports) -> None:
    wanted = [InferRequestedOutput("predict_proba"), InferRequestedOutput("predict", binary_data=False)]
    inputs = [given("a", A, "FP64"), given("b", B, "FP64")]
    result = triton(port("labels")).infer("shop", inputs, model_version="0.0.0", outputs=wanted)
    assert result.as_numpy("predict_proba").tolist() == [[0.0, 1.0], [1.0, 0.0]]
    assert result.get_output("predict")["data"] == ["yes", "no"]


@pytest.mark.parametrize("binary", [True, False])
def test_triton_infers_all_columns_at_once(port: Ports, binary: bool) -> None:
    both = given("anything", np.hstack([A, B]).astype(np.float32), "FP32", binary_data=binary)
    wanted = [InferRequestedOutput("predict", binary_data=binary)]
    result = triton(port("labels")).infer("shop", [both], outputs=wanted)
    assert [str(label, "utf-8") if binary else label for label in result.as_numpy("predict")] == ["yes", "no"]


def test_triton_sends_text(port: Ports) -> None:
    words = np.array([["red"], ["blue"]], dtype=object)
    inputs = [given("colour", words, "BYTES"), given("n", B, "FP64")]
    assert triton(port("words")).infer("shop", inputs).as_numpy("predict").tolist() == [b"r", b"b"]


def test_triton_sends_tensors(port: Ports) -> None:
    x = np.array([[1, 2], [3, 4]], dtype=np.float32)
    result = triton(port("tensors")).infer("shop", [given("x", x, "FP32"), given("y", np.array([5, 6]), "INT64")])
    assert result.as_numpy("predict").tolist() == [8.0, 13.0]


def test_triton_infers_without_waiting(port: Ports) -> None:
    client = InferenceServerClient(f"127.0.0.1:{port('labels')}", concurrency=4)
    asked = [client.async_infer("shop", [given("a", A, "FP64"), given("b", B, "FP64")]) for _ in range(8)]
    assert [one.get_result().as_numpy("predict").tolist() for one in asked] == [[b"yes", b"no"]] * 8


def test_triton_understands_what_is_wrong(port: Ports) -> None:
    with pytest.raises(InferenceServerException, match=r"\[400\] column 'b' is missing"):
        triton(port("labels")).infer("shop", [given("a", A, "FP64")])
    with pytest.raises(InferenceServerException, match=r"\[404\] the model 'other' is not served here"):
        triton(port("labels")).infer("other", [given("a", A, "FP64")])


def test_mlflow_waits_and_asks_for_the_version(port: Ports) -> None:
    client = ScoringServerClient("127.0.0.1", port("labels"))
    client.wait_server_ready(timeout=10)
    client.ping()
    assert client.get_version().split(".")[0] in ("2", "3")


@pytest.mark.parametrize(
    "data",
    [
        pd.DataFrame({"b": [0.0, 1.0], "a": [1.0, 0.0]}),
        pd.DataFrame({"a": [1, 0], "b": [0, 1]}, index=[7, 9]),
        np.array([[1.0, 0.0], [0.0, 1.0]]),
        [{"a": 1, "b": 0}, {"a": 0, "b": 1}],
        csr_matrix([[1.0, 0.0], [0.0, 1.0]]),
        '{"instances": [[1, 0], [0, 1]]}',
    ],
    ids=["frame", "whole numbers", "array", "list", "sparse", "text"],
)
def test_mlflow_invokes(port: Ports, data: Any) -> None:
    answer = ScoringServerClient("127.0.0.1", port("labels")).invoke(data)
    assert answer.get_predictions().to_dict("list") == {0: ["yes", "no"]}


def test_mlflow_sends_a_tensor_and_params(port: Ports) -> None:
    tensor = ScoringServerClient("127.0.0.1", port("tensor")).invoke(np.array([[1, 2], [3, 4]]))
    assert tensor.get_predictions(predictions_format="ndarray").tolist() == [12.0, 34.0]
    moody = ScoringServerClient("127.0.0.1", port("moody"))
    answered = moody.invoke(pd.DataFrame({"mood": ["params"]}), params={"t": 2.5})
    assert answered.get_predictions(predictions_format="ndarray").tolist() == [{"t": 2.5, "name": "x"}]


def test_mlflow_says_what_is_wrong(port: Ports) -> None:
    with pytest.raises(Exception, match=r"error code 400.*column 'b' is missing"):
        ScoringServerClient("127.0.0.1", port("labels")).invoke(pd.DataFrame({"a": [1.0]}))
