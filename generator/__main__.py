"""The entry point: turns how a command ended into an exit code and one message.

0 fine, 1 an expected failure, 2 wrong usage, 3 a bug of ours, 130 interrupted.
"""

from __future__ import annotations

import os
import signal
import sys

import click

from generator.cli import cli
from generator.errors import GeneratorError


def main() -> None:
    """Runs the command line and exits."""
    sys.exit(_run())


def _run() -> int:
    # Asked to end, we clean up as after ^C: servers and scripts that we started end with us.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        result = cli.main(prog_name="generator", standalone_mode=False)
    except click.exceptions.Abort:
        return _interrupted()
    except KeyboardInterrupt:
        return _interrupted()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except GeneratorError as error:
        click.echo(f"{click.style('error:', fg='red', bold=True)} {error}", err=True)
        return 1
    except BrokenPipeError:
        # The reader of our output is gone: nothing is left to say, and nothing may complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _refused_by_the_machine(error)
    except Exception:
        return _bug()
    return result if isinstance(result, int) else 0


def _interrupted() -> int:
    click.echo("interrupted", err=True)
    return 130


def _refused_by_the_machine(error: OSError) -> int:
    """A full disk, or a folder that may not be written to: the path and the system's own reason."""
    reason = f"{error.filename}: {error.strerror}" if error.filename is not None else error.strerror or error
    click.echo(f"{click.style('error:', fg='red', bold=True)} {reason}", err=True)
    return 1


def _bug() -> int:
    import traceback
    from importlib.metadata import version

    traceback.print_exc()
    click.echo(
        f"\nThis is a bug in tagship {version('tagship')}, not in what you did. Please report it with the lines "
        "above and the command that you ran.",
        err=True,
    )
    return 3


if __name__ == "__main__":
    main()
