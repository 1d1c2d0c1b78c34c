"""Deployments, which GitHub shows beside a commit and on its environments page: each with a state."""

from __future__ import annotations

from typing import Any, Literal

from generator.adapters.github.client import Client

_WRITE = "Deployments: write"
_TASK = "tagship"
_LONGEST = 140
State = Literal["queued", "in_progress", "success", "failure", "error", "inactive"]


class Deployments:
    """One deployment a ref and environment, and the states that it goes through."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def announce(
        self,
        ref: str,
        environment: str,
        state: State,
        description: str,
        *,
        log_url: str | None = None,
        environment_url: str | None = None,
    ) -> int:
        """Says that the deployment of `ref` (a tag or commit) to `environment` is in `state`; returns its id."""
        number = self._find(ref, environment) or self._create(ref, environment, _short(description))
        body: dict[str, Any] = {"state": state, "description": _short(description)}
        urls = {"log_url": log_url, "environment_url": environment_url}
        body |= {name: url for name, url in urls.items() if url}
        self._client.send("POST", f"deployments/{number}/statuses", _WRITE, body)
        return number

    def _find(self, ref: str, environment: str) -> int | None:
        query = {"ref": ref, "environment": environment, "task": _TASK}
        found = self._client.pages("deployments", "Deployments: read", **query)
        return int(found[0]["id"]) if found else None

    def _create(self, ref: str, environment: str, description: str) -> int:
        """No merge and no checks: what is deployed was decided by the commit that is announced."""
        body = {
            "ref": ref,
            "environment": environment,
            "task": _TASK,
            "description": description,
            "auto_merge": False,
            "required_contexts": [],
        }
        return int(self._client.send("POST", "deployments", _WRITE, body)["id"])


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
