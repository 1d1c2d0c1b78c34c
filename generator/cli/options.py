"""What several commands share: where the repository is, and which model is meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

repository_option = click.option(
    "-C",
    "--repository",
    "root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    help="The repository's root.  [default: the current folder]",
)

tracking_option = click.option(
    "--tracking-uri",
    help="The MLflow server or database that has it.  [default: MLFLOW_TRACKING_URI, then model.yaml's]",
)


def complete_models(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Names of the repository's models, for shell completion: silent where anything is wrong."""
    from generator.config.workspace import load
    from generator.errors import GeneratorError

    try:
        return [m.name for m in load(ctx.params.get("root") or Path()) if m.name.startswith(incomplete)]
    except GeneratorError:
        return []


def complete_environments(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Names of the models' environments, for shell completion."""
    from generator.config.workspace import load
    from generator.errors import GeneratorError

    try:
        names = {target.name: None for model in load(ctx.params.get("root") or Path()) for target in model.targets}
    except GeneratorError:
        return []
    return [name for name in names if name.startswith(incomplete)]


def model_option(
    help_text: str = "Which model, where the repository has several.",
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option("-m", "--model", "model_name", shell_complete=complete_models, help=help_text)
