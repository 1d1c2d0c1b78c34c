"""What the commands that look at overlays say of the user's patches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from generator.config.model import Model
    from generator.errors import Problem


def patch_findings(
    root: Path, models: Iterable[Model], *, shown: str = "", wanted: Mapping[str, str | None] | None = None
) -> list[Problem]:
    """What is wrong with the patches of `models` in `root`, which messages call `shown`.

    Where nothing can render, it is said that this was not looked at.
    """
    from generator.adapters.kustomize import Kustomize, installed
    from generator.patches.checking import overlays_of, patch_problems, patched

    overlays = overlays_of(models)
    renderer = Kustomize() if installed() else None
    if renderer is None and patched(root, overlays):
        click.echo("patches not checked: neither kustomize nor kubectl is installed", err=True)
    problems = patch_problems(root, overlays, renderer, wanted)
    return [replace(problem, file=f"{shown}{problem.file}") for problem in problems]
