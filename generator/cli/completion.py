"""`generator completion`: click's own completion script for a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the shell's completion script.

    \b
    bash:  eval "$(generator completion bash)"      in ~/.bashrc
    zsh:   eval "$(generator completion zsh)"       in ~/.zshrc
    fish:  generator completion fish | source       in ~/.config/fish/config.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(ctx.find_root().command, {}, "generator", "_GENERATOR_COMPLETE").source())
