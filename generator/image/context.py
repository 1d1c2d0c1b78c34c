"""The image context: a folder with all that goes into an inference image, the same bytes for the same release."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from generator.artifacts import RegisteredModel, TrainedModel
from generator.disk import file_sha256
from generator.errors import GeneratorError
from generator.image.runtime import Choice
from generator.image.runtime_lock import locked
from generator.render import render

# What some wheels expect of the system, and the slim Python image does not have (Debian package names).
SYSTEM_PACKAGES = {"lightgbm": ("libgomp1",)}
WHEELS = "wheels"  # the folder of packages that are fetched beforehand
_SERVER = Path(__file__).parents[2] / "inference"


@dataclass(frozen=True)
class HookFiles:
    """The hooks' file, and the schema of requests, MLflow's type by column, where it is not the model's."""

    code: Path
    input: Mapping[str, str]


@dataclass(frozen=True)
class Content:
    """What a context is made of."""

    model: Path  # the MLflow model folder
    lock: str  # the runtime lock's text
    release: Mapping[str, str | None]  # what the server is told: see `release_facts`
    python: str  # such as 3.11
    hooks: HookFiles | None = None  # the user's code around the model
    files: Path | None = None  # packages of private indexes, fetched with a login that the build does not get


def server_folder() -> Path:
    """The source of the `inference` package that came with this command."""
    if not (_SERVER / "__main__.py").is_file():
        raise GeneratorError(f"the inference server is not in {_SERVER.parent}: install the command again")
    return _SERVER


def server_requirements(*, tracing: bool = False) -> str:
    """What the server needs, as the text of a requirements file."""
    names = ["requirements.txt", *(["requirements-tracing.txt"] if tracing else [])]
    return "".join((server_folder() / name).read_text(encoding="utf-8") for name in names)


def release_facts(
    trained: TrainedModel, registered: RegisteredModel, choice: Choice | None = None
) -> dict[str, str | None]:
    """The content of release.json, which the server reads at its start; without `choice` it takes its own."""
    version = registered.registered_version
    return {
        "name": trained.name,
        "version": trained.version,
        "run_id": trained.run_id,
        "commit": trained.commit,
        "data_hash": trained.data_sha256,
        "registered_version": None if version is None else str(version),
        "created": trained.trained_at,
        **(choice.facts if choice else {}),
    }


def write_context(folder: Path, content: Content) -> None:
    """Writes the context to `folder`, all of it or nothing; what was there before is replaced."""
    _refuse_own_server(content)
    temporary = folder.with_name(f"{folder.name}.tmp")
    for stale in (temporary, folder):
        if stale.exists():
            shutil.rmtree(stale)
    temporary.mkdir(parents=True)
    (temporary / "Dockerfile").write_text(dockerfile(content), encoding="utf-8")
    ignored = render("image/dockerignore", hooks=content.hooks is not None, files=bool(_files(content)))
    (temporary / ".dockerignore").write_text(ignored, encoding="utf-8")
    (temporary / "requirements.lock").write_text(content.lock, encoding="utf-8")
    (temporary / "release.json").write_text(json.dumps(dict(content.release), indent=2) + "\n", encoding="utf-8")
    shutil.copytree(
        server_folder(),
        temporary / "inference",
        copy_function=shutil.copyfile,
        ignore=shutil.ignore_patterns("__pycache__", "*.pyc"),
    )
    shutil.copytree(content.model, temporary / "model", copy_function=shutil.copyfile)
    if files := _files(content):
        (temporary / WHEELS).mkdir()
        for path in files:
            shutil.copyfile(path, temporary / WHEELS / path.name)
    if content.hooks:
        _write_hooks(temporary / "hooks", content.hooks)
    _make_alike(temporary)
    temporary.rename(folder)


def _write_hooks(folder: Path, hooks: HookFiles) -> None:
    """The folder that the server reads: see inference/prediction/hooks.py."""
    folder.mkdir()
    shutil.copyfile(hooks.code, folder / "hooks.py")
    if hooks.input:
        (folder / "input.json").write_text(json.dumps(dict(hooks.input), indent=2) + "\n", encoding="utf-8")


def dockerfile(content: Content) -> str:
    """The Dockerfile. Nothing in it comes from a user but the Python version, one of four."""
    if not re.fullmatch(r"3\.\d{1,2}", content.python):
        raise GeneratorError(f"train.python {content.python!r} is no Python version such as 3.11")
    packages = {name for package in locked(content.lock) for name in SYSTEM_PACKAGES.get(package, ())}
    base = f"python:{content.python}-slim-bookworm"
    return render(
        "image/Dockerfile",
        base=base,
        packages=sorted(packages),
        hooks=content.hooks is not None,
        files=bool(_files(content)),
        complete=_complete(content),
    )


def _files(content: Content) -> list[Path]:
    return sorted(content.files.iterdir()) if content.files else []


def _complete(content: Content) -> bool:
    """Whether the build needs no index at all: there is a wheel of every package."""
    wheels = {_name_of_wheel(path.name) for path in _files(content) if path.suffix == ".whl"}
    return bool(wheels) and set(locked(content.lock)) <= wheels


def _name_of_wheel(file: str) -> str:
    """The package in a wheel, by its canonical name."""
    return canonicalize_name(file.partition("-")[0])


def _refuse_own_server(content: Content) -> None:
    """The server's folder is first on the path: a module of the same name could never be imported."""
    for path in (content.model / "code").glob("inference*"):
        if path.is_dir() or path.name == "inference.py":
            raise GeneratorError(
                f"the model brings its own top-level module `inference` (code/{path.name}), which is the server's "
                "name: rename it in the training code (log_model's code_paths) and release again"
            )
    if "inference" in locked(content.lock):
        raise GeneratorError(
            "the model requires the package `inference`, whose module has the server's name: such a model "
            "cannot be served; leave the package out of the model's pip_requirements"
        )


def _make_alike(folder: Path) -> None:
    """The image's user owns nothing and must read everything, whatever umask wrote it."""
    for path in (*folder.rglob("*"), folder):
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, ns=(0, _time(path)))


def _time(path: Path) -> int:
    """A file's time in nanoseconds, made from its content; the same content always gives the same layer.

    BuildKit keeps the last context of a name, and fetches of the next one only files whose size or time is
    another. With one time for all, a model would be built into the image of its successor of equal size.
    """
    return 0 if path.is_dir() else int(file_sha256(path)[:12], 16) * 1000
