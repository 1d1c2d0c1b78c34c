"""What GitHub's refusals mean, and what to do about each."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import httpx

from generator.errors import GeneratorError

_PLAN = re.compile(
    r"billing plan|upgrade to github|upgrade your plan|not available (?:for|on) (?:this|your) plan", re.I
)


class Refused(GeneratorError):
    """GitHub said no. `status` is the answer's, `said` its own words."""

    def __init__(self, message: str, status: int, said: str = "") -> None:
        self.status, self.said = status, said
        super().__init__(message)


class NotOffered(Refused):
    """The plan of the repository's owner does not have it."""


def refusal(answer: httpx.Response, slug: str, right: str, *, secret: str, now: float) -> Refused:
    """The error for an answer. `right` is the token's right that the call needs; `secret` is left out."""
    status, said = answer.status_code, _said(answer).replace(secret, "***")
    if _PLAN.search(said):
        return NotOffered(f"the plan of {slug}'s owner does not offer this: {said}", status, said)
    if is_limit(answer):
        return Refused(_limit(answer, now), status, said)
    if status == 401:
        text = (
            "GitHub does not accept the token (it may have expired): set GH_TOKEN anew, such as by `gh auth login`"
        )
    elif status == 403 and "saml" in said.lower():
        text = (
            f"the token of {slug} is not authorized for the organization's single sign-on: authorize it on GitHub"
        )
    elif status == 403:
        right = answer.headers.get("x-accepted-github-permissions") or right
        text = f"the token may not do this in {slug}: it needs {right} (GitHub: {said})"
    elif status == 404:
        text = f"GitHub shows no such thing in {slug}: it does not exist, or the token lacks {right}"
    elif status in (301, 302, 307, 308):
        text = (
            f"{slug} has moved on GitHub: correct `repository.url` in model.yaml, and the remote by "
            "`git remote set-url origin URL`"
        )
    elif status >= 500:
        text = f"GitHub has trouble ({status}): run the same command again; https://www.githubstatus.com says more"
    else:
        text = f"GitHub refuses this in {slug} ({status}): {said}"
    return Refused(text, status, said)


def is_limit(answer: httpx.Response) -> bool:
    """Whether the token has asked too often, or too fast: the same call succeeds later."""
    if answer.status_code == 429:
        return True
    headers = answer.headers
    spent = "retry-after" in headers or headers.get("x-ratelimit-remaining") == "0"
    return answer.status_code == 403 and (spent or "rate limit" in answer.text.lower())


def _limit(answer: httpx.Response, now: float) -> str:
    reset, after = answer.headers.get("x-ratelimit-reset", ""), answer.headers.get("retry-after", "")
    when = int(after) + now if after.isdigit() else float(reset) if reset.isdigit() else None
    until = f" until {datetime.fromtimestamp(when, UTC):%H:%M:%S} UTC" if when is not None else " for some minutes"
    return f"GitHub's rate limit for this token is used up{until}: run the same command again then"


def _said(answer: httpx.Response) -> str:
    """GitHub's own words, on one line: its message and those of its errors."""
    try:
        content: Any = answer.json()
    except ValueError:
        content = None
    if not isinstance(content, dict):
        return f"status {answer.status_code}, without a reason"
    errors = content.get("errors")
    parts = [str(content.get("message", ""))]
    for error in errors if isinstance(errors, list) else []:
        if isinstance(error, dict):
            named = " ".join(str(error[key]) for key in ("field", "code") if key in error)
            parts.append(str(error.get("message") or named))
        else:
            parts.append(str(error))
    text = "; ".join(part for part in parts if part)
    return re.sub(r"[\x00-\x1f\x7f-\x9f\s]+", " ", text).strip()[:300] or f"status {answer.status_code}"
