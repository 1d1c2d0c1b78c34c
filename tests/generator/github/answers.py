"""A request that was understood, and what GitHub answers: in its own words where it refuses."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tests.generator.github.description import Operation

PLAN_REVIEWERS = (
    "Failed to create the environment protection rule. "
    "Please ensure the billing plan supports the required reviewers protection rule."
)
PLAN_RULES = "Upgrade to GitHub Pro or make this repository public to enable this feature."


@dataclass(frozen=True)
class Request:
    """A request that was understood."""

    operation: Operation
    path: dict[str, str]
    query: dict[str, str]
    body: Any

    @property
    def method(self) -> str:
        return self.operation.method

    @property
    def address(self) -> str:
        return re.sub(r"\{(\w+)\}", lambda match: quote(self.path[match[1]], safe=""), self.operation.template)


@dataclass(frozen=True)
class Answer:
    """Status, JSON (or text as it is), and headers."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def text(self) -> bytes:
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


def refused(status: int, message: str, **headers: str) -> Answer:
    """An error as GitHub says it. Headers are given with underscores: Retry_After="3"."""
    body = {"message": message, "documentation_url": "https://docs.github.com/rest", "status": str(status)}
    return Answer(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def denied(right: str) -> Answer:
    """A fine-grained or Actions token without the right."""
    return refused(403, "Resource not accessible by integration", X_Accepted_GitHub_Permissions=right)


def not_found() -> Answer:
    return refused(404, "Not Found")


def invalid(message: str) -> Answer:
    return Answer(422, {"message": message, "documentation_url": "https://docs.github.com/rest"})
