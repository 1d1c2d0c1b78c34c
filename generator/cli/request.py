"""`generator request`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from generator.cli.options import repository_option, tracking_option

if TYPE_CHECKING:
    from generator.serving.request import Key

LOCAL = "http://127.0.0.1:8080"


@click.command()
@click.argument("server", metavar="[URL|SOURCE]", default=LOCAL)
@repository_option
@click.option(
    "--form", help="The body's form, such as records, rows, dataframe_split, csv or v2.  [default: the first]"
)
@click.option("--send", is_flag=True, help="Send it, and show the answer.")
@click.option("--key-env", metavar="NAME", help="Environment variable that has the API key.")
@click.option("--key-file", type=click.Path(dir_okay=False, path_type=Path), help="File that has the API key.")
@tracking_option
def command(
    server: str,
    root: Path,
    form: str | None,
    send: bool,
    key_env: str | None,
    key_file: Path | None,
    tracking_uri: str | None,
) -> int:
    """Print a curl command that asks the server at URL, or the model SOURCE, for a prediction.

    \b
    URL is a server's address.  [default: http://127.0.0.1:8080]
    SOURCE is what `generator serve` takes: the model is loaded once to see what it takes, and the command is
    for `generator serve SOURCE`.
    """
    from generator.adapters.uv import Uv
    from generator.cli.output import Terminal
    from generator.serving.request import is_url, key_of, server_of
    from generator.serving.starting import Starter
    from generator.serving.where import Asked, origin_of

    if key_env and key_file:
        raise click.UsageError("--key-env and --key-file say the same thing: give one of them")
    key = key_of(key_env, key_file, os.environ)
    if is_url(server):
        return _show(server, server, key, form, send)
    terminal, asked = Terminal(quiet_output=True), Asked(server, root, tracking_uri)
    with terminal.working_on("request"):
        starter = Starter(asked.work, Uv(linked=True), terminal)
        with server_of(origin_of(asked, terminal), starter) as url:
            return _show(url, LOCAL, key, form, send)


def _show(url: str, shown: str, key: Key | None, form: str | None, send: bool) -> int:
    """The command alone on standard output, or with `send` the answer alone; the exit code."""
    from generator.serving.bodies import choose
    from generator.serving.request import Client, curl

    client = Client(url, key)
    body = choose(client.bodies(), form)
    click.echo(curl(body, shown, key), err=send)
    if not send:
        return 0
    status, answer = client.send(body)
    click.echo(answer)
    if status >= 400:
        click.echo(f"the server answered {status}", err=True)
    return int(status >= 400)
