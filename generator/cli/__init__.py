"""The command line: parses, calls, echoes. Each command is a module that is imported only when it runs."""

from __future__ import annotations

import importlib
from typing import Any

import click

# Name -> what `generator --help` says of it. The function is `command` in generator.cli.<name>.
COMMANDS: dict[str, str] = {
    "init": "Set up a repository around a training script.",
    "validate": "Check model.yaml, the training script, the lock and the ledgers.",
    "lock": "Write requirements.lock, the exact training environment.",
    "generate": "Write workflows and overlays.",
    "preview": "Print what a pull request changes.",
    "rehearse": "Run a whole release on this machine.",
    "release": "Tag the next version and push the tag.",
    "retrain": "Train what runs again, and release it if its data has changed.",
    "promote": "Bring to an environment what the one before it runs.",
    "rollback": "Let an environment run an earlier version again.",
    "observe": "Watch an environment until it runs what was committed.",
    "bootstrap": "Set up AWS and GitHub for releases.",
    "doctor": "Look at everything that a release meets, and say what to do.",
    "prune": "Delete released images that no ledger names.",
    "announce": "Tell how a release, promotion or rollback ended.",
    "stage": "Run one stage of a release.",
    "serve": "Serve a model on this machine.",
    "request": "Print a curl command for a served model.",
    "key": "Make an API key for a client.",
    "status": "Show what each environment runs.",
    "schema": "Print the JSON Schema of model.yaml.",
    "completion": "Print the shell's completion script.",
}


class LazyGroup(click.Group):
    """A group that imports a command when it is asked for, so that --help stays fast.

    `lazy` is name -> what --help says of it; the function is `command` in the module `prefix` plus the name.
    """

    def __init__(
        self, *args: Any, lazy: dict[str, str] | None = None, prefix: str = "generator.cli.", **more: Any
    ) -> None:
        super().__init__(*args, **more)
        self.lazy, self.prefix = COMMANDS if lazy is None else lazy, prefix

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.lazy:
            return None
        command = importlib.import_module(f"{self.prefix}{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self.lazy.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        # Only the name is looked at first: suggesting a near one must not import them all.
        if args and args[0] not in self.lazy and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], self.lazy, n=1)
            ctx.fail(f"No such command {args[0]!r}." + (f" Did you mean {near[0]!r}?" if near else ""))
        return super().resolve_command(ctx, args)


def _print_version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"generator (tagship) {version('tagship')}")
        ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_print_version, help="Show the version."
)
def cli() -> None:
    """From a training script and model.yaml to workflows, overlays and releases."""
