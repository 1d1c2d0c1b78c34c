"""The actions that generated workflows use, pinned by commit; and Dependabot's newer pins, which are kept."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Pin:
    """One action at one commit; `tag` is the release that this commit is."""

    action: str  # owner/name
    sha: str
    tag: str

    @property
    def uses(self) -> str:
        """What stands after `uses:`."""
        return f"{self.action}@{self.sha} # {self.tag}"


CHECKOUT = Pin("actions/checkout", "3d3c42e5aac5ba805825da76410c181273ba90b1", "v7.0.1")
UPLOAD = Pin("actions/upload-artifact", "bbbca2ddaa5d8feaa63e36b76fdaad77386f024f", "v7.0.0")
DOWNLOAD = Pin("actions/download-artifact", "3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c", "v8.0.1")
SETUP_UV = Pin("astral-sh/setup-uv", "20cfd1bf945f4377ade1205e4dbc17946fc9a30d", "v10.0.1")
AWS_CREDENTIALS = Pin(
    "aws-actions/configure-aws-credentials", "e6de054238d6b7531b4efff3b6587d9aade6a06c", "v6.2.3"
)
APP_TOKEN = Pin("actions/create-github-app-token", "1b10c78c7865c340bc4f6099eb2f838309f1e8c3", "v3.1.1")

PINS: dict[str, Pin] = {
    pin.action: pin for pin in (CHECKOUT, UPLOAD, DOWNLOAD, SETUP_UV, AWS_CREDENTIALS, APP_TOKEN)
}


def uses() -> dict[str, str]:
    """What stands after `uses:`, by the names that templates know."""
    named = {
        "checkout": CHECKOUT,
        "upload": UPLOAD,
        "download": DOWNLOAD,
        "setup_uv": SETUP_UV,
        "aws": AWS_CREDENTIALS,
        "app_token": APP_TOKEN,
    }
    return {name: pin.uses for name, pin in named.items()}


# The uv that runners get: the one in templates/github/tagship.lock.
UV_VERSION = "0.13.8"

_USES = re.compile(
    r"^(?P<lead>[ ]*(?:-[ ]+)?uses:[ ]+)(?P<action>[\w.-]+/[\w./-]+)@(?P<sha>[0-9a-f]{40})[ ]+#[ ]+"
    r"(?P<tag>v?\d{1,9}(?:\.\d{1,9}){0,3})[ ]*$",
    re.ASCII | re.MULTILINE,
)


def keep_newer_pins(planned_text: str, existing_text: str) -> str:
    """`planned_text` with each action that `existing_text` has in a newer version pinned as it is there.

    Only a full commit with its version as a comment counts: the form that Dependabot writes. A different
    commit under the planned version's own name is a false comment, and is not kept. Where the existing
    text pins one action several times, its newest version goes everywhere.
    """
    newest: dict[str, re.Match[str]] = {}
    for found in _USES.finditer(existing_text):
        best = newest.get(found["action"])
        if best is None or _numbers(found["tag"]) > _numbers(best["tag"]):
            newest[found["action"]] = found

    def line(planned: re.Match[str]) -> str:
        pin = newest.get(planned["action"], planned)
        if _numbers(pin["tag"]) <= _numbers(planned["tag"]):
            pin = planned
        return f"{planned['lead']}{pin['action']}@{pin['sha']} # {pin['tag']}"

    return _USES.sub(line, planned_text)


def _numbers(tag: str) -> tuple[int, ...]:
    numbers = [int(number) for number in tag.removeprefix("v").split(".")]
    return tuple(numbers + [0] * (4 - len(numbers)))
