"""`generator lock`."""

from __future__ import annotations

from pathlib import Path

import click

from generator.cli.options import model_option, repository_option


@click.command()
@repository_option
@model_option("Only this model's lock.")
def command(root: Path, model_name: str | None) -> None:
    """Write requirements.lock beside each model.yaml: every package of the training, with hashes."""
    import os

    from generator.adapters.uv import Uv
    from generator.cli.output import Terminal
    from generator.config.workspace import load
    from generator.disk import write_atomically
    from generator.training.lock import lock_text

    workspace = load(root)
    terminal = Terminal()
    for model in [workspace.model(model_name)] if model_name else workspace.models:
        with terminal.working_on(model.name):
            terminal.say("resolving the training requirements")
            text = lock_text(model, root, Uv(), os.environ)
            write_atomically(root / model.lock_file, text)
        click.echo(f"wrote {model.lock_file}")
