"""Trains the models that all contenders serve and logs them with MLflow. Runs in MLflow's environment.

usage: python train.py FOLDER [TREES]

FOLDER gets one folder a model: `mlflow` (the logged model), `model.joblib` (the same estimator, fitted on
bare arrays, for servers that pass arrays), `onnx` (the logged model with a converted one beside it); and data.json
with rows to send and each model's own labels for them.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import joblib
import mlflow
import numpy as np
import pandas as pd
from mlflow.models import infer_signature
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

SEED = 20
FEATURES = 20
TRAINED, SENT = 5_000, 4_000


def main(folder: Path, trees: int) -> None:
    x, y = make_classification(TRAINED + SENT, FEATURES, n_informative=10, random_state=SEED)
    x = x.round(6)  # what people send has few digits
    names = [f"feature_{number}" for number in range(FEATURES)]
    mlflow.set_tracking_uri(f"sqlite:///{folder / 'tracking.db'}")
    mlflow.create_experiment("benchmark", artifact_location=(folder / "artifacts").as_uri())
    mlflow.set_experiment("benchmark")
    estimators = {
        "forest": lambda: RandomForestClassifier(n_estimators=trees, random_state=SEED),
        "linear": lambda: LogisticRegression(max_iter=1000),
    }
    data = {"columns": names, "rows": x[TRAINED:].tolist(), "labels": {}}
    for name, make in estimators.items():
        target = folder / name
        target.mkdir()
        frame = pd.DataFrame(x[:TRAINED], columns=names)
        bare = make().fit(x[:TRAINED], y[:TRAINED])
        joblib.dump(bare, target / "model.joblib")
        log(make().fit(frame, y[:TRAINED]), frame, target / "mlflow")
        convert(bare, target / "mlflow", target / "onnx")
        data["labels"][name] = bare.predict(x[TRAINED:]).tolist()
    (folder / "data.json").write_text(json.dumps(data))


def log(model: Any, frame: pd.DataFrame, target: Path) -> None:
    signature = infer_signature(frame, model.predict(frame))
    with mlflow.start_run():
        logged = mlflow.sklearn.log_model(
            model, name="model", signature=signature, input_example=frame[:2], serialization_format="cloudpickle"
        )
    keep(logged, target)


def convert(model: Any, source: Path, target: Path) -> None:
    """The logged model with a converted one beside it, as packaging makes it with `serve.runtime: onnx`."""
    try:
        from skl2onnx import to_onnx
    except ImportError:
        return
    shutil.copytree(source, target)
    # Without ZipMap, which would answer a list of dictionaries.
    converted = to_onnx(model, np.zeros((1, FEATURES), np.float32), options={"zipmap": False})
    (target / "converted.onnx").write_bytes(converted.SerializeToString())
    description = {
        "version": 1,
        "library": "sklearn",
        "width": FEATURES,
        "names": None,
        "gaps": False,
        "input": converted.graph.input[0].name,
        "dtype": "float32",
        "output": {"labels": converted.graph.output[0].name, "probabilities": converted.graph.output[1].name},
        "labels": "label",
        "classes": model.classes_.tolist(),
    }
    (target / "converted.json").write_text(json.dumps(description))


def keep(logged: Any, target: Path) -> None:
    shutil.copytree(mlflow.artifacts.download_artifacts(logged.model_uri), target)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 100)
