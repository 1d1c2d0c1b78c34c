"""The servers that are compared: how each is started, what it is sent and what it answers.

Each is set up as its documentation recommends: one worker, no debug mode, default logs. All get the same rows
in the form that their documentation uses first; this server gets the very request that MLflow's takes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.serving.environments import ROOT

Rows = Sequence[Sequence[float]]
_PEERS = Path(__file__).parent / "peers"


@dataclass(frozen=True)
class Place:
    """Where one start of a contender finds its things."""

    python: Path
    model: Path  # the model's folder as train.py writes it
    port: int
    scratch: Path  # an empty folder, the process's working directory


@dataclass(frozen=True)
class Contender:
    """A server that can be started, asked and understood."""

    name: str
    environment: str
    path: str
    command: Callable[[Place], list[str]]
    body: Callable[[Rows, Sequence[str]], Any]
    labels: Callable[[Any], Any]
    """The labels in a parsed answer; raises LookupError or TypeError when it is none."""
    variables: Callable[[Place], Mapping[str, str]] = lambda _: {}
    prepare: Callable[[Place], None] = lambda _: None
    models: tuple[str, ...] = ("forest", "linear")
    works: bool = True
    """Whether the answers are predictions, not nothing."""
    ours: bool = field(default=False)


def split(rows: Rows, columns: Sequence[str]) -> Any:
    """MLflow's own form."""
    return {"dataframe_split": {"columns": list(columns), "data": rows}}


def tensor(rows: Rows, columns: Sequence[str]) -> Any:
    """The Open Inference Protocol's."""
    flat = [value for row in rows for value in row]
    return {"inputs": [{"name": "predict", "shape": [len(rows), len(columns)], "datatype": "FP64", "data": flat}]}


def predictions(answer: Any) -> Any:
    """MLflow's own answer."""
    return answer["predictions"]


def _bin(place: Place, program: str) -> str:
    return str(place.python.with_name(program))


def _mlflow(place: Place) -> list[str]:
    options = ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(place.port), "--workers", "1"]
    return [_bin(place, "mlflow"), "models", "serve", "--model-uri", str(place.model / "mlflow"), *options]


def _mlserver_settings(place: Place) -> None:
    ports = {"http_port": place.port, "grpc_port": place.port + 1, "metrics_port": place.port + 2}
    # Without its pool of processes, which is for several cores.
    settings = {"host": "127.0.0.1", "debug": False, "parallel_workers": 0, **ports}
    model = {
        "name": "model",
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": str(place.model / "model.joblib")},
    }
    (place.scratch / "settings.json").write_text(json.dumps(settings))
    (place.scratch / "model-settings.json").write_text(json.dumps(model))


def _bentoml(name: str, service: str) -> Contender:
    def command(place: Place) -> list[str]:
        target = f"bentoml_service:{service}"
        options = ["--host", "127.0.0.1", "--port", str(place.port), "--working-dir", str(_PEERS)]
        return [_bin(place, "bentoml"), "serve", target, *options]

    def variables(place: Place) -> Mapping[str, str]:
        home = {"BENTOML_HOME": str(place.scratch), "BENTOML_DO_NOT_TRACK": "true"}
        return {"MODEL": str(place.model / "model.joblib"), **home}

    return Contender(
        name, "bentoml", "/predict", command, lambda rows, _: {"rows": rows}, lambda answer: answer, variables
    )


def _litserve(name: str, *more: str) -> Contender:
    def command(place: Place) -> list[str]:
        script = str(_PEERS / "litserve_server.py")
        return [str(place.python), script, str(place.model / "model.joblib"), str(place.port), *more]

    return Contender(
        name, "litserve", "/predict", command, lambda rows, _: {"input": rows}, lambda answer: answer["output"]
    )


def _tagship(
    name: str, *, module: str = "inference", folder: str = "mlflow", models: tuple[str, ...] = ("forest", "linear")
) -> Contender:
    def variables(place: Place) -> Mapping[str, str]:
        return {
            "PYTHONPATH": str(ROOT),
            "TAGSHIP_MODEL": str(place.model / folder),
            "TAGSHIP_HOST": "127.0.0.1",
            "TAGSHIP_PORT": str(place.port),
        }

    return Contender(
        name,
        "tagship",
        "/invocations",
        lambda place: [str(place.python), "-m", module],
        split,
        predictions,
        variables,
        models=models,
        works=name != NULL,
        ours=True,
    )


MLFLOW, OURS, ONNX, NULL = "mlflow", "tagship", "tagship onnx", "null model"
LITSERVE, BENTOML = ("litserve", "litserve batching"), ("bentoml", "bentoml batching")

CONTENDERS = (
    Contender(MLFLOW, "mlflow", "/invocations", _mlflow, split, predictions),
    Contender(
        "mlserver",
        "mlserver",
        "/v2/models/model/infer",
        lambda place: [_bin(place, "mlserver"), "start", str(place.scratch)],
        tensor,
        lambda answer: answer["outputs"][0]["data"],
        prepare=_mlserver_settings,
    ),
    _bentoml(BENTOML[0], "Plain"),
    _bentoml(BENTOML[1], "Batching"),
    _litserve(LITSERVE[0]),
    _litserve(LITSERVE[1], "batching"),
    _tagship(OURS),
    _tagship(ONNX, folder="onnx"),
    _tagship(NULL, module="benchmarks.serving.null", models=("forest",)),
)
