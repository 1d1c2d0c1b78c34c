"""kubectl: reads single objects of the cluster that the current context means. Changes nothing."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generator.adapters.shell import MissingProgram, ProcessFailed, run
from generator.errors import GeneratorError
from generator.plan.credentials import KUBECONFIG

SECONDS = 10


@contextmanager
def cluster_from(variables: Mapping[str, str]) -> Iterator[Kubectl]:
    """The cluster of the kubeconfig in TAGSHIP_KUBECONFIG, which goes to kubectl alone; else kubectl's own."""
    text = variables.get(KUBECONFIG)
    if text is None:
        yield Kubectl()
        return
    if not text.strip():
        # So GitHub gives a secret that is not there; another cluster must not be looked at instead.
        raise GeneratorError(
            f"{KUBECONFIG} is empty: set the secret that deploy.observe names, in the environment tagship-observe"
        )
    with tempfile.TemporaryDirectory(prefix="tagship-kubeconfig-") as folder:
        path = Path(folder, "config")
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
        yield Kubectl(path)


@dataclass(frozen=True)
class Kubectl:
    """The cluster of the current context, or of the one called `name`; of `kubeconfig`, where it is given."""

    kubeconfig: Path | None = None
    name: str | None = None

    def _run(self, *argv: str, timeout: float = SECONDS) -> str:
        env = {"KUBECONFIG": str(self.kubeconfig)} if self.kubeconfig else None
        return run("kubectl", *argv, env=env, timeout=timeout)

    def contexts(self) -> list[str]:
        """What kubectl has a name for; empty where it has none."""
        try:
            return self._run("config", "get-contexts", "--output=name").split()
        except (ProcessFailed, MissingProgram):
            return []

    def context(self) -> str:
        """Raises GeneratorError where there is no kubectl, or no context."""
        if self.name is not None:
            return self.name
        if shutil.which("kubectl") is None:
            raise GeneratorError("kubectl is not installed: install it to have the cluster looked at")
        try:
            return self._run("config", "current-context").strip()
        except ProcessFailed as error:
            reason = (error.stderr.strip().splitlines() or [str(error.code)])[-1].removeprefix("error: ")[:200]
            advice = "set KUBECONFIG, or run `kubectl config use-context NAME`"
            if self.kubeconfig:
                advice = f"{KUBECONFIG} must hold a kubeconfig whose current-context is set"
            raise GeneratorError(f"kubectl has no cluster to ask ({reason}): {advice}") from error

    def get(self, path: str) -> Any:
        """The object at a path of the API; None where there is none. Raises GeneratorError with the reason."""
        argv = ["get", "--raw", path, f"--request-timeout={SECONDS}s"]
        argv += [f"--context={self.name}"] if self.name else []
        try:
            return json.loads(self._run(*argv, timeout=2 * SECONDS))
        except ValueError as error:
            raise GeneratorError("the cluster answers something that is no JSON: check KUBECONFIG") from error
        except ProcessFailed as error:
            if "(NotFound)" in error.stderr:
                return None
            reason = (error.stderr.strip().splitlines() or [str(error.code)])[-1]
            if "(Forbidden)" in reason or "(Unauthorized)" in reason:
                raise GeneratorError(
                    f"the cluster does not show it ({reason[:200]}): log in as somebody who may `get` it"
                ) from error
            raise GeneratorError(
                f"the cluster does not answer ({reason[:200]}): check KUBECONFIG and the network"
            ) from error
