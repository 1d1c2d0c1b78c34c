"""`generator serve`."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path

import click

from generator.cli.options import repository_option


@click.command()
@click.argument("folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@repository_option
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=8080, show_default=True)
def command(folder: Path | None, root: Path, host: str, port: int) -> None:
    """Serve the model in FOLDER on this machine, as its image would; ^C ends it.

    FOLDER holds an MLmodel file, or a release's artifacts.  [default: the model trained here last]
    """
    from generator.cli.output import Terminal
    from generator.serving import newest_model, serving

    terminal = Terminal(quiet_output=True)
    chosen = folder or newest_model(root)
    work = root.resolve() / ".tagship" / "serve"
    with contextlib.ExitStack() as stack:
        with terminal.working_on("serve"):
            url = stack.enter_context(serving(chosen, work, host=host, port=port, reporter=terminal))
        click.echo(f"serving {chosen} at {url}: {url}/ has an example request; ^C ends it")
        signal.pause()
