"""The models that a run logged, as MLflow 2 keeps them (artifacts) and as MLflow 3 does (logged models)."""

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .problem import Problem, said

DEEPEST = 3  # folders below the run's artifacts in which a model may lie
MOST_PATHS = 50


@dataclass(frozen=True)
class LoggedModel:
    """A model in the tracking store; `model_id` is MLflow 3's, None for a folder of a run's artifacts."""

    name: str
    uri: str
    model_id: str | None = None


def models_of(client: Any, run: Any) -> list[LoggedModel]:
    """Every model of the run. Of several by one name the last logged wins, so it comes last."""
    as_artifacts = _among_artifacts(client, run)
    return as_artifacts + _logged(client, run)


def _logged(client: Any, run: Any) -> list[LoggedModel]:
    outputs = getattr(getattr(run, "outputs", None), "model_outputs", None) or []
    models = []
    for output in outputs:
        model = client.get_logged_model(output.model_id)
        if str(getattr(model.status, "value", model.status)) == "READY":
            models.append(model)
    models.sort(key=lambda model: model.creation_timestamp)
    return [LoggedModel(model.name, f"models:/{model.model_id}", model.model_id) for model in models]


def _among_artifacts(client: Any, run: Any) -> list[LoggedModel]:
    history = json.loads(run.data.tags.get("mlflow.log-model.history") or "[]")
    paths = {entry["artifact_path"] for entry in history if not entry.get("model_id")}
    run_id = run.info.run_id
    # A folder of a run that was saved and uploaded by hand is no less a model.
    paths |= set(_model_folders(client, run_id))
    held = [path for path in sorted(paths) if _holds_model(client, run_id, path)]
    return [LoggedModel(path, f"runs:/{run_id}/{path}") for path in held]


def _holds_model(client: Any, run_id: str, path: str) -> bool:
    names = {Path(item.path).name for item in client.list_artifacts(run_id, path)}
    return "MLmodel" in names


def _model_folders(client: Any, run_id: str, path: str | None = None, depth: int = 0) -> list[str]:
    items = client.list_artifacts(run_id, path)
    if path is not None and any(Path(item.path).name == "MLmodel" for item in items):
        return [path]
    if depth == DEEPEST:
        return []
    folders = [item.path for item in items if item.is_dir]
    return [found for folder in folders for found in _model_folders(client, run_id, folder, depth + 1)]


def artifact_paths(client: Any, run_id: str, path: str | None = None, depth: int = 0) -> list[str]:
    """The files that a run logged, at most MOST_PATHS of them."""
    found: list[str] = []
    for item in client.list_artifacts(run_id, path):
        if item.is_dir and depth < DEEPEST:
            found += artifact_paths(client, run_id, item.path, depth + 1)
        else:
            found.append(item.path)
        if len(found) >= MOST_PATHS:
            break
    return found[:MOST_PATHS]


def bring(model: LoggedModel, output: Path) -> Path:
    """Downloads the model to `<output>/model`, which appears whole."""
    import mlflow

    output.mkdir(parents=True, exist_ok=True)
    target = output / "model"
    with tempfile.TemporaryDirectory(dir=output, prefix=".model-") as temporary:
        try:
            got = Path(mlflow.artifacts.download_artifacts(artifact_uri=model.uri, dst_path=temporary))
        except Exception as error:
            raise Problem("model-broken", name=model.name, stage="download", error=said(error)) from error
        if not (got / "MLmodel").is_file():
            there = sorted(item.name for item in got.iterdir()) if got.is_dir() else []
            raise Problem("model-broken", name=model.name, stage="files", error="no MLmodel", files=there)
        # MLflow 3 writes this beside a model that it downloads; it is no part of the model.
        (got / "registered_model_meta").unlink(missing_ok=True)
        if target.exists():
            shutil.rmtree(target)
        if got == Path(temporary):
            got = Path(shutil.copytree(got, Path(temporary) / "model"))
        got.replace(target)
    return target


def describe(folder: Path) -> dict[str, Any]:
    """What the model's own files say: flavors, signature, requirements and its Python."""
    from mlflow.models import Model

    try:
        metadata = Model.load(str(folder))
    except Exception as error:
        raise Problem("model-broken", name=folder.name, stage="metadata", error=said(error)) from error
    requirements = folder / "requirements.txt"
    lines = requirements.read_text(encoding="utf-8").splitlines() if requirements.is_file() else []
    pyfunc = metadata.flavors.get("python_function") or {}
    return {
        "flavors": sorted(metadata.flavors),
        "signature": metadata.signature is not None,
        "requirements": [line for line in lines if line.strip()],
        "python_version": pyfunc.get("python_version"),
    }
