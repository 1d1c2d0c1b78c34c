"""What tests of `serve` and `request` share: models that answer a number, servers for them, a tracking server."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from generator.ports import Reporter
from generator.serving.keeping import Keeper
from generator.serving.origin import Origin
from generator.serving.starting import Started, Starter, listening
from inference.server import LINGER_SECONDS
from tests.environments import environment
from tests.generator.packaged import Report
from tests.ports import held_port

CLOSED = (ConnectionResetError, BrokenPipeError)  # http.client's RemoteDisconnected is one, too
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass
class Environments:
    """Environments that are there: the tests' own serves, `mlflow` asks."""

    mlflow: Path = Path(sys.executable)
    compiled: list[str] = field(default_factory=list)

    def create(self, folder: Path, *, python: str, lock: Path, reporter: Reporter, **_: object) -> Path:
        return self.mlflow if "mlflow" in folder.parts else Path(sys.executable)

    def compile(self, requirements: str, **_: Any) -> str:
        self.compiled.append(requirements)
        return "numpy==2.4.0 --hash=sha256:00\n"


def save(folder: Path, answer: float, columns: tuple[str, ...] = ("a", "b")) -> Path:
    """A model that answers `answer` whatever it is asked; the folder appears whole."""
    import mlflow.sklearn
    import pandas as pd
    from mlflow.models import infer_signature
    from sklearn.dummy import DummyRegressor

    rows = pd.DataFrame({name: [0.5, 1.5] for name in columns})
    model = DummyRegressor(strategy="constant", constant=answer).fit(rows, [0.0, 1.0])
    new = folder.with_name(f"{folder.name}.new")
    mlflow.sklearn.save_model(
        model, new, signature=infer_signature(rows, model.predict(rows)), pip_requirements=["scikit-learn"]
    )
    if folder.exists():
        folder.rename(folder.with_name(f"{folder.name}.old-{time.monotonic_ns()}"))
    new.rename(folder)
    return folder


def ask(port: int, method: str = "POST", path: str = "/predict", rows: Any = ({"a": 0.0, "b": 0.0},)) -> Any:
    """The answer's JSON; 200 is meant."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        body = json.dumps({"instances": list(rows)}) if method == "POST" else None
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status == 200, content
        return json.loads(content)
    finally:
        connection.close()


class Stopped(BaseException):
    """As ^C, for a keeper in a thread."""


@dataclass
class Stoppable:
    """An origin whose next look is interrupted once `stop` is set."""

    origin: Origin
    stop: threading.Event
    every: float | None = 0.1

    @property
    def shown(self) -> str:
        return self.origin.shown

    def look(self) -> object:
        if self.stop.is_set():
            raise Stopped
        return self.origin.look()

    def bring(self, folder: Path) -> Any:
        return self.origin.bring(folder)


@dataclass
class Kept:
    """A keeper at work."""

    port: int
    said: list[str]
    ended: list[BaseException]

    def wait_for(self, words: str, seconds: float = 60) -> None:
        wait_until(lambda: any(words in line for line in self.said) or bool(self.ended), seconds)
        assert any(words in line for line in self.said), (self.said, self.ended)


@contextlib.contextmanager
def kept(origin: Origin, work: Path) -> Iterator[Kept]:
    """A server that is reloaded when the origin changes, until the block ends."""
    stop, ready = threading.Event(), threading.Event()
    report, ended = Report(), []
    with listening("127.0.0.1", 0) as listener:
        starter = Starter(work, Environments(), report, listener)
        keeper = Keeper(Stoppable(origin, stop), starter, report)

        def run() -> None:
            def begun(_: Started) -> None:
                ready.set()

            try:
                keeper.keep(reload=True, ready=begun)
            except BaseException as error:  # noqa: BLE001  (a thread's end is looked at by the test)
                ended.append(error)
                ready.set()

        thread = threading.Thread(target=run)
        thread.start()
        try:
            assert ready.wait(90)
            yield Kept(listener.getsockname()[1], report.said, ended)
        finally:
            stop.set()
            thread.join(60)
            assert not thread.is_alive()


class Load:
    """Clients that ask without a pause, some over one connection, some over a new one each time."""

    def __init__(self, port: int) -> None:
        self.port, self.answers, self.failures = port, Counter[float](), list[str]()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(keep,)) for keep in (True, True, False, False)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, keep: bool) -> None:
        body = json.dumps({"instances": [{"a": 0.0, "b": 0.0}]})
        connection, last = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30), time.monotonic()
        while not self._stop.is_set():
            idle = time.monotonic() - last
            try:
                connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
                answer = json.loads(connection.getresponse().read())
                self.answers[answer["predictions"][0]] += 1
            except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
                # Held up for as long as a server that ends keeps it, a client meets a connection that is closed.
                if not (keep and idle > LINGER_SECONDS - 0.2 and isinstance(error, CLOSED)):
                    self.failures.append(repr(error))
                connection.close()
            last = time.monotonic()
            if not keep:
                connection.close()
            time.sleep(0.005)  # the machine is to load models meanwhile
        connection.close()


def wait_until(happened: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@dataclass
class TrackingServer:
    """A real MLflow server with a database and an artifact folder of its own."""

    uri: str
    python: Path
    folder: Path

    def run(self, script: str, **variables: str) -> str:
        """What a script printed that talks to this server."""
        done = subprocess.run(
            [self.python, "-c", script],
            cwd=self.folder,
            env=_variables(MLFLOW_TRACKING_URI=self.uri, **variables),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def register(self, answer: float, *, release: str = "") -> str:
        """Logs a model and registers it as `churn`; the run id."""
        return self.run(REGISTER, ANSWER=str(answer), RELEASE=release).splitlines()[-1]

    def alias(self, version: str) -> None:
        self.run(f"import mlflow; mlflow.MlflowClient().set_registered_model_alias('churn', 'live', {version!r})")


REGISTER = """
import os, mlflow, pandas as pd
from mlflow.models import infer_signature
from sklearn.dummy import DummyRegressor
rows = pd.DataFrame({"a": [0.5, 1.5], "b": [0.5, 1.5]})
model = DummyRegressor(strategy="constant", constant=float(os.environ["ANSWER"])).fit(rows, [0.0, 1.0])
release = os.environ["RELEASE"]
with mlflow.start_run() as run:
    about = {"signature": infer_signature(rows, model.predict(rows)), "pip_requirements": ["scikit-learn"]}
    info = mlflow.sklearn.log_model(model, "model", **about)
tags = {"tagship.release": release, "tagship.commit": "c" * 40} if release else {}
mlflow.register_model(info.model_uri, "churn", tags=tags)
print(run.info.run_id)
"""


@contextlib.contextmanager
def tracking_server(folder: Path, name: str = "mlflow3") -> Iterator[TrackingServer]:
    """MLflow's server in the environment `name`, in a process group of its own, until the block ends."""
    python = environment(name)
    with held_port() as port, _tracking(python, port, folder) as server:
        yield server


@contextlib.contextmanager
def _tracking(python: Path, port: int, folder: Path) -> Iterator[TrackingServer]:
    command = [str(python), "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'tracking.db'}"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=_variables(), stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_until(lambda: _answers(port) or process.poll() is not None, 120)
        assert process.poll() is None, (folder / "server.log").read_text()
        yield TrackingServer(f"http://127.0.0.1:{port}", python, folder)
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def _variables(**more: str) -> dict[str, str]:
    return {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", **more}


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError, http.client.HTTPException):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    return False
