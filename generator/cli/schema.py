"""`generator schema`: model.yaml's JSON Schema, for editors."""

from __future__ import annotations

import click


@click.command()
@click.option("--workspace", is_flag=True, help="The schema of tagship.yaml instead.")
@click.option("--markdown", is_flag=True, help="A reference page for people instead.")
def command(workspace: bool, markdown: bool) -> None:
    """Print the JSON Schema of model.yaml."""
    from generator.config.reference import json_schema, reference

    click.echo(reference() if markdown else json_schema(workspace=workspace), nl=False)
