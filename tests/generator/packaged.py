"""A release as `package` finds it: a model folder, golden rows, the training lock and the artifacts before."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from generator.artifacts import GateReport, Golden, RegisteredModel, TrainedModel
from generator.config.workspace import load
from generator.disk import file_sha256, folder_sha256
from generator.release import Release
from generator.stages.package import Ingredients
from generator.store import Store
from generator.version import Version
from tests.generator.workspaces import SMALLEST

COMMIT = "c0ffee" + "0" * 34
TRAINED_AT = "2026-01-31T12:00:00Z"
LOCK = "mlflow==3.13.0 --hash=sha256:" + "0" * 64 + "\nnumpy==2.4.0 --hash=sha256:" + "1" * 64 + "\n"
REQUIREMENTS = "mlflow==3.13.0\nscikit-learn==1.8.0\n"


def lay_out(
    root: Path,
    *,
    model_yaml: str = SMALLEST,
    version: str = "1.2.3",
    requirements: str = REQUIREMENTS,
    lock: str = LOCK,
    model: Path | None = None,
) -> Release:
    """A release in `root`; without `model` its model folder holds an MLmodel file that nothing can load."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "model.yaml").write_text(model_yaml)
    (root / "requirements.lock").write_text(lock)
    (found,) = load(root)
    store = Store(root / ".tagship" / f"{found.name}-{version}")
    folder = store.folder / "model"
    if model is None:
        folder.mkdir(parents=True)
        (folder / "MLmodel").write_text("flavors: {python_function: {loader_module: mlflow.sklearn}}\n")
        (folder / "requirements.txt").write_text(requirements)
    else:
        store.folder.mkdir(parents=True)
        model.rename(folder)
    return Release(
        model=found, version=Version.parse(version), commit=COMMIT, root=root, store=store, attempt="1", by="ada"
    )


@dataclass(frozen=True)
class Predicted:
    """The content of golden.json."""

    request: object
    predictions: object
    deterministic: bool = True


def ingredients(
    release: Release, golden: Predicted | None = None, *, metrics: dict[str, object] | None = None
) -> Ingredients:
    """What the stages before say of the files that `lay_out` wrote."""
    folder = release.store.folder
    recorded = Golden(source="none", rows=0)
    if golden is not None:
        text = json.dumps(
            {
                "source": "file",
                "request": golden.request,
                "predictions": golden.predictions,
                "deterministic": golden.deterministic,
            }
        )
        (folder / "golden.json").write_text(text)
        rows = len(golden.predictions) if isinstance(golden.predictions, list) else 1
        recorded = Golden(
            source="file",
            rows=rows,
            deterministic=golden.deterministic,
            sha256=file_sha256(folder / "golden.json"),
        )
    model_sha256 = folder_sha256(folder / "model")
    trained = TrainedModel(
        **release.identity,
        run_id="a" * 32,
        attempt="1",
        tracking_uri="sqlite:///mlflow.db",
        experiment="churn",
        model_name="model",
        model_uri="models:/m-1",
        flavors=("python_function", "sklearn"),
        metrics=metrics if metrics is not None else {"accuracy": 0.9},
        params={},
        mlflow_version="3.13.0",
        python="3.11",
        model_sha256=model_sha256,
        lock_sha256=file_sha256(release.root / "requirements.lock"),
        data_sha256="d" * 64,
        golden=recorded,
        trained_at=TRAINED_AT,
        seconds=1.0,
    )
    gate = GateReport(
        **release.identity,
        environment="production",
        run_id=trained.run_id,
        model_sha256=model_sha256,
        checks=(),
    )
    registered = RegisteredModel(
        **release.identity, run_id=trained.run_id, registered="churn", registered_version=7
    )
    return Ingredients(trained, gate, registered)


def at_commit(release: Release, commit: str) -> Release:
    return replace(release, commit=commit)


class Report:
    """Keeps what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.printed: list[str] = []

    def say(self, line: str) -> None:
        self.said.append(line)

    def output(self, line: str) -> None:
        self.printed.append(line)
