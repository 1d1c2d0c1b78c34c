"""A committed training, ready for the real train stage, in a test environment that is made only once."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from generator.adapters.git import GitRepository
from generator.adapters.harness import MlflowHarness
from generator.adapters.supervisor import ProcessSupervisor
from generator.artifacts import TrainedModel
from generator.config.model import Model
from generator.config.workspace import load
from generator.ports import Environments, Reporter
from generator.release import Release
from generator.stages.train import Trainer, train
from generator.store import Store
from generator.training.lock import lock_text
from generator.version import Version
from tests.environments import environment
from tests.generator.repositories import commit_all, git
from tests.generator.workspaces import model_yaml

# Finding out what a model imports takes MLflow ten seconds; after one it takes the flavor's defaults.
QUICK = 'env: {MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT: "1"}'


@dataclass
class Told:
    """A reporter that remembers."""

    said: list[str] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)

    def say(self, line: str) -> None:
        self.said.append(line)

    def output(self, line: str) -> None:
        self.printed.append(line)


@dataclass
class SharedEnvironments:
    """Stands in for uv: hands out a test environment, whatever the lock says."""

    python: Path
    created: int = 0

    def create(self, folder: Path, *, python: str, lock: Path, reporter: Reporter, **_: object) -> Path:
        assert lock.is_file()
        self.created += 1
        return self.python

    def compile(
        self,
        requirements: str,
        *,
        python: str,
        platform: str | None = None,
        constraints: str | None = None,
        folder: Path,
        **_: object,
    ) -> str:
        return "".join(f"# would lock: {line}\n" for line in requirements.splitlines())


@dataclass
class Training:
    """A repository with one committed training script, and what trains it."""

    release: Release
    trainer: Trainer
    told: Told

    def run(self, tracking_uri: str | None = None) -> TrainedModel:
        trained = train(self.release, self.trainer, tracking_uri=tracking_uri)
        self.release.store.write("train", trained)
        return trained


def prepare(
    folder: Path,
    script: str,
    *,
    python: str = "mlflow3",
    train_keys: str = QUICK,
    more: str = "",
    timeout: float | None = None,
    files: Mapping[str, str] | None = None,
    variables: Mapping[str, str] | None = None,
    attempt: str = "1",
    environments: Environments | None = None,
    requirements: str = "scikit-learn\n",
) -> Training:
    """A repository in `folder` whose script is `script`; `train_keys` and `more` go into model.yaml."""
    environments = environments or SharedEnvironments(environment(python))
    root = folder / "repository"
    root.mkdir(parents=True)
    text = model_yaml(more).replace("train: {script: train.py}", f"train:\n  script: train.py\n  {train_keys}")
    written = {"model.yaml": text, "train.py": textwrap.dedent(script), "requirements.txt": requirements}
    for name, content in {**written, **(files or {})}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    model = load(root).models[0]
    (root / "requirements.lock").write_text(lock_text(model, root, environments))
    git(root, "init", "--quiet")
    commit = commit_all(root, "Begin")
    return Training(
        Release(
            model=model if timeout is None else _with_timeout(model, timeout),
            version=Version("1.2.3"),
            commit=commit,
            root=root,
            store=Store(folder / ".tagship" / "churn-1.2.3"),
            attempt=attempt,
            by="ada",
        ),
        *_trainer(environments, {**os.environ, **(variables or {})}),
    )


def _trainer(environments: Environments, variables: Mapping[str, str]) -> tuple[Trainer, Told]:
    told = Told()
    trainer = Trainer(
        supervisor=ProcessSupervisor(grace=1),
        environments=environments,
        harness=MlflowHarness(),
        repository=GitRepository,
        variables=variables,
        reporter=told,
    )
    return trainer, told


def _with_timeout(model: Model, seconds: float) -> Model:
    """Less than the minute that model.yaml allows at least."""
    train_section = model.config.train.model_copy(update={"timeout": seconds})
    return Model(model.config.model_copy(update={"train": train_section}), model.folder)
