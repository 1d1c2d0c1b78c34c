"""How this very command was installed: where workflows can get the same one."""

from __future__ import annotations

import json
import re
from importlib.metadata import PackageNotFoundError, distribution


def installed_from() -> str | None:
    """`git+https://…@<commit>`, where pip or uv installed it so; else None.

    Read from direct_url.json (PEP 610).
    """
    try:
        text = distribution("tagship").read_text("direct_url.json")
        facts = json.loads(text or "{}")
    except (PackageNotFoundError, ValueError):
        return None
    commit = (facts.get("vcs_info") or {}).get("commit_id", "")
    url = str(facts.get("url", "")).removesuffix(".git")
    plain = re.fullmatch(r"https://[A-Za-z0-9.-]+(:\d+)?(/[A-Za-z0-9._~-]+)+", url)
    return f"git+{url}@{commit}" if plain and re.fullmatch(r"[0-9a-f]{40}", commit) else None
