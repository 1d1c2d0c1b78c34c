"""The only place that starts processes: argument lists, never a shell; failures say what was run."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from generator.errors import GeneratorError
from generator.plan.credentials import DEPLOY_KEY, KUBECONFIG

MOST_OUTPUT = 64 * 2**20  # bytes of one stream that are kept


class ProcessFailed(GeneratorError):
    """A program that ended badly: its command line, code and output."""

    def __init__(self, argv: tuple[str, ...], code: int | str, stdout: str, stderr: str) -> None:
        self.code, self.stdout, self.stderr = code, without_logins(stdout), without_logins(stderr)
        output = "\n".join(part.strip() for part in (self.stdout, self.stderr) if part.strip())
        command = without_logins(" ".join(argv))
        super().__init__(f"`{command}` ended with {code}" + (f":\n{output}" if output else ""))


def without_logins(text: str) -> str:
    """Without users and passwords in addresses: many a remote `origin` holds a token."""
    return re.sub(r"(https?://)[^/@\s]+@", r"\1***@", text)


class MissingProgram(GeneratorError):
    """A program that is not installed."""


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without what would point git at another repository, as a hook has it set.

    Whose commits they are and what opens the door (GIT_COMMITTER_NAME, GIT_ASKPASS, GIT_CONFIG_COUNT …) stays; a
    deploy key and a kubeconfig are for us alone.
    """
    ours = {*_REDIRECTING, DEPLOY_KEY, KUBECONFIG}
    kept = {key: value for key, value in os.environ.items() if key not in ours}
    return {**kept, **(extra or {})}


# Those of `git rev-parse --local-env-vars` that are no settings, and what changes the meaning of paths and refs.
_REDIRECTING = {
    f"GIT_{name}"
    for name in (
        *("DIR", "WORK_TREE", "COMMON_DIR", "PREFIX", "INDEX_FILE", "INDEX_VERSION", "NAMESPACE", "SHALLOW_FILE"),
        *("OBJECT_DIRECTORY", "ALTERNATE_OBJECT_DIRECTORIES", "QUARANTINE_PATH", "IMPLICIT_WORK_TREE"),
        *("GRAFT_FILE", "NO_REPLACE_OBJECTS", "REPLACE_REF_BASE", "CONFIG", "REFLOG_ACTION"),
        *("LITERAL_PATHSPECS", "GLOB_PATHSPECS", "NOGLOB_PATHSPECS", "ICASE_PATHSPECS"),
    )
}


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
    inherits: bool = True,
) -> str:
    """What the program printed on standard output.

    `env` is added to this process's environment, unless it `inherits` nothing of that. `timeout` is in seconds.
    Raises ProcessFailed, also where the program prints more than MOST_OUTPUT bytes: many a program is somebody
    else's model.
    """
    try:
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=clean_environment(env) if inherits else env,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,  # a buffer's lock, held by a thread that waits for a pipe, could not be closed
        )
    except FileNotFoundError as error:
        raise MissingProgram(f"{argv[0]} is not installed, or is not on the PATH") from error
    with process:
        try:
            stdout, stderr = _output(process, stdin, timeout)
        except _Unanswered as error:
            raise ProcessFailed(argv, str(error), "", "") from error
        finally:
            process.kill()  # where it still runs: a timeout, too much output, an interrupt
    if process.returncode:
        raise ProcessFailed(argv, process.returncode, stdout, stderr)
    return stdout


class _Unanswered(Exception):
    """Why a program was ended."""


class _Reader(threading.Thread):
    """Keeps what comes out of one pipe; ends the program where that is too much."""

    def __init__(self, process: subprocess.Popen[bytes], stream: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self.content, self._process, self._stream = bytearray(), process, stream
        self.start()

    def run(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # closed meanwhile
            while chunk := os.read(self._stream.fileno(), 65536):
                self.content += chunk
                if len(self.content) > MOST_OUTPUT:
                    self._process.kill()
                    return

    @property
    def text(self) -> str:
        return self.content.decode(errors="replace").replace("\r\n", "\n")


def _output(process: subprocess.Popen[bytes], stdin: str | None, timeout: float) -> tuple[str, str]:
    """Standard output and error, when both are closed and the program has ended."""
    deadline = time.monotonic() + timeout
    assert process.stdout is not None
    assert process.stderr is not None
    readers = [_Reader(process, process.stdout), _Reader(process, process.stderr)]
    if stdin is not None:
        threading.Thread(target=_feed, args=(process, memoryview(stdin.encode())), daemon=True).start()
    for reader in readers:
        reader.join(max(0.0, deadline - time.monotonic()))
    if any(len(reader.content) > MOST_OUTPUT for reader in readers):
        raise _Unanswered(f"more than {MOST_OUTPUT // 2**20} MiB of output")
    try:
        process.wait(max(0.01, deadline - time.monotonic()))
    except subprocess.TimeoutExpired as error:
        raise _Unanswered(f"no answer in {timeout:.0f} s") from error
    if any(reader.is_alive() for reader in readers):
        raise _Unanswered(f"no answer in {timeout:.0f} s")
    return readers[0].text, readers[1].text


def _feed(process: subprocess.Popen[bytes], content: memoryview) -> None:
    assert process.stdin is not None
    with contextlib.suppress(OSError, ValueError):  # it does not want all of it, or has ended
        while content:
            content = content[process.stdin.write(content) :]
        process.stdin.close()
