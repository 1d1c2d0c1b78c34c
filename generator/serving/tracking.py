"""Models in an MLflow server or database, asked for by an MLflow that is not ours.

A tracking database belongs to the MLflow that wrote it: in a repository its training lock names that MLflow;
elsewhere a small environment is made, with the version that the server has.
"""

from __future__ import annotations

import hashlib
import re
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from generator.adapters.kept import kept_environment
from generator.adapters.output import Masking
from generator.config.model import Model
from generator.disk import write_atomically
from generator.errors import GeneratorError, Unresolvable
from generator.ports import Environments, Harness, Reporter
from generator.serving.messages import message, missing_package
from generator.training.found import EMBEDDED, public_uri

ANY_MLFLOW = ">=3,<3.14"
ANSWERS_WITHIN = 10.0  # seconds
_SECRET = re.compile(r"TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|API_?KEY", re.IGNORECASE)
_USER_INFO = re.compile(r"://[^/@:\s]*:([^/@\s]+)@")


@dataclass(frozen=True)
class Tracking:
    """Where runs and registered models are, and what opens the door."""

    uri: str
    variables: Mapping[str, str] = field(repr=False)  # the environment in which MLflow is asked

    @property
    def secrets(self) -> tuple[str, ...]:
        """What of it must not be shown."""
        named = [value for name, value in self.variables.items() if _SECRET.search(name) and value]
        found = [_USER_INFO.search(value) for value in (self.uri, *self.variables.values())]
        return (*named, *(match[1] for match in found if match))

    @property
    def shown(self) -> str:
        """Its address, without credentials."""
        public = public_uri(self.uri)
        return self.uri if public == EMBEDDED else public


def tracking_of(given: str | None, model: Model | None, environ: Mapping[str, str]) -> Tracking:
    """The server that `given` names, else MLFLOW_TRACKING_URI, else model.yaml. Raises GeneratorError for none."""
    configured = model.config.tracking if model is not None else None
    uri = given or environ.get("MLFLOW_TRACKING_URI") or (configured.uri if configured else None)
    if not uri:
        raise GeneratorError(
            "no tracking server to look for it: name one with --tracking-uri, or set MLFLOW_TRACKING_URI, or "
            "tracking.uri in model.yaml"
        )
    variables = {name: value for name, value in environ.items() if not name.startswith(("PYTHON", "GIT_"))}
    if configured and configured.secret and uri == configured.uri and environ.get(configured.secret):
        variables["MLFLOW_TRACKING_TOKEN"] = environ[configured.secret]
    return Tracking(uri, variables)


@dataclass
class Registry:
    """Asks MLflow about models and downloads them. `work` keeps the environments."""

    tracking: Tracking
    model: Model | None  # of the repository, whose training lock has the right MLflow
    root: Path
    work: Path
    environments: Environments
    harness: Harness
    reporter: Reporter
    _python: Path | None = None
    _more: tuple[str, ...] = ()  # packages that the artifact store turned out to need

    def ask(self, name: Mapping[str, Any], *, output: Path | None) -> dict[str, Any]:
        """What the harness answers to `source`; the model is in `<output>/model` then. Raises GeneratorError."""
        if self._python is None:
            self._python = self._environment()
        if output is not None:
            self.reporter.say(f"downloading from {self.tracking.shown}")
        answer = self._call(name, output)
        package = missing_package(answer)
        if package and package not in self._more and not self._has_lock():
            self.reporter.say(f"its artifact store needs {package}")
            self._more = (*self._more, package)
            self._python = self._environment()
            answer = self._call(name, output)
        if not answer["ok"]:
            mask = Masking(self.tracking.secrets)
            raise GeneratorError(mask(message(answer["problem"], self.tracking.shown)))
        return answer

    def _call(self, name: Mapping[str, Any], output: Path | None) -> dict[str, Any]:
        assert self._python is not None
        request = {
            **name,
            "tracking_uri": self.tracking.uri,
            "folder": str(Path.cwd()),
            "output": None if output is None else str(output),
        }
        variables = {**self.tracking.variables, "MLFLOW_ALLOW_FILE_STORE": "true"}
        return self.harness.call(self._python, "source", request, env=variables, secrets=self.tracking.secrets)

    def _has_lock(self) -> bool:
        return self.model is not None and (self.root / self.model.lock_file).is_file()

    def _environment(self) -> Path:
        folder = self.work / "mlflow"
        if self.model is not None and self._has_lock():
            self._answers()
            self.reporter.say(f"asking with the MLflow of {self.model.lock_file}")
            lock = self.root / self.model.lock_file
            wanted = self.model.config.train.python
            return kept_environment(folder, self.environments, wanted, lock, self.reporter)
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        return kept_environment(folder, self.environments, python, self._small_lock(python), self.reporter)

    def _small_lock(self, python: str) -> Path:
        """A lock with little but MLflow, made once for each version of it."""
        version = self._answers()
        server = self.tracking.uri.startswith(("http://", "https://", "databricks"))
        package = "mlflow-skinny" if server else "mlflow"  # databases need what the small one leaves out
        for specifier in dict.fromkeys((f"=={version}" if version else ANY_MLFLOW, ANY_MLFLOW)):
            wanted = "".join(f"{line}\n" for line in (f"{package}{specifier}", *self._more))
            name = hashlib.sha256(f"{python}\n{wanted}".encode()).hexdigest()[:16]
            lock = self.work / "mlflow" / f"{name}.lock.txt"
            if lock.is_file():
                return lock
            self.reporter.say(f"resolving {package}{specifier}")
            lock.parent.mkdir(parents=True, exist_ok=True)
            try:
                text = self.environments.compile(wanted, python=python, folder=lock.parent)
            except Unresolvable as error:
                self.reporter.say(f"{package}{specifier} is not to be had: {str(error)[:200]}")
                continue
            write_atomically(lock, text)
            return lock
        raise GeneratorError("no MLflow could be resolved to ask the tracking server with")

    def _answers(self) -> str | None:
        """The version of a server, None where it is not told. Raises GeneratorError where nothing answers."""
        if not self.tracking.uri.startswith(("http://", "https://")):
            return None
        try:
            address = f"{self.tracking.uri.rstrip('/')}/version"
            answer = httpx.get(address, timeout=ANSWERS_WITHIN, verify=ssl.create_default_context())
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            if _is_about_trust(error):  # MLflow has settings of its own for that, and says what it thinks
                return None
            reason = Masking(self.tracking.secrets)(str(error)) or type(error).__name__
            raise GeneratorError(f"the tracking server {self.tracking.shown} does not answer: {reason}") from error
        told = answer.text.strip()
        return told if answer.status_code == 200 and re.fullmatch(r"\d+\.\d+\.\d+", told, re.ASCII) else None


def _is_about_trust(error: BaseException | None) -> bool:
    """Whether TLS is what failed: a certificate that this machine does not know, or one that we must show."""
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error is not None
