"""Rulesets of the repository: what nobody may do to a branch or tag, and who may all the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from generator.adapters.github.client import Client, segment

_READ = "Metadata: read"
_WRITE = "Administration: write"
Actor = tuple[str, int | None]  # GitHub's actor_type and actor_id


@dataclass(frozen=True)
class Ruleset:
    """A ruleset. `rules` are as GitHub has them: there are more kinds than are known here, and all are kept."""

    name: str
    target: str  # branch or tag
    enforcement: str  # active, evaluate or disabled
    include: tuple[str, ...]  # refs with wildcards
    exclude: tuple[str, ...]
    rules: tuple[dict[str, Any], ...]
    bypass: tuple[dict[str, Any], ...] | None  # None: the token may not see who, and so they stay as they are
    id: int | None = None

    def body(self) -> dict[str, Any]:
        """As GitHub takes it."""
        made: dict[str, Any] = {
            "name": self.name,
            "target": self.target,
            "enforcement": self.enforcement,
            "conditions": {"ref_name": {"include": list(self.include), "exclude": list(self.exclude)}},
            "rules": list(self.rules),
        }
        return made if self.bypass is None else {**made, "bypass_actors": list(self.bypass)}


class Rulesets:
    """Reads and writes the repository's own rulesets; its organization's are none of ours."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def find(self, name: str) -> Ruleset | None:
        """The repository's own ruleset of that name."""
        for item in self._client.pages("rulesets", _READ, includes_parents="false"):
            if item["name"] == name:
                return _read(self._client.get(f"rulesets/{item['id']}", _READ))
        return None

    def put(self, ruleset: Ruleset) -> None:
        """Makes the ruleset, or changes the one with its id."""
        if ruleset.id is None:
            self._client.send("POST", "rulesets", _WRITE, ruleset.body())
        else:
            self._client.send("PUT", f"rulesets/{ruleset.id}", _WRITE, ruleset.body())

    def on_branch(self, branch: str) -> list[dict[str, Any]]:
        """Every active rule on a branch, whoever made it."""
        return self._client.pages(f"rules/branches/{segment(branch)}", _READ)


def _read(found: dict[str, Any]) -> Ruleset:
    refs = (found.get("conditions") or {}).get("ref_name") or {}
    bypass = found.get("bypass_actors")
    return Ruleset(
        name=found["name"],
        target=found.get("target", "branch"),
        enforcement=found["enforcement"],
        include=tuple(refs.get("include", ())),
        exclude=tuple(refs.get("exclude", ())),
        rules=tuple(found.get("rules", ())),
        bypass=None if bypass is None else tuple(bypass),
        id=found["id"],
    )
