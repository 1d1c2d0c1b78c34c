"""train: runs the script of one commit in an environment from its lock, and brings its model to disk.

Killed at any point, a second run begins a new attempt: the earlier one's runs are closed, its files are
replaced, and there is no train.json until everything that it speaks of is in place.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from generator.adapters.output import Masking
from generator.artifacts import Conversion, TrainedModel
from generator.config.places import place
from generator.disk import file_sha256, folder_sha256, remove_folder
from generator.errors import GeneratorError, InvalidInput
from generator.image.converted import CONVERTED, outcome
from generator.image.golden import ONNX
from generator.ports import Ended, Environments, Git, Harness, Reporter, Supervisor
from generator.release import Release
from generator.training.diagnosis import Context, explain
from generator.training.environment import make_environment
from generator.training.found import conversion_of, golden_of, passed_over, trained_model
from generator.training.lock import lock_problems
from generator.training.problems import About, problem_message
from generator.training.script_check import Script, read_script, script_problems
from generator.training.variables import Variables, artifact_folder, script_variables, secrets_of


@dataclass(frozen=True)
class Trainer:
    """What a training works with."""

    supervisor: Supervisor
    environments: Environments
    harness: Harness
    repository: Callable[[Path], Git]  # the repository that is, or will be, in a folder
    variables: Mapping[str, str]  # the caller's environment; little of it reaches the script
    reporter: Reporter


def train(release: Release, with_: Trainer, *, tracking_uri: str | None = None) -> TrainedModel:
    """Trains `release`. Writes model/, golden.json and train.log into its store.

    `tracking_uri` is where runs go; by default tracking.uri of model.yaml, else a database in the store.
    """
    release.store.path("train").unlink(missing_ok=True)
    return _Training(release, with_, tracking_uri or tracking_of(release)).run()


def tracking_of(release: Release) -> str:
    """Where the runs of `release` go when nobody says otherwise."""
    return (
        release.model.config.tracking.uri
        or f"sqlite:///{release.store.folder.resolve() / 'tracking' / 'mlflow.db'}"
    )


class _Training:
    """One attempt."""

    def __init__(self, release: Release, with_: Trainer, tracking_uri: str) -> None:
        self.release, self.with_, self.uri = release, with_, tracking_uri
        self.model, self.config = release.model, release.model.config.train
        self.checkout = release.work / "source"
        self.folder = self.checkout / self.model.folder
        self.output = release.work / "output"
        self.home = release.work / "home"
        self.log = release.store.folder / "train.log"

    def run(self) -> TrainedModel:
        self._make_room()
        secrets_of(self.release, self.with_.variables)  # an absent one is said before anything takes long
        self._check_out()
        script = read_script(self.model, self.checkout)
        lock = self.checkout / self.model.lock_file
        python = make_environment(
            self.release, self.with_.environments, lock, self.with_.variables, self.with_.reporter
        )
        variables = script_variables(
            self.release,
            self.with_.variables,
            folder=self.folder,
            home=self.home,
            python=python,
            tracking_uri=self.uri,
        )
        self._close_earlier(python, variables)
        started = time.time()
        ended = self._run_script(python, variables)
        found = self._collect(python, variables, script, started)
        converted = self._convert(python, variables)
        trained = trained_model(
            self.release,
            found,
            python=self.config.python,
            model_sha256=folder_sha256(self.output / "model"),
            lock_sha256=file_sha256(lock),
            golden=golden_of(found, self.output / "golden.json"),
            converted=converted,
            trained_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            seconds=ended.seconds,
        )
        rows = f"{trained.golden.rows} golden rows recorded, source: {trained.golden.source}"
        reason = passed_over(found)
        self.with_.reporter.say(f"{rows} ({reason})" if reason else rows)
        self._keep()
        return trained

    def _make_room(self) -> None:
        for folder in (self.release.work, *(self.release.store.folder / name for name in ("model", CONVERTED))):
            if folder.exists():
                remove_folder(folder)
        for folder in (self.output, self.home):
            folder.mkdir(parents=True)
        self.release.store.folder.mkdir(parents=True, exist_ok=True)
        if (artifacts := artifact_folder(self.uri)) is not None:
            artifacts.mkdir(parents=True, exist_ok=True)

    def _check_out(self) -> None:
        """Only what is committed: what a runner has is what a rehearsal has."""
        self.with_.reporter.say(f"checking out {self.release.commit[:12]}")
        self.with_.repository(self.checkout).clone(str(self.release.root), commit=self.release.commit)
        problems = script_problems(self.model, self.checkout) + lock_problems(self.model, self.checkout)
        if problems:
            raise InvalidInput(problems)

    def _close_earlier(self, python: Path, variables: Variables) -> None:
        request = {"tracking_uri": self.uri, "release": self.release.id, "attempt": self.release.attempt}
        answer = self._ask(python, "close", request, variables, About(*self._names, ()))
        if closed := answer.get("closed"):
            self.with_.reporter.say(f"marked {len(closed)} unfinished runs of an earlier attempt as KILLED")

    def _run_script(self, python: Path, variables: Variables) -> Ended:
        self.with_.reporter.say(f"running {self.model.path(self.config.script)}")
        ended = self.with_.supervisor.run(
            [str(python), self.config.script],
            cwd=self.folder,
            env=variables.script,
            timeout=self.config.timeout,
            log=self.log,
            secrets=variables.secrets,
            reporter=self.with_.reporter,
        )
        if ended.survivors:
            names = "; ".join(ended.survivors)
            self.with_.reporter.say(
                f"{self.config.script} left processes running, which were ended: {names}. "
                "Let the script wait for what it starts."
            )
        message = explain(ended, self._context())
        if message is not None:
            raise GeneratorError(f"{message}\nThe whole output: {self.log}")
        return ended

    def _context(self) -> Context:
        return Context(
            script=self.model.path(self.config.script),
            requirements=self.model.requirements_file or f"train.requirements in {self.model.shown}",
            timeout=self.config.timeout,
            timeout_place=place(self.model, self.checkout, ("train", "timeout")),
            commit=self.release.commit,
            elsewhere=_modules_outside(self.checkout, self.folder),
        )

    def _collect(self, python: Path, variables: Variables, script: Script, started: float) -> dict[str, Any]:
        golden = self.folder / "golden.json"
        request = {
            "tracking_uri": self.uri,
            "release": self.release.id,
            "attempt": self.release.attempt,
            "experiment": self.model.experiment,
            "model": self.config.model,
            "folder": str(self.folder),
            "started": started,
            "literal_uris": list(script.tracking_uris),
            "output": str(self.output),
            "golden_file": str(golden) if golden.is_file() else None,
            "golden_output": str(self.output / "golden.json"),
            "tolerance": self.model.config.gate.golden_tolerance,
        }
        own = tuple(f"{path}:{item.line}" for path, item in script.settings if item.what == "tracking")
        self.with_.reporter.say("looking for the run and its model")
        return self._ask(python, "collect", request, variables, About(*self._names, own))

    def _convert(self, python: Path, variables: Variables) -> Conversion | None:
        """The model as ONNX, where model.yaml asks for it; why there is none is said, and no error."""
        if self.model.config.serve.runtime != "onnx":
            return None
        request = {
            "model": str(self.output / "model"),
            "output": str(self.output / CONVERTED),
            "golden": str(self.output / "golden.json"),
            "tolerance": ONNX.share,
        }
        self.with_.reporter.say("converting the model to ONNX")
        answer = self._ask(python, "convert", request, variables, About(*self._names, ()))
        converted = conversion_of(answer, self.output / CONVERTED)
        self.with_.reporter.say(outcome(converted))
        return converted

    @property
    def _names(self) -> tuple[str, str, str]:
        context = self._context()
        return context.script, context.requirements, self.model.shown

    def _ask(
        self, python: Path, command: str, request: dict[str, Any], variables: Variables, about: About
    ) -> dict[str, Any]:
        answer = self.with_.harness.call(
            python, command, request, env=variables.harness, secrets=variables.secrets
        )
        if not answer["ok"]:
            raise GeneratorError(Masking(variables.secrets)(problem_message(answer["problem"], about)))
        return answer

    def _keep(self) -> None:
        """Puts what was made where later stages look for it, and lets the checkout go."""
        for name in ("model", "golden.json", CONVERTED):
            if (self.output / name).exists():
                (self.output / name).replace(self.release.store.folder / name)
        artifacts = artifact_folder(self.uri)
        if artifacts is not None and (self.folder / "mlruns").is_dir():
            shutil.copytree(self.folder / "mlruns", artifacts, dirs_exist_ok=True)
        remove_folder(self.checkout)
        with contextlib.suppress(OSError):
            remove_folder(self.home)


def _modules_outside(checkout: Path, folder: Path) -> dict[str, str]:
    """Modules and packages at the repository's root, which the model's folder alone does not make importable."""
    if checkout.resolve() == folder.resolve():
        return {}
    found = {}
    for path in [*checkout.glob("*.py"), *checkout.glob("*/__init__.py"), *checkout.glob("src/*/__init__.py")]:
        module = path.parent if path.name == "__init__.py" else path
        found[module.stem] = module.relative_to(checkout).as_posix()
    return found
