"""GitHub releases: one a tag, with notes."""

from __future__ import annotations

from typing import Any

from generator.adapters.github.client import Client, segment
from generator.adapters.github.refusals import Refused

_WRITE = "Contents: write"


class Releases:
    """Reads and writes releases."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def publish(self, tag: str, *, title: str, notes: str, prerelease: bool = False) -> str:
        """Makes the release of a tag that exists, or brings it up to date; returns its address for people."""
        wanted = {"name": title, "body": notes, "prerelease": prerelease}
        found = self._by_tag(tag)
        if found is None:
            try:
                made = self._client.send("POST", "releases", _WRITE, {"tag_name": tag, **wanted})
                return str(made["html_url"])
            except Refused as error:
                found = self._by_tag(tag) if error.status == 422 else None  # another run was faster
                if found is None:
                    raise
        if any(found.get(key) != value for key, value in wanted.items()):
            self._client.send("PATCH", f"releases/{found['id']}", _WRITE, wanted)
        return str(found["html_url"])

    def _by_tag(self, tag: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self._client.get(f"releases/tags/{segment(tag)}", "Contents: read")
        return found
