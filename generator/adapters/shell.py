"""The only place that starts processes: argument lists, never a shell; failures say what was run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from generator.errors import GeneratorError


class ProcessFailed(GeneratorError):
    """A program that ended badly: its command line, code and output."""

    def __init__(self, argv: tuple[str, ...], code: int | str, stdout: str, stderr: str) -> None:
        self.code, self.stdout, self.stderr = code, _shown(stdout), _shown(stderr)
        output = "\n".join(part.strip() for part in (self.stdout, self.stderr) if part.strip())
        command = _shown(" ".join(argv))
        super().__init__(f"`{command}` ended with {code}" + (f":\n{output}" if output else ""))


def _shown(text: str) -> str:
    """Without users and passwords in addresses: many a remote `origin` holds a token."""
    return re.sub(r"(https?://)[^/@\s]+@", r"\1***@", text)


class MissingProgram(GeneratorError):
    """A program that is not installed."""


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without GIT_*, which would point git at another repository."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_") or key in _GIT_KEPT}
    return {**kept, **(extra or {})}


_GIT_KEPT = ("GIT_SSL_CAINFO", "GIT_SSH_COMMAND", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM")


def find_program(name: str, hint: str) -> str:
    """The program's path. Raises MissingProgram with `hint` where it is not installed."""
    path = shutil.which(name)
    if path is None:
        raise MissingProgram(f"{name} is not installed: {hint}")
    return path


def run(
    *argv: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    timeout: float = 600,
) -> str:
    """What the program printed on standard output.

    `env` is added to this process's environment. `timeout` is in seconds. Raises ProcessFailed.
    """
    try:
        done = subprocess.run(
            argv,
            cwd=cwd,
            env=clean_environment(env),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as error:
        raise MissingProgram(f"{argv[0]} is not installed, or is not on the PATH") from error
    except subprocess.TimeoutExpired as error:
        raise ProcessFailed(argv, f"no answer in {timeout:.0f} s", "", "") from error
    if done.returncode:
        raise ProcessFailed(argv, done.returncode, done.stdout, done.stderr)
    return done.stdout
