"""Our own rules for workflows, which no linter knows: a function from a text to what breaks them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from generator.plan.pins import PINS
from generator.yamlio import parse

_USES = re.compile(r"^\s*(?:- )?uses:\s*(?P<rest>.*)$", re.MULTILINE)
_PINNED = re.compile(r"(?P<action>[\w./-]+)@(?P<sha>[0-9a-f]{40}) # (?P<tag>v\d+\.\d+\.\d+)")
_RIGHT = re.compile(r"^\s+[a-z-]+: (?:read|write)$", re.MULTILINE)


def broken(file: Path) -> list[str]:
    """What is wrong in the workflow at `file`."""
    text = file.read_text(encoding="utf-8")
    workflow = parse(text, file.name).data
    found = [*_pins(text), *_rights(text), *_top(workflow)]
    for name, job in workflow["jobs"].items():
        found += [f"job {name}: {problem}" for problem in _job(job)]
    return [f"{file.name}: {problem}" for problem in found]


def _pins(text: str) -> Iterator[str]:
    for line in _USES.finditer(text):
        match = _PINNED.fullmatch(line["rest"])
        if match is None:
            yield f"`{line['rest']}` is not pinned by a full commit with its version as a comment"
        elif (pin := PINS.get(match["action"])) is None:
            yield f"{match['action']} is not among our pins"
        elif match["tag"] == pin.tag and match["sha"] != pin.sha:
            yield f"{match['action']} {match['tag']} is {pin.sha}, not {match['sha']}"


def _rights(text: str) -> Iterator[str]:
    for line in _RIGHT.finditer(text):
        yield f"`{line[0].strip()}` does not say why, in a comment"


def _top(workflow: dict[str, Any]) -> Iterator[str]:
    if workflow.get("permissions") != {}:
        yield "permissions at the top must be {}"
    if "concurrency" not in workflow:
        yield "no concurrency group"
    for name in ("pull_request_target", "workflow_run"):
        if name in workflow["on"]:
            yield f"{name} runs strangers' code with our rights"


def _job(job: dict[str, Any]) -> Iterator[str]:
    if not isinstance(job.get("timeout-minutes"), int):
        yield "no timeout-minutes"
    if "permissions" not in job:
        yield "no permissions"
    if str(job["runs-on"]).endswith("-latest"):
        yield f"{job['runs-on']} changes under our feet"
    if "secrets." in str(job) and "environment" not in job:
        yield "gets secrets without an environment"
    for step in job["steps"]:
        yield from _step(step)


def _step(step: dict[str, Any]) -> Iterator[str]:
    name, with_ = step.get("name", step), step.get("with", {})
    action = step.get("uses", "").partition("@")[0]
    if "${{" in step.get("run", ""):
        yield f"step {name!r}: an expression inside `run:`"
    if action == "actions/checkout" and with_.get("persist-credentials") is not False:
        yield f"step {name!r}: leaves its token in .git"
    if action == "astral-sh/setup-uv" and with_.get("enable-cache") is not False:
        yield f"step {name!r}: uses a cache"
    if action == "actions/upload-artifact" and not {"name", "retention-days", "overwrite"} <= with_.keys():
        yield f"step {name!r}: needs name, retention-days and overwrite"
