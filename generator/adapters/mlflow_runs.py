"""Runs and registered versions, asked of a tracking server over its REST API.

https://mlflow.org/docs/latest/api_reference/rest-api.html
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from generator.errors import GeneratorError

SECONDS = 10.0
_API = "api/2.0/mlflow"


class MlflowRuns:
    """See ports.Runs. `login` is a user's name and password, which goes before `token`, a bearer token."""

    def __init__(self, address: str, token: str | None = None, login: tuple[str, str] | None = None) -> None:
        self._address, self._token, self._login = address.rstrip("/"), token, login

    def tag(self, run: str, name: str) -> str | None:
        def read(found: Any) -> str | None:
            if found["run"]["info"].get("lifecycle_stage") == "deleted":
                return None
            return {tag["key"]: str(tag["value"]) for tag in found["run"]["data"].get("tags", [])}.get(name, "")

        return self._get("runs/get", {"run_id": run}, read)

    def run_of(self, name: str, version: str) -> str | None:
        query = {"name": name, "version": version}
        return self._get("model-versions/get", query, lambda found: str(found["model_version"].get("run_id", "")))

    def _get(self, path: str, query: Mapping[str, str], read: Callable[[Any], str | None]) -> str | None:
        """What `read` finds in the answer; None where the server has no such thing."""
        headers = {"Authorization": f"Bearer {self._token}"} if self._token and not self._login else {}
        verify = ssl.create_default_context()
        try:
            with httpx.Client(verify=verify, timeout=SECONDS, headers=headers, auth=self._login) as client:
                answer = client.get(f"{self._address}/{_API}/{path}", params=query)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise GeneratorError(f"the tracking server does not answer ({type(error).__name__})") from None
        if answer.status_code in (400, 404) and "RESOURCE_DOES_NOT_EXIST" in answer.text:
            return None
        if answer.status_code in (401, 403):
            raise GeneratorError(
                "the tracking server asks for a login: set MLFLOW_TRACKING_TOKEN, or "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
            )
        if not answer.is_success:
            raise GeneratorError(f"the tracking server answers {answer.status_code}")
        try:
            return read(answer.json())
        except (ValueError, LookupError, TypeError, AttributeError):
            raise GeneratorError(
                "the tracking server's answer is not MLflow's: check tracking.uri, and what stands before it"
            ) from None


def runs_of(uri: str | None, secret: str | None, environ: Mapping[str, str]) -> MlflowRuns | None:
    """The server at `uri`, with the login that MLflow's own variables hold; None where that is no server.

    `secret` names the variable, in workflows a GitHub secret, that may hold the token as well.
    """
    if uri is None or not uri.startswith("http"):
        return None
    token = (environ.get(secret) if secret else None) or environ.get("MLFLOW_TRACKING_TOKEN")
    user, password = environ.get("MLFLOW_TRACKING_USERNAME"), environ.get("MLFLOW_TRACKING_PASSWORD")
    return MlflowRuns(uri, token, (user, password) if user and password else None)
