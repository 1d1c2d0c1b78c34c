"""How this very command was installed: where workflows can get the same one."""

from __future__ import annotations

import json
import re

from generator.config.workspace import Workspace
from generator.errors import GeneratorError, InvalidInput, Problem


def installed_from() -> str | None:
    """`git+https://…@<commit>`, where pip or uv installed it so; else None.

    Read from direct_url.json (PEP 610).
    """
    from importlib.metadata import PackageNotFoundError, distribution  # slow to import, and seldom needed

    try:
        text = distribution("tagship").read_text("direct_url.json")
        facts = json.loads(text or "{}")
    except (PackageNotFoundError, ValueError):
        return None
    commit = (facts.get("vcs_info") or {}).get("commit_id", "")
    url = str(facts.get("url", "")).removesuffix(".git")
    plain = re.fullmatch(r"https://[A-Za-z0-9.-]+(:\d+)?(/[A-Za-z0-9._~-]+)+", url)
    return f"git+{url}@{commit}" if plain and re.fullmatch(r"[0-9a-f]{40}", commit) else None


def install_source(workspace: Workspace) -> str:
    """Where workflows install this command from: pipeline.install, else where it was installed from here."""
    given = {model.config.pipeline.install for model in workspace}
    if len(given) > 1:
        raise GeneratorError("the models name different pipeline.install: put one into tagship.yaml")
    source = given.pop() or installed_from()
    if source is None:
        first = workspace.models[0].shown if len(workspace.models) == 1 else "tagship.yaml"
        message = (
            "pipeline.install is missing, and this command was not installed from Git: say where workflows "
            "get it, "
            'pipeline: {install: "git+https://github.com/<owner>/tagship@<40 hex digits of a commit>"}'
        )
        raise InvalidInput([Problem(first, 0, 0, message)])
    return source
