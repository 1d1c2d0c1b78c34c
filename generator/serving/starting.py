"""From a model to a server that answers: its environment, its files, and the process."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from generator.adapters.process_engine import ProcessEngine, Running
from generator.errors import GeneratorError
from generator.image.context import Content, server_requirements, write_context
from generator.image.runtime_lock import Sources, requirements
from generator.ports import Environments, Reporter
from generator.serving.origin import Facts, Origin, Served, read_mlmodel

_NUMBERS = itertools.count(1)


@dataclass
class Started:
    """A server that is ready."""

    facts: Facts
    seen: object  # of the origin, when the model was brought
    server: Running
    _running: contextlib.ExitStack

    def close(self) -> None:
        """Ends it: what it has begun to answer is answered first. Its files are removed."""
        self._running.close()


@dataclass
class Starter:
    """Starts servers. `work` keeps their environments for the next time."""

    work: Path
    environments: Environments
    reporter: Reporter
    listener: socket.socket | None = None  # which all of them serve, one after another; None: a port of their own
    _locks: dict[tuple[str, str], str] = field(default_factory=dict)

    def start(self, origin: Origin) -> Started:
        """A server with the origin's model. Raises GeneratorError where it does not get ready."""
        self.work.mkdir(parents=True, exist_ok=True)
        self._remove_left_over()
        tag = f"served-{os.getpid()}-{next(_NUMBERS)}"
        with contextlib.ExitStack() as stack:
            new = f"new-{os.getpid()}-"
            with tempfile.TemporaryDirectory(prefix=new, dir=self.work, ignore_cleanup_errors=True) as folder:
                served = origin.bring(Path(folder))
                engine = ProcessEngine(self.work / "engine", self.environments, _python(served.model))
                stack.callback(engine.remove, tag)
                context = Path(folder) / "context"
                lock = self._lock(served.model, engine.python)
                write_context(context, Content(served.model, lock, served.facts, engine.python))
                engine.build(context, tag=tag, platform="linux/amd64", labels={}, reporter=self.reporter)
            self.reporter.say(f"loading {_described(served)}")
            server = stack.enter_context(self._run(engine, tag))
            return Started(served.facts, served.seen, server, stack.pop_all())

    def _run(self, engine: ProcessEngine, tag: str) -> contextlib.AbstractContextManager[Running]:
        if self.listener is None:
            return engine.running(tag, environment={})
        shared = self.listener.fileno()
        return engine.running(tag, environment={"TAGSHIP_LISTEN_FD": str(shared)}, keep=[shared])

    def _remove_left_over(self) -> None:
        """What a command that was killed could not remove."""
        engine = ProcessEngine(self.work / "engine", self.environments, python="any")
        for image in _left_over(engine.folder / "images", r"served-(\d+)-\d+(?:\.tmp)?"):
            engine.remove(image.name)
        for folder in _left_over(self.work, r"new-(\d+)-.+"):
            shutil.rmtree(folder, ignore_errors=True)

    def _lock(self, model: Path, python: str) -> str:
        """The runtime lock; a model with the requirements of the last one gets the same."""
        wanted = requirements(
            Sources(
                model=_requirements_txt(model),
                server=server_requirements(),
                training_lock="",
                mlflow_version=str(read_mlmodel(model).get("mlflow_version", "")),
                python=python,
            )
        )
        if (wanted, python) not in self._locks:
            self.reporter.say("resolving what the model and the server require")
            self._locks[wanted, python] = self.environments.compile(wanted, python=python, folder=model)
        return self._locks[wanted, python]


@contextlib.contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """The address, taken but not yet listened to; GeneratorError where somebody else has it."""
    with contextlib.ExitStack() as stack:
        try:
            family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            listener = stack.enter_context(socket.socket(family, kind))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except (OSError, UnicodeError) as error:  # the latter of a name that no host can have
            reason = getattr(error, "strerror", None) or error
            raise GeneratorError(
                f"cannot listen on {host}:{port} ({reason}): name another with --port or --host"
            ) from error
        yield listener


def url_of(listener: socket.socket) -> str:
    """Where a client on this machine finds it."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def described(facts: Facts) -> str:
    """A model in a few words, such as `churn 1.2.3 (version 7)`."""
    more = f" (version {facts['registered_version']})" if facts.get("registered_version") else ""
    run = f", run {str(facts['run_id'])[:12]}" if facts.get("run_id") else ""
    return f"{facts['name']} {facts['version']}{more}{run}"


def _described(served: Served) -> str:
    return described(served.facts)


def _python(model: Path) -> str:
    """The Python that the model was logged with, such as 3.11."""
    flavors = read_mlmodel(model).get("flavors")
    pyfunc = flavors.get("python_function") if isinstance(flavors, dict) else None
    if not isinstance(pyfunc, dict):
        raise GeneratorError(f"{model} has no pyfunc flavor: log it with mlflow's log_model")
    return ".".join(str(pyfunc.get("python_version", "3.11")).split(".")[:2])


def _requirements_txt(model: Path) -> str:
    path = model / "requirements.txt"
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise GeneratorError(f"{model} has no requirements.txt: log it with mlflow's log_model") from error
    except UnicodeDecodeError as error:
        raise GeneratorError(f"{path} is not UTF-8: save it as UTF-8, or log the model again") from error


def _left_over(parent: Path, pattern: str) -> list[Path]:
    """What is called so in `parent`, by the number of a process that has ended."""
    found = ((path, re.fullmatch(pattern, path.name)) for path in parent.glob("*"))
    return [path for path, match in found if match and not _lives(int(match[1]))]


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
