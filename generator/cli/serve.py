"""`generator serve`."""

from __future__ import annotations

from pathlib import Path

import click

from generator.cli.options import repository_option, tracking_option


@click.command()
@click.argument("source", required=False)
@repository_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0: any that is free."
)
@click.option("--reload", is_flag=True, help="Serve the new model when the source changes.")
@click.option(
    "--poll",
    type=click.FloatRange(min=1),
    default=30,
    show_default=True,
    help="Seconds between two looks into the registry, with --reload.",
)
@tracking_option
def command(
    source: str | None, root: Path, host: str, port: int, reload: bool, poll: float, tracking_uri: str | None
) -> None:
    """Serve the model SOURCE on this machine, as its image would; ^C ends it.

    \b
    SOURCE is one of
      a folder                   with an MLmodel file, or with a release's artifacts
      runs:/<run id>[/<path>]    a run's model; the bare run id does, too
      models:/<name>/<version>   a registered model's version
      models:/<name>@<alias>     the version that an alias points at
      <name>                     a registered model's newest version
    Without SOURCE it is the model that was trained here last.
    """
    from generator.adapters.uv import Uv
    from generator.cli.output import Terminal
    from generator.serving.keeping import Keeper
    from generator.serving.starting import Started, Starter, described, listening, url_of
    from generator.serving.where import Asked, origin_of

    terminal = Terminal(quiet_output=True)
    asked = Asked(source, root, tracking_uri, poll)
    with listening(host, port) as listener, terminal.working_on("serve"):
        url = url_of(listener)

        def ready(started: Started) -> None:
            click.echo(f"serving {described(started.facts)} at {url}: {url}/ has an example request; ^C ends it")

        starter = Starter(asked.work, Uv(linked=True), terminal, listener)
        Keeper(origin_of(asked, terminal), starter, terminal).keep(reload=reload, ready=ready)
