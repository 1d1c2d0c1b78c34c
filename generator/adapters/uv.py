"""uv: locks with hashes, and fresh environments from them; see ports.Environments."""

from __future__ import annotations

import json
import os
import re
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from uv import find_uv_bin

from generator.adapters import indexes as private
from generator.adapters.output import Masking
from generator.adapters.shell import MissingProgram, ProcessFailed, run
from generator.adapters.supervisor import ProcessSupervisor
from generator.disk import remove_folder
from generator.errors import GeneratorError, Unreachable, Unresolvable
from generator.ports import Ended, PackageIndex, Reporter, Supervisor

INSTALL_SECONDS = 3600.0  # for the download of a large environment; GitHub ends the job long after
COMPILE_SECONDS = 900.0
# No uv.toml and no [tool.uv] of a folder above or of the user: a release would then differ from its rehearsal, and
# the lock could not tell. Variables such as UV_DEFAULT_INDEX count.
_PLAIN = ("--color", "never", "--no-progress", "--no-config")
_NO_PYTHON = r"No interpreter found|python-build-standalone|No download found|Failed to inspect Python interpreter"
_PLATFORMS = {"linux/amd64": "x86_64-manylinux_2_28", "linux/arm64": "aarch64-manylinux_2_28"}
# What uv needs to know of its surroundings. Building a package runs its code, so it sees nothing else.
_KEPT = re.compile(
    r"UV_|XDG_|LC_|(PATH|HOME|USER|LANG|TZ|TMPDIR|NETRC|CC|CXX|CFLAGS|LDFLAGS)$"
    r"|(SSL_CERT_FILE|SSL_CERT_DIR|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE)$|(http|https|all|no)_proxy$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Uv:
    """The uv that came with this command.

    A training script may write into its packages, and where files are linked that would change uv's cache, and so
    every later environment of whoever ran it. So they are copied, or cloned where the disk can: some seconds for
    each training with MLflow's 600 MB. UV_LINK_MODE says otherwise, for a runner whose cache ends with the job.
    """

    supervisor: Supervisor = field(default_factory=ProcessSupervisor)
    linked: bool = False  # to the cache: for a server's environment, in which no training script runs

    def create(
        self,
        folder: Path,
        *,
        python: str,
        lock: Path,
        reporter: Reporter,
        indexes: Sequence[PackageIndex] = (),
        files: Path | None = None,
    ) -> Path:
        if folder.exists():
            remove_folder(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        reporter.say(f"making an environment for Python {python}")
        made = self._watch(
            ("venv", "--no-project", "--python", python, str(folder)), folder, lock.parent, reporter
        )
        if made.code != 0:
            raise GeneratorError(self._no_python(python, "\n".join(made.tail)))
        interpreter = folder / "bin" / "python"
        reporter.say(f"installing {lock.name}")
        mode = "hardlink" if self.linked else os.environ.get("UV_LINK_MODE", "copy")
        install = ["pip", "sync", "--require-hashes", "--strict", "--link-mode", mode]
        install += [*private.options(indexes), *(("--find-links", str(files)) if files else ())]
        command = (*install, "--python", str(interpreter), str(lock))
        installed = self._watch(command, folder, lock.parent, reporter, indexes)
        if installed.code != 0:
            raise _install_failed(lock, installed, indexes)
        return interpreter

    def _watch(
        self,
        arguments: Sequence[str],
        folder: Path,
        cwd: Path,
        reporter: Reporter,
        indexes: Sequence[PackageIndex] = (),
    ) -> Ended:
        # A cut-off for new releases is for resolving: what a lock names has been chosen.
        kept = {name: value for name, value in _surroundings().items() if name != "UV_EXCLUDE_NEWER"}
        hidden = [value for name, value in os.environ.items() if re.match(r"UV_.*(PASSWORD|TOKEN)$", name)]
        return self.supervisor.run(
            [_uv(), *_PLAIN, *arguments],
            cwd=cwd,
            env={**kept, **private.variables(indexes)},
            timeout=INSTALL_SECONDS,
            log=folder.with_name(f"{folder.name}.log"),
            secrets=[*hidden, *private.secrets(indexes)],
            reporter=_Brief(reporter),
        )

    def _no_python(self, python: str, output: str) -> str:
        if not re.search(_NO_PYTHON, output):
            return f"the environment could not be made: {_reason(output)}"
        here = ", ".join(self._pythons()) or "none"
        return (
            f"Python {python} is not on this machine (found: {here}) and could not be downloaded. Install it "
            f"(`uv python install {python}`, or your system's package python{python}), or set train.python in "
            "model.yaml to a version that is here and run `generator lock`"
        )

    def has_python(self, version: str) -> bool:
        """Whether this machine has that Python, without a download."""
        find = ("python", "find", "--no-project", "--no-python-downloads", version)
        try:
            run(_uv(), *_PLAIN, *find, timeout=30)
        except ProcessFailed:
            return False
        return True

    def _pythons(self) -> list[str]:
        try:
            found = json.loads(run(_uv(), "python", "list", "--only-installed", "--output-format", "json"))
        except (ProcessFailed, ValueError):
            return []
        versions = {(item["version_parts"]["major"], item["version_parts"]["minor"]) for item in found}
        return [f"{major}.{minor}" for major, minor in sorted(versions)]

    def compile(
        self,
        requirements: str,
        *,
        python: str,
        platform: str | None = None,
        constraints: str | None = None,
        folder: Path,
        indexes: Sequence[PackageIndex] = (),
    ) -> str:
        where = ("--universal",) if platform is None else ("--python-platform", _PLATFORMS[platform])
        arguments = ["--generate-hashes", "--no-emit-index-url", "--no-emit-find-links", *where]
        with tempfile.TemporaryDirectory(prefix="tagship-compile-") as temporary:
            if constraints is not None:
                limits = Path(temporary, "constraints.txt")
                limits.write_text(constraints, encoding="utf-8")
                arguments += ["--no-annotate", "--constraints", str(limits)]
            found = _compile(requirements, python, indexes, arguments, folder)
        return _without_options(found)

    def files(
        self, lock: str, *, python: str, platform: str | None, indexes: Sequence[PackageIndex]
    ) -> dict[str, Any]:
        """What pylock.toml says of the packages of `lock` on that platform: which files there are, and where.

        Without `platform` it is this machine's. (packaging.python.org, "pylock.toml Specification")
        """
        where = () if platform is None else ("--python-platform", _PLATFORMS[platform])
        arguments = ["--format", "pylock.toml", "--no-deps", *where]
        return tomllib.loads(_compile(lock, python, indexes, arguments, None))


@dataclass(frozen=True)
class _Brief:
    """Leaves out what uv says of each package: the lock has it, and the log, too."""

    reporter: Reporter

    def say(self, line: str) -> None:
        self.reporter.say(line)

    def output(self, line: str) -> None:
        if not line.startswith((" + ", "Using ", "Creating ")):
            self.reporter.output(line)


def _uv() -> str:
    try:
        return str(find_uv_bin())
    except FileNotFoundError as error:
        raise MissingProgram("uv is not installed beside this command: reinstall tagship") from error


def _surroundings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if _KEPT.match(name)}


def _compile(
    requirements: str, python: str, indexes: Sequence[PackageIndex], arguments: Sequence[str], folder: Path | None
) -> str:
    command = [*_PLAIN, "pip", "compile", "--quiet", "--no-header", "--python-version", python]
    command += [*private.options(indexes), *arguments, "-"]
    env = {**_surroundings(), **private.variables(indexes)}
    try:
        return run(
            _uv(), *command, cwd=folder, env=env, stdin=requirements, timeout=COMPILE_SECONDS, inherits=False
        )
    except ProcessFailed as error:
        said = Masking(private.secrets(indexes))(error.stderr)
    raise _compile_failed(said, indexes)  # without the error, whose output is not masked


def _compile_failed(stderr: str, indexes: Sequence[PackageIndex]) -> GeneratorError:
    if refused := private.failure(stderr, _reason(stderr), indexes):
        return refused
    if private.NO_ANSWER.search(stderr):
        return Unreachable(f"the package index did not answer; try again. uv says: {_reason(stderr)}")
    return Unresolvable(_reason(stderr))


def _install_failed(lock: Path, ended: Ended, indexes: Sequence[PackageIndex]) -> GeneratorError:
    output = "\n".join(ended.tail)
    if ended.timed_out:
        return Unreachable(f"installing {lock.name} took more than {INSTALL_SECONDS / 60:.0f} minutes; try again")
    if "Hash mismatch" in output:
        return GeneratorError(
            f"a package is not the one that {lock.name} names: its hash differs. Run `generator lock` if its "
            f"files were replaced on purpose; otherwise somebody tampers with them. uv says: {_reason(output)}"
        )
    if refused := private.failure(output, _reason(output), indexes):
        return refused
    if private.NO_ANSWER.search(output):
        return Unreachable(f"the package index did not answer; try again. uv says: {_reason(output)}")
    return GeneratorError(f"{lock.name} cannot be installed here. uv says: {_reason(output)}")


def _reason(output: str) -> str:
    """What uv says without its drawing, its hints and the consequences that it lists twice."""
    kept: list[str] = []
    lines = output.splitlines()
    errors = [number for number, line in enumerate(lines) if line.startswith("error:")]
    for line in lines[errors[-1] if errors else 0 :]:
        text = re.sub("^[\\s\u00d7\u2500-\u25ff]*(?:(?:error|cause|Caused by): )?", "", line).rstrip()
        if text.startswith(("hint:", "help:")):
            break
        if text and not text.startswith(("warning:", "Using ", "Resolved ", "Prepared ", "Creating ")):
            kept.append(text)
    return " ".join(kept)[:2000] or "nothing"


def _without_options(lock: str) -> str:
    """A lock names packages only: an index's address, which a user's own settings may add, stays out."""
    return "".join(line for line in lock.splitlines(keepends=True) if not line.startswith("-"))
