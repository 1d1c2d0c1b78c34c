"""Pull requests, and the one comment of ours that is kept up to date."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from generator.adapters.github.client import Client, segment
from generator.adapters.github.refusals import Refused

_WRITE = "Pull requests: write"
_READ = "Pull requests: read"
LONGEST = 65_536
BOT = "github-actions[bot]"
_CUT = "\n\n… the rest does not fit into a comment; the job summary has it all.\n"


@dataclass(frozen=True)
class Pull:
    """A pull request."""

    number: int
    title: str
    body: str
    url: str  # for people


class Pulls:
    """Reads and writes pull requests of the repository."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def open_from(self, head: str) -> Pull | None:
        """The open pull request from the repository's own branch `head`."""
        owner = self._client.slug.partition("/")[0]
        found = self._client.pages("pulls", _READ, state="open", head=f"{owner}:{head}")
        return _pull(found[0]) if found else None

    def create(self, *, title: str, head: str, base: str, body: str) -> Pull:
        """Opens one; the one that is open already where somebody else was faster."""
        asked = {"title": title, "head": head, "base": base, "body": _fitting(body)}
        try:
            return _pull(self._client.send("POST", "pulls", _WRITE, asked))
        except Refused as error:
            if error.status == 422 and "already exists" in error.said and (there := self.open_from(head)):
                return there
            raise

    def update(self, number: int, *, title: str, body: str) -> Pull:
        asked = {"title": title, "body": _fitting(body)}
        return _pull(self._client.send("PATCH", f"pulls/{number}", _WRITE, asked))

    def close(self, number: int) -> None:
        self._client.send("PATCH", f"pulls/{number}", _WRITE, {"state": "closed"})

    def comment(self, number: int, marker: str, body: str, *, author: str = BOT) -> None:
        """Makes `body` the one comment by `author` that begins with the hidden `marker`, a word or two.

        A comment by anybody else is left alone, whatever it begins with.
        """
        head = f"<!-- {marker} -->\n"
        text = _fitting(head + body)
        path = f"issues/{segment(str(number))}/comments"
        found = [
            item
            for item in self._client.pages(path, _READ)
            if (item.get("body") or "").replace("\r\n", "\n").startswith(head)
            and (item.get("user") or {}).get("login") == author
        ]
        if not found:
            self._client.send("POST", path, _WRITE, {"body": text})
        elif found[0]["body"].replace("\r\n", "\n").rstrip() != text.rstrip():
            self._client.send("PATCH", f"issues/comments/{found[0]['id']}", _WRITE, {"body": text})
        for extra in found[1:]:  # of two runs at once, each may have made one
            self._client.send("DELETE", f"issues/comments/{extra['id']}", _WRITE)


def _pull(found: dict[str, Any]) -> Pull:
    return Pull(found["number"], found["title"], found.get("body") or "", found["html_url"])


def _fitting(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - len(_CUT)] + _CUT
