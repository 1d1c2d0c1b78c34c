"""kubectl: reads single objects of the cluster that the current context means. Changes nothing."""

from __future__ import annotations

import json
import shutil
from typing import Any

from generator.adapters.shell import ProcessFailed, run
from generator.errors import GeneratorError

SECONDS = 10


class Kubectl:
    """The cluster of the current context."""

    def context(self) -> str:
        """Raises GeneratorError where there is no kubectl, or no context."""
        if shutil.which("kubectl") is None:
            raise GeneratorError("kubectl is not installed: install it to have the cluster looked at")
        try:
            return run("kubectl", "config", "current-context", timeout=SECONDS).strip()
        except ProcessFailed as error:
            reason = (error.stderr.strip().splitlines() or [str(error.code)])[-1].removeprefix("error: ")[:200]
            raise GeneratorError(
                f"kubectl has no cluster to ask ({reason}): set KUBECONFIG, or run "
                "`kubectl config use-context NAME`"
            ) from error

    def get(self, path: str) -> Any:
        """The object at a path of the API; None where there is none. Raises GeneratorError with the reason."""
        try:
            return json.loads(
                run("kubectl", "get", "--raw", path, f"--request-timeout={SECONDS}s", timeout=2 * SECONDS)
            )
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
