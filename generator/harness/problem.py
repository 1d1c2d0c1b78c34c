"""What went wrong, as a kind and facts, and what of it may be shown: never a secret."""

import os
import re
import traceback
from typing import Any

_SECRET_NAME = re.compile(r"TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|PRIVATE|API_?KEY|ACCESS_?KEY", re.I)
_USER_INFO = re.compile(r"(?<=://)[^/@\s'\"]+@")
_SHORTEST_SECRET = 6


class Problem(Exception):
    """An answer that is no success: a kind that the command knows, and facts for its message."""

    def __init__(self, kind: str, **facts: Any) -> None:
        super().__init__(kind)
        self.kind = kind
        self.facts = facts

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind, **masked(self.facts)}


def from_bug(error: BaseException) -> Problem:
    """An exception that nobody expected, with the end of its traceback."""
    lines = "".join(traceback.format_exception(type(error), error, error.__traceback__)).splitlines()
    return Problem("harness-error", error=said(error), traceback=lines[-20:])


def said(error: BaseException) -> str:
    """The exception in one bounded line, with its class where the message alone says little."""
    text = " ".join(str(error).split())
    return masked_text(f"{type(error).__name__}: {text}" if text else type(error).__name__)[:2000]


def masked(value: Any) -> Any:
    """`value` with user names, passwords and secrets of the environment taken out of its texts."""
    if isinstance(value, str):
        return masked_text(value)
    if isinstance(value, dict):
        return {masked(key): masked(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(item) for item in value]
    return value


def masked_text(text: str) -> str:
    text = _USER_INFO.sub("***@", text)
    for name, secret in os.environ.items():
        if len(secret) >= _SHORTEST_SECRET and _SECRET_NAME.search(name):
            text = text.replace(secret, "***")
    return text
