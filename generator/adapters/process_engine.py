"""An engine for machines without Docker: the same context, laid out as in the image, in a virtual environment.

It serves rehearsals and `generator serve` alone. What an image adds (another system, no network, no rights)
it cannot show; its archive says in a label that it is no image to run.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from generator.adapters.background import background, until_ready
from generator.adapters.docker import READY_SECONDS, REPLAY_SECONDS
from generator.adapters.kept import environment_folder, kept_environment
from generator.adapters.output import Silent
from generator.adapters.replies import read_hooked, read_parity, read_replay
from generator.adapters.shell import ProcessFailed, run
from generator.disk import write_atomically
from generator.errors import GeneratorError
from generator.image.archive import read_archive, unpack_archive, write_archive
from generator.image.context import WHEELS
from generator.ports import Environments, Hooked, Parity, Replay, Reporter

_FACTS = "image.json"
LARGEST_LOG = 16 * 2**20  # bytes of what a server printed that are kept while it runs
_LAST = 8192  # bytes of it that a person wants to see


@dataclass(frozen=True)
class Running:
    """A server that was ready."""

    url: str
    alive: Callable[[], bool]
    log: Path

    def last_words(self) -> str:
        """The end of what it printed."""
        return self._end().decode(errors="replace").strip()[-2000:]

    def trim_log(self) -> None:
        """Keeps the log's end alone where it has grown large: a server may run, and complain, for months."""
        with contextlib.suppress(OSError):
            if self.log.stat().st_size > LARGEST_LOG:
                kept = self._end()
                os.truncate(self.log, 0)  # the server appends, so it goes on at the new end
                with self.log.open("ab") as stream:
                    stream.write(kept)

    def _end(self) -> bytes:
        try:
            with self.log.open("rb") as stream:
                stream.seek(max(0, stream.seek(0, os.SEEK_END) - _LAST))
                return stream.read(_LAST)
        except OSError:
            return b""


