"""Kustomize: renders an overlay to its objects."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor

from generator.adapters.shell import MissingProgram, ProcessFailed, run
from generator.errors import GeneratorError


class _Values(SafeConstructor):
    """ruamel's, which knows no plain `=`."""


_Values.add_constructor("tag:yaml.org,2002:value", SafeConstructor.construct_yaml_str)


class Kustomize:
    """The `kustomize` command, or kubectl's own; see ports.Renderer."""

    def build(self, overlay: Path) -> list[dict[str, Any]]:
        try:
            text = run(*_command(), str(overlay), timeout=120)
        except ProcessFailed as error:
            reason = error.stderr.strip().removeprefix("Error: ")
            raise GeneratorError(f"kustomize cannot render {overlay}: {reason}") from error
        yaml = YAML(typ="safe", pure=True)
        yaml.Constructor = _Values
        try:
            return [dict(item) for item in yaml.load_all(text) if item]
        except RecursionError as error:
            raise GeneratorError(f"kustomize renders {overlay} to what is nested too deeply: undo it") from error


def installed() -> bool:
    """Whether this machine can render overlays."""
    return bool(shutil.which("kustomize") or shutil.which("kubectl"))


def _command() -> tuple[str, ...]:
    if shutil.which("kustomize"):
        return ("kustomize", "build")
    if shutil.which("kubectl"):
        return ("kubectl", "kustomize")
    raise MissingProgram(
        "neither kustomize nor kubectl is installed: install one (GitHub's ubuntu-24.04 runners have both), "
        "or see https://kubectl.docs.kubernetes.io/installation/kustomize/"
    )
