"""What an image installs: the model's own requirements without MLflow's training half, plus the server's.

Text in, text out. The resolver itself is behind `ports.Environments`; the training lock constrains it, so
that the image computes with the very versions that the model was trained with.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from generator.errors import GeneratorError

_MLFLOW = ("mlflow", "mlflow-skinny", "mlflow-tracing")
# mlflow.pyfunc imports both, and mlflow-skinny asks for neither.
_PYFUNC = ("numpy", "pandas")


@dataclass(frozen=True)
class Sources:
    """The texts that a runtime lock is made from."""

    model: str  # requirements.txt in the model's folder, which MLflow wrote
    server: str  # the inference server's requirements
    training_lock: str
    mlflow_version: str | None  # the one that logged the model; None: nothing in the image needs MLflow
    python: str  # such as 3.11


def requirements(sources: Sources) -> str:
    """The text of the requirements file to compile. Raises GeneratorError where two sources contradict."""
    clashes = conflicts(sources)
    if clashes:
        raise GeneratorError(
            "the image's environment cannot be resolved:\n" + "\n".join(f"  - {clash}" for clash in clashes)
        )
    kept = [line for line in lines(sources.model) if name_of(line) not in _MLFLOW]
    mlflow = [] if sources.mlflow_version is None else [_skinny(sources, sources.mlflow_version), *_PYFUNC]
    return "\n".join([*kept, *mlflow, *lines(sources.server)]) + "\n"


def constraints(sources: Sources) -> str:
    """The training lock as constraints: its versions and markers, without hashes."""
    kept = list(lines(sources.training_lock))
    pins = {name_of(line): parsed for line in kept if (parsed := _parsed(line))}
    if "mlflow" in pins and "mlflow-skinny" not in pins:
        kept.append(f"mlflow-skinny{pins['mlflow'].specifier}")
    return "\n".join(line for line in kept if not line.startswith("-")) + "\n"


def _skinny(sources: Sources, logged_by: str) -> str:
    """MLflow without tracking server, at the version that the model names, else the one that logged it."""
    for line in lines(sources.model):
        parsed = _parsed(line)
        if parsed is not None and canonicalize_name(parsed.name) in _MLFLOW[:2] and parsed.specifier:
            return f"mlflow-skinny{parsed.specifier}"
    try:
        return f"mlflow-skinny=={Version(logged_by)}"
    except InvalidVersion as error:
        raise GeneratorError(
            f"train.json: mlflow_version {logged_by[:40]!r} is no version; run `generator stage train` again"
        ) from error


def conflicts(sources: Sources) -> list[str]:
    """Direct contradictions between the training side and the server, each naming both sides."""
    found = []
    server = {name_of(line): parsed for line in lines(sources.server) if (parsed := _parsed(line))}
    sides = (("the model's requirements.txt", sources.model), ("requirements.lock", sources.training_lock))
    for side, text in sides:
        for line in lines(text):
            parsed, wanted = _parsed(line), server.get(name_of(line))
            if parsed is None or wanted is None or _applies_elsewhere(parsed, sources.python):
                continue
            pin = _pin(parsed)
            if pin is not None and not wanted.specifier.contains(pin, prereleases=True):
                found.append(
                    f"{side} pins {parsed.name}=={pin}, but the inference server needs "
                    f"{wanted.name}{wanted.specifier}; allow that in the training requirements, "
                    "run `generator lock` and release again"
                )
    return found


def _applies_elsewhere(requirement: Requirement, python: str) -> bool:
    """A universal lock has lines for other systems and Pythons, too; the image runs Linux."""
    image = {
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "python_version": python,
        "python_full_version": f"{python}.99",
    }
    return requirement.marker is not None and not requirement.marker.evaluate(image)


def _pin(requirement: Requirement) -> Version | None:
    pins = [item.version for item in requirement.specifier if item.operator in ("==", "===")]
    try:
        return Version(pins[0]) if pins and not pins[0].endswith("*") else None
    except InvalidVersion:
        return None


def lines(text: str) -> Iterator[str]:
    """The requirements of a file, one a line: continuations joined, comments and hashes left out."""
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        line = re.sub(r"\s--hash=\S+", "", re.sub(r"(^|\s)#.*", "", line)).strip()
        if line:
            yield line


def name_of(line: str) -> str | None:
    """The package that a line asks for, by its canonical name; None of an option or a bare address."""
    match = re.match(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?=\s*(?:[\[<>=!~;@]|$))", line)
    return canonicalize_name(match[0]) if match else None


def _parsed(line: str) -> Requirement | None:
    try:
        return Requirement(line)
    except InvalidRequirement:
        return None


def locked(lock: str) -> Mapping[str, str]:
    """The packages that a lock installs, and the line of each."""
    return {name: line for line in lines(lock) if (name := name_of(line))}


def check_hashes(lock: str) -> None:
    """Raises GeneratorError where a package could not be verified when it is installed."""
    for line in re.sub(r"\\\r?\n", " ", lock).splitlines():
        if line.strip() and not line.lstrip().startswith(("#", "-")) and "--hash=" not in line:
            raise GeneratorError(
                f"{line.split()[0][:200]!r} has no hash, so what the image installs could not be verified: "
                "require a released package instead of a repository or a folder"
            )