@dataclass(frozen=True)
class ProcessEngine:
    """See ports.Engine. An image `tag` is a folder under `folder`; environments are kept by their lock."""

    folder: Path
    environments: Environments
    python: str  # such as 3.11
    name: str = "process"

    def check(self) -> None:
        if sys.platform == "win32":
            raise GeneratorError("without a Docker engine this needs Linux or macOS: install Docker Desktop")

    def build(
        self, context: Path, *, tag: str, platform: str, labels: Mapping[str, str], reporter: Reporter
    ) -> None:
        image = self._image(tag)
        _replace(image / "context", lambda target: shutil.copytree(context, target))
        facts = {"labels": dict(labels), "platform": platform}
        write_atomically(image / _FACTS, json.dumps(facts, indent=2) + "\n")
        self._python(image / "context", reporter)

    def replay(
        self,
        tag: str,
        golden: str,
        *,
        memory: int,  # noqa: ARG002  (a process has no limit)
        environment: Mapping[str, str] = {},
    ) -> Replay:
        try:
            return read_replay(self._ask(tag, "replay", golden, environment))
        except ProcessFailed as error:
            return read_replay(error.stdout, failure=error)

    def parity(self, tag: str, golden: str, *, environment: Mapping[str, str] = {}) -> Parity:
        try:
            return read_parity(self._ask(tag, "parity", golden, environment))
        except ProcessFailed as error:
            return read_parity(error.stdout, failure=error)

    def hooks(self, tag: str, request: str, *, environment: Mapping[str, str] = {}) -> Hooked:
        try:
            return read_hooked(self._ask(tag, "hooks", request, environment))
        except ProcessFailed as error:
            return read_hooked(error.stdout, failure=error)

    def _ask(self, tag: str, command: str, golden: str, environment: Mapping[str, str]) -> str:
        """What a command of the server prints."""
        with tempfile.TemporaryDirectory(prefix=f"tagship-{command}-") as home:
            argv = self._command(tag, Path(home), environment)
            return run(*argv, command, stdin=golden, cwd=Path(home), timeout=REPLAY_SECONDS)

    def save(self, tag: str, archive: Path) -> str:
        image, temporary = self._image(tag), archive.with_name("image.tar.tmp")
        facts = json.loads((image / _FACTS).read_text(encoding="utf-8"))
        archive.parent.mkdir(parents=True, exist_ok=True)
        digest = write_archive(temporary, image / "context", labels=facts["labels"], platform=facts["platform"])
        temporary.replace(archive)
        return digest

    def load(self, archive: Path, tag: str) -> None:
        image, found = self._image(tag), read_archive(archive)
        _replace(image / "context", lambda target: unpack_archive(archive, target))
        facts = {"labels": dict(found.labels), "platform": found.platform}
        write_atomically(image / _FACTS, json.dumps(facts, indent=2) + "\n")

    @contextlib.contextmanager
    def serving(self, tag: str, *, environment: Mapping[str, str]) -> Iterator[str]:
        with self.running(tag, environment=environment) as server:
            yield server.url

    @contextlib.contextmanager
    def running(self, tag: str, *, environment: Mapping[str, str], keep: Sequence[int] = ()) -> Iterator[Running]:
        """As `serving`, for who watches the server. It gets the file descriptors `keep` under the same numbers."""
        with tempfile.TemporaryDirectory(prefix="tagship-serve-") as home:
            port = str(_free_port())
            settings = {"TAGSHIP_HOST": "127.0.0.1", "TAGSHIP_PORT": port, **environment}
            log = self._image(tag) / "server.log"
            url = f"http://127.0.0.1:{port}"
            with background(self._command(tag, Path(home), settings), cwd=Path(home), log=log, keep=keep) as alive:
                server = Running(url, alive, log)
                try:
                    until_ready(url, seconds=READY_SECONDS, alive=alive)
                except GeneratorError as error:
                    raise GeneratorError(f"{error}\n{server.last_words()}") from error
                yield server

    def remove(self, tag: str) -> None:
        image = self._image(tag)
        # Python keeps bytecode under the path of what it was made from: see _command.
        bytecode = self.folder.glob("environments/*/bytecode")
        for folder in (image, *(kept / str(image.absolute()).lstrip("/") for kept in bytecode)):
            shutil.rmtree(folder, ignore_errors=True)

    def _image(self, tag: str) -> Path:
        return self.folder / "images" / re.sub(r"[^A-Za-z0-9._-]", "_", tag)

    def _command(self, tag: str, home: Path, settings: Mapping[str, str]) -> tuple[str, ...]:
        """The server's command line, with the environment of the image instead of ours."""
        context = self._image(tag) / "context"
        if not context.is_dir():
            raise GeneratorError(f"no image {tag} on this machine: run `generator stage package` first")
        python = self._python(context, Silent())
        variables = {
            "PATH": f"{python.parent}:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(home),
            "TMPDIR": str(home),
            "PYTHONPATH": str(context),
            # Bytecode is kept beside the environment: the context must stay as it was written.
            "PYTHONPYCACHEPREFIX": str(self._environment(context) / "bytecode"),
            "PYTHONUNBUFFERED": "1",
            "TAGSHIP_MODEL": str(context / "model"),
            "TAGSHIP_RELEASE": str(context / "release.json"),
            **({"TAGSHIP_HOOKS": str(context / "hooks")} if (context / "hooks").is_dir() else {}),
            **settings,
        }
        pairs = (f"{key}={value}" for key, value in variables.items())
        return ("/usr/bin/env", "-i", *pairs, str(python), "-m", "inference")

    def _environment(self, context: Path) -> Path:
        return environment_folder(self.folder / "environments", self.python, context / "requirements.lock")

    def _python(self, context: Path, reporter: Reporter) -> Path:
        """The environment's Python; the environment is made where it is missing or half made."""
        folder, lock = self.folder / "environments", context / "requirements.lock"
        files = context / WHEELS if (context / WHEELS).is_dir() else None
        return kept_environment(folder, self.environments, self.python, lock, reporter, files)


def _replace(folder: Path, fill: Callable[[Path], object]) -> None:
    """`folder` as `fill` makes it, under its name only when it is complete."""
    temporary = folder.with_name(f"{folder.name}.tmp")
    _remove(temporary)
    folder.parent.mkdir(parents=True, exist_ok=True)
    fill(temporary)
    _remove(folder)
    temporary.rename(folder)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
