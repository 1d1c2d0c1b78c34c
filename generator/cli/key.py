"""`generator key`: a new API key, and the commands that store its hash in the cluster."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from generator.cli.options import model_option, repository_option

if TYPE_CHECKING:
    from generator.config.model import Model

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"  # inference/access/keys.py reads no other


def _client(_ctx: click.Context, _param: click.Parameter, name: str) -> str:
    if not re.fullmatch(NAME, name):
        raise click.BadParameter("use up to 63 letters, digits and . _ -, the first a letter or digit")
    return name


@click.command()
@click.argument("name", callback=_client)
@repository_option
@model_option()
@click.option("--json", "as_json", is_flag=True, help="The key and its hash as JSON, and nothing else.")
def command(name: str, root: Path, model_name: str | None, as_json: bool) -> None:
    """Make an API key for the client NAME, and say how its hash gets into the cluster.

    The key is printed once and stored nowhere: give it to the client. The cluster gets its SHA-256, from which
    nobody finds the key. NAME stands in the server's log beside each of the client's requests.
    """
    from generator.config.workspace import load

    model = load(root).model(model_name)
    secrets = _secrets(model)
    key, digest = _made()
    if as_json:
        click.echo(json.dumps({"name": name, "key": key, "hash": digest}))
        return
    click.echo(f"key of {name}, shown only now:\n\n  {key}\n")
    for namespace, secret, environment in secrets:
        click.echo(_commands(name, digest, namespace, secret, environment))


def _secrets(model: Model) -> list[tuple[str, str, str]]:
    """(namespace, Secret, environment) wherever the model asks for keys."""
    from generator.errors import GeneratorError

    found = [
        (target.namespace, target.serve.api_keys, target.name) for target in model.targets if target.serve.api_keys
    ]
    if not found:
        raise GeneratorError(
            f"{model.shown} asks for no keys: add `api_keys: {model.name}-api-keys` below `serve:`, "
            "run `generator generate`, then this again"
        )
    return found


def _made() -> tuple[str, str]:
    """A key of 256 random bits, and its hash. Its beginning lets a scanner know it in a file."""
    import hashlib
    import secrets

    key = f"tagship_{secrets.token_urlsafe(32)}"
    return key, f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"


def _commands(name: str, digest: str, namespace: str, secret: str, environment: str) -> str:
    """Nothing in them needs quoting for a shell: names match narrow patterns, the rest is ours."""
    patch = json.dumps({"stringData": {name: digest}}, separators=(",", ":"))
    removal = json.dumps([{"op": "remove", "path": f"/data/{name}"}], separators=(",", ":"))
    return f"""{environment}: the first key makes the Secret
  kubectl --namespace {namespace} create secret generic {secret} --from-literal={name}={digest}
each further one is added
  kubectl --namespace {namespace} patch secret {secret} --patch '{patch}'
and one that must not work any longer is removed
  kubectl --namespace {namespace} patch secret {secret} --type=json --patch '{removal}'
"""
