"""A workshop for each MLflow: runs training scripts and the harness in a real environment."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.environments import environment, locked

HARNESS = Path(__file__).parents[2] / "generator" / "harness"
RELEASE = "churn-1.2.3"
ATTEMPT = "7-1"
MAKE_DATABASE = "import mlflow; mlflow.MlflowClient().search_experiments()"


class Workbench:
    """A running workbench.py in one environment."""

    def __init__(self, python: Path, folder: Path) -> None:
        self.python = python
        self.process = subprocess.Popen(
            [python, Path(__file__).with_name("workbench.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(folder / "workbench.log").open("w"),
            text=True,
            cwd=folder,
            # Compiled files halve the time that MLflow takes to import.
            env={key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"},
        )
        # Making the tables takes seconds; every test starts from a copy of this database.
        self.database = python.parent.parent / "empty.db"
        with locked(self.database.with_suffix(".lock")):
            if not self.database.exists():
                self._make_database(folder)

    def _make_database(self, folder: Path) -> None:
        script, made = folder / "make.py", folder / "made.db"
        script.write_text(MAKE_DATABASE)
        done = self.run([script], folder, {"MLFLOW_TRACKING_URI": f"sqlite:///{made}"})
        assert done["code"] == 0, done["output"]
        shutil.copy(made, folder / "copy.db")
        shutil.move(folder / "copy.db", self.database)

    def run(
        self, argv: list[Any], folder: Path, env: dict[str, str], kill_after: float | None = None
    ) -> dict[str, Any]:
        job = {
            "argv": [str(item) for item in argv],
            "folder": str(folder),
            "env": env,
            "kill_after": kill_after,
        }
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=30)


@dataclass
class Workshop:
    """One test's folder with a tracking database, in one environment."""

    bench: Workbench
    folder: Path
    started: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        self.script_folder.mkdir()
        shutil.copy(self.bench.database, self.folder / "tracking.db")

    @property
    def script_folder(self) -> Path:
        return self.folder / "project"

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.folder / 'tracking.db'}"

    def train(self, text: str, *, attempt: str = ATTEMPT, env: dict[str, str] | None = None) -> dict[str, Any]:
        """Runs `text` as the command would: nothing but the environment tells it where to log."""
        script = self.script_folder / "train.py"
        script.write_text(text)
        tags = {"tagship.release": RELEASE, "tagship.attempt": attempt}
        settings = {
            "MLFLOW_TRACKING_URI": self.uri,
            "MLFLOW_EXPERIMENT_NAME": "churn",
            "MLFLOW_RUN_CONTEXT": json.dumps(tags),
            **(env or {}),
        }
        return self.bench.run([script], self.script_folder, settings)

    def trained(self, text: str, **options: Any) -> None:
        done = self.train(text, **options)
        assert done["code"] == 0, done["output"]

    def ask(self, command: str, request: dict[str, Any]) -> dict[str, Any]:
        """The harness's answer."""
        asked, answer = self.folder / "request.json", self.folder / "response.json"
        asked.write_text(json.dumps(request))
        answer.unlink(missing_ok=True)
        done = self.bench.run([HARNESS, command, asked, answer], self.script_folder, {})
        assert done["code"] == 0, done["output"]
        return json.loads(answer.read_text())

    def collect(self, **changes: Any) -> dict[str, Any]:
        request = {
            "tracking_uri": self.uri,
            "release": RELEASE,
            "attempt": ATTEMPT,
            "experiment": "churn",
            "model": None,
            "folder": str(self.script_folder),
            "started": self.started,
            "literal_uris": [],
            "output": str(self.folder / "out"),
            "golden_file": None,
            "golden_output": str(self.folder / "golden.json"),
        }
        return self.ask("collect", {**request, **changes})

    def collected(self, **changes: Any) -> dict[str, Any]:
        """As collect, where it must succeed."""
        answer = self.collect(**changes)
        assert answer["ok"], json.dumps(answer, indent=1)
        return answer

    def problem(self, **changes: Any) -> dict[str, Any]:
        """As collect, where it must not succeed."""
        answer = self.collect(**changes)
        assert not answer["ok"], json.dumps(answer, indent=1)
        return answer["problem"]

    def golden(self) -> dict[str, Any]:
        return json.loads((self.folder / "golden.json").read_text())


@pytest.fixture(scope="session")
def benches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Workbench]]:
    running: dict[str, Workbench] = {}
    yield running
    for bench in running.values():
        bench.close()


@pytest.fixture(params=["mlflow2", "mlflow3"])
def mlflow(request: pytest.FixtureRequest) -> str:
    """The environment's name; a test may choose others by indirect parameters."""
    return request.param


@pytest.fixture
def shop(
    mlflow: str,
    benches: dict[str, Workbench],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Workshop:
    if mlflow not in benches:
        benches[mlflow] = Workbench(environment(mlflow), tmp_path_factory.mktemp(mlflow))
    return Workshop(benches[mlflow], tmp_path)
