"""Reads the request, runs one command, and writes the response whole or not at all."""

import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .close import close
from .collect import collect
from .convert import convert
from .problem import Problem, from_bug
from .register import register
from .source import source

COMMANDS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "close": close,
    "collect": collect,
    "convert": convert,
    "register": register,
    "source": source,
}


def main(arguments: list[str]) -> int:
    if len(arguments) != 3 or arguments[0] not in COMMANDS:
        print(f"usage: harness {{{','.join(COMMANDS)}}} REQUEST.json RESPONSE.json", file=sys.stderr)
        return 2
    name, request, response = arguments
    write_whole(Path(response).absolute(), json.dumps(answer(name, Path(request)), allow_nan=False))
    return 0


def answer(name: str, request: Path) -> dict[str, Any]:
    prepare_environment()
    try:
        asked = json.loads(request.read_text(encoding="utf-8"))
        with elsewhere():
            return {"ok": True, **COMMANDS[name](asked)}
    except Problem as problem:
        return {"ok": False, "problem": problem.as_json()}
    except Exception as error:
        return {"ok": False, "problem": from_bug(error).as_json()}


def prepare_environment() -> None:
    """Settings that MLflow reads when it is imported or asked."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    # A script that chose a folder of files as its store gets an answer even from an MLflow that would
    # rather not open one.
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "4")
    # This process is not the training script: nothing here belongs to its run.
    for name in ("MLFLOW_RUN_ID", "MLFLOW_RUN_CONTEXT", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME"):
        os.environ.pop(name, None)


class elsewhere:  # noqa: N801  (reads as `with elsewhere():`)
    """An empty folder as the working directory: opening a SQLite store makes `mlruns` in it."""

    def __enter__(self) -> None:
        self._before = Path.cwd()
        self._folder = tempfile.TemporaryDirectory(prefix="tagship-harness-", ignore_cleanup_errors=True)
        os.chdir(self._folder.name)

    def __exit__(self, *_: object) -> None:
        os.chdir(self._before)
        self._folder.cleanup()


def write_whole(path: Path, text: str) -> None:
    """Writes `path` so that a reader sees all of `text` or no file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
