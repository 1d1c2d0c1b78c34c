"""Runs of a workflow and their jobs, as far as somebody who waits for one wants to know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from generator.adapters.github.client import Client, segment

_READ = "Actions: read"
_NEWEST = "20"


@dataclass(frozen=True)
class RunFacts:
    """One run. `conclusion` is empty until it is completed."""

    id: int
    ref: str  # the branch or tag that it runs on
    conclusion: str
    started_at: str  # of its latest attempt
    url: str


@dataclass(frozen=True)
class JobFacts:
    """One job of a run's latest attempt; times are empty until they have come."""

    name: str
    status: str  # queued, in_progress, completed, waiting, requested or pending
    conclusion: str
    started_at: str
    completed_at: str
    url: str
    failed_step: str


class Runs:
    """Reads; changes nothing."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def newest(self, workflow: str) -> list[RunFacts]:
        """The newest runs of a workflow, by its file's name; empty where GitHub has none of it."""
        path = f"actions/workflows/{segment(workflow)}/runs"
        found = self._client.get(path, _READ, per_page=_NEWEST) or {"workflow_runs": []}
        return [
            RunFacts(
                id=run["id"],
                ref=run["head_branch"] or "",
                conclusion=run["conclusion"] or "",
                started_at=run.get("run_started_at") or run["created_at"],
                url=run["html_url"],
            )
            for run in found["workflow_runs"]
        ]

    def jobs(self, run: int) -> list[JobFacts]:
        """In no particular order."""
        return [_job(job) for job in self._client.pages(f"actions/runs/{run}/jobs", _READ, key="jobs")]


def _job(job: dict[str, Any]) -> JobFacts:
    failed = (step["name"] for step in job.get("steps") or () if step["conclusion"] == "failure")
    return JobFacts(
        name=job["name"],
        status=job["status"],
        conclusion=job["conclusion"] or "",
        started_at=job["started_at"] or "",
        completed_at=job["completed_at"] or "",
        url=job["html_url"] or "",
        failed_step=next(failed, ""),
    )
