"""`generator serve`: a model folder on this machine, in the environment that its image would have."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from generator.adapters.process_engine import ProcessEngine
from generator.adapters.uv import Uv
from generator.artifacts import TrainedModel
from generator.errors import GeneratorError
from generator.image.context import Content, server_requirements, write_context
from generator.image.runtime_lock import Sources, requirements
from generator.ports import Reporter

TAG = "tagship.local/served:latest"


def newest_model(root: Path) -> Path:
    """The model that was trained last in this repository."""
    found = sorted((root / ".tagship").glob("*/model/MLmodel"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise GeneratorError(
            "no trained model here: name a folder with an MLmodel file, or keep a rehearsal's "
            "(`generator rehearse --keep FOLDER`, then `generator serve FOLDER/<model>-<version>`)"
        )
    return found[-1].parent


@contextlib.contextmanager
def serving(folder: Path, work: Path, *, host: str, port: int, reporter: Reporter) -> Iterator[str]:
    """Serves the MLflow model in `folder` until the block ends; gives the base URL.

    `work` keeps the environment for the next time. Raises GeneratorError where the folder holds no model
    or somebody else has the port: the latter before anything is built.
    """
    _check_port(host, port)
    model = folder if (folder / "MLmodel").is_file() else folder / "model"
    facts = _facts(model)
    uv = Uv()
    python = ".".join(str(facts["python"]).split(".")[:2])
    wanted = requirements(
        Sources(
            model=(model / "requirements.txt").read_text(encoding="utf-8"),
            server=server_requirements(),
            training_lock="",
            mlflow_version=str(facts["mlflow"]),
            python=python,
        )
    )
    reporter.say("resolving what the model and the server require")
    lock = uv.compile(wanted, python=python, folder=model)
    release = {"run_id": facts["run"], "commit": None, **_identity(model)}
    write_context(work / "context", Content(model=model, lock=lock, release=release, python=python))
    engine = ProcessEngine(work / "engine", uv, python)
    engine.build(work / "context", tag=TAG, platform="linux/amd64", labels={}, reporter=reporter)
    with engine.serving(TAG, environment={"TAGSHIP_HOST": host, "TAGSHIP_PORT": str(port)}) as url:
        yield url


def _check_port(host: str, port: int) -> None:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        reason = error.strerror or error
        raise GeneratorError(
            f"cannot listen on {host}:{port} ({reason}): name another with --port or --host"
        ) from error


def _identity(model: Path) -> dict[str, str]:
    """Name and version: of the release whose artifacts stand beside the model, else made up from its folder."""
    try:
        trained = TrainedModel.model_validate_json((model.parent / "train.json").read_bytes())
    except (OSError, ValueError):
        return {"name": model.resolve().name, "version": "0.0.0"}
    return {"name": trained.name, "version": trained.version, "commit": trained.commit}


def _facts(model: Path) -> dict[str, Any]:
    if not (model / "MLmodel").is_file():
        raise GeneratorError(f"{model} holds no MLmodel file: name the folder of an MLflow model")
    try:
        described = yaml.load((model / "MLmodel").read_text(encoding="utf-8"), yaml.CSafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise GeneratorError(f"{model / 'MLmodel'} cannot be read: {error}") from error
    if not isinstance(described, dict):
        raise GeneratorError(f"{model / 'MLmodel'} is no MLmodel file")
    flavors = described.get("flavors", {})
    pyfunc = flavors.get("python_function", {})
    if not pyfunc or not (model / "requirements.txt").is_file():
        raise GeneratorError(f"{model} has no pyfunc flavor with requirements: log it with mlflow's log_model")
    return {
        "python": pyfunc.get("python_version", "3.11"),
        "mlflow": described.get("mlflow_version", ""),
        "run": described.get("run_id"),
    }
