"""Runs and registered versions, asked of a tracking server over its REST API.

https://mlflow.org/docs/latest/api_reference/rest-api.html
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

import httpx

from generator.errors import GeneratorError

SECONDS = 10.0
_API = "api/2.0/mlflow"


class MlflowRuns:
    """See ports.Runs. `token` is a bearer token."""

    def __init__(self, address: str, token: str | None = None) -> None:
        self._address, self._token = address.rstrip("/"), token

    def tag(self, run: str, name: str) -> str | None:
        found = self._get("runs/get", {"run_id": run})
        if found is None or found["run"]["info"].get("lifecycle_stage") == "deleted":
            return None
        tags = {tag["key"]: str(tag["value"]) for tag in found["run"]["data"].get("tags", [])}
        return tags.get(name, "")

    def run_of(self, name: str, version: str) -> str | None:
        found = self._get("model-versions/get", {"name": name, "version": version})
        return None if found is None else str(found["model_version"].get("run_id", ""))

    def _get(self, path: str, query: Mapping[str, str]) -> Any:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        try:
            with httpx.Client(verify=ssl.create_default_context(), timeout=SECONDS, headers=headers) as client:
                answer = client.get(f"{self._address}/{_API}/{path}", params=query)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise GeneratorError(f"the tracking server does not answer ({type(error).__name__})") from None
        if answer.status_code in (400, 404) and "RESOURCE_DOES_NOT_EXIST" in answer.text:
            return None
        if answer.status_code in (401, 403):
            raise GeneratorError("the tracking server asks for a login: set MLFLOW_TRACKING_TOKEN")
        if not answer.is_success:
            raise GeneratorError(f"the tracking server answers {answer.status_code}")
        return answer.json()
