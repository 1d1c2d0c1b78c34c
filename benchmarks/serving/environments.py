"""A Python environment for each contender, made by uv with pinned versions and kept in a cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from uv import find_uv_bin

ROOT = Path(__file__).parents[2]
PYTHON = "3.11"
NEWEST = "2026-11-12T00:00:00Z"
"""What a pinned package needs in turn is resolved as of this day, so that a later run installs the same."""

PINS: dict[str, tuple[str, ...]] = {
    # also trains the models
    "mlflow": ("mlflow==3.17.2", "scikit-learn==1.9.1", "skl2onnx==1.20.0", "onnx==1.23.2"),
    "mlserver": ("mlserver==1.7.1", "mlserver-sklearn==1.7.1", "scikit-learn==1.9.1"),
    "bentoml": ("bentoml==1.4.39", "scikit-learn==1.9.1"),
    "litserve": ("litserve==0.2.19", "scikit-learn==1.9.1"),
    # what an image of ours installs, beside the server's own requirements
    "tagship": (
        "mlflow-skinny==3.17.2",
        "scikit-learn==1.9.1",
        "pandas==3.1.1",
        "onnxruntime==1.31.1",
    ),
}


def cache() -> Path:
    """Where environments and models are kept: TAGSHIP_BENCH_CACHE, else below the user's cache."""
    named = os.environ.get("TAGSHIP_BENCH_CACHE")
    folder = Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "tagship-benchmarks")
    folder = folder.expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def requirements(name: str) -> tuple[str, ...]:
    """What the environment `name` installs."""
    if name != "tagship":
        return PINS[name]
    lines = (ROOT / "inference" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return (*(line for line in lines if line and not line.startswith("#")), *PINS[name])


def fingerprint(*parts: str) -> str:
    """A short name for these texts, for a folder of the cache."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def python_of(name: str) -> Path:
    """The Python of the environment `name`, made when it is not there yet; RuntimeError when that fails."""
    wanted = requirements(name)
    folder = cache() / f"{name}-{fingerprint(PYTHON, NEWEST, *wanted)}"
    if not (folder / "complete").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        _uv("venv", "--python", PYTHON, str(folder))
        python = str(folder / "bin" / "python")
        _uv("pip", "install", "--compile-bytecode", "--exclude-newer", NEWEST, "--python", python, *wanted)
        (folder / "complete").touch()
    return folder / "bin" / "python"


def _uv(*arguments: str) -> None:
    done = subprocess.run([find_uv_bin(), "--quiet", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"uv {' '.join(arguments)} failed: {done.stderr.strip()[-1000:]}")
