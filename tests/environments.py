"""Real Python environments with real MLflow, made once by uv and shared by tests and xdist workers.

They lie below TAGSHIP_TEST_CACHE, else below the system's temporary folder; delete that to renew them.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from uv import find_uv_bin

PYTHON = "3.11"
ENVIRONMENTS = {
    "mlflow2": ("mlflow<3", "sqlalchemy<2.1", "scikit-learn"),
    "mlflow3": ("mlflow>=3,<3.14", "scikit-learn"),
    "mlflow-newest": ("mlflow", "scikit-learn"),
    "lightgbm": ("mlflow>=3,<3.14", "lightgbm", "scikit-learn"),
    "onnx": (
        *("mlflow>=3,<3.14", "scikit-learn", "lightgbm", "xgboost-cpu"),
        *("skl2onnx", "onnxmltools", "onnx", "onnxruntime"),
    ),
    "xgboost": ("mlflow>=3,<3.14", "xgboost-cpu", "scikit-learn"),
}


def environment(name: str) -> Path:
    """The Python of the environment `name`, made if it is not there yet."""
    requirements = ENVIRONMENTS[name]
    made_of = (PYTHON, os.environ.get("UV_EXCLUDE_NEWER", ""), *requirements)
    key = hashlib.sha256("\n".join(made_of).encode()).hexdigest()[:12]
    folder = cache() / f"{name}-{key}"
    complete = folder / "complete"
    with locked(folder.with_suffix(".lock")):
        if not complete.is_file():
            shutil.rmtree(folder, ignore_errors=True)
            _make(folder, requirements)
            complete.touch()
    return folder / "bin" / "python"


def cache() -> Path:
    named = os.environ.get("TAGSHIP_TEST_CACHE")
    folder = Path(named) if named else Path(tempfile.gettempdir()) / f"tagship-tests-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock file alone; it is free again when this process ends, however it ends."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make(folder: Path, requirements: tuple[str, ...]) -> None:
    _uv("venv", "--python", PYTHON, str(folder))
    _uv("pip", "install", "--python", str(folder / "bin" / "python"), *requirements)


def _uv(*arguments: str) -> None:
    done = subprocess.run([find_uv_bin(), "--quiet", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"uv {' '.join(arguments)}: {done.stderr}"
