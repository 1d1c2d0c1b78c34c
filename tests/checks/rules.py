"""Our own rules for workflows, which no linter knows: a function from a text to what breaks them.

What differs from job to job is in the table of `allowed`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from generator.plan.pins import PINS
from generator.plan.workflows import RUNNER
from tests.checks.allowed import FROM_HASHES, INPUTS, KEYS, SOURCE, WANTED_BY, Allowed, Kind, kind_of

_USES = re.compile(r"^\s*(?:- )?uses:\s*(?P<rest>.*)$", re.MULTILINE)
_PINNED = re.compile(r"(?P<action>[\w./-]+)@(?P<sha>[0-9a-f]{40}) # (?P<tag>v\d+\.\d+\.\d+)")
_RIGHT = re.compile(r"^\s+[a-z-]+: (?:read|write)$", re.MULTILINE)
_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}")
_SECRET = re.compile(r"\bsecrets\b(?:\.(\w+))?")
_OUTCOME = re.compile(r"\b(?:always|failure|cancelled)\(\)")
_QUOTED = re.compile(r"""'[^']*'|"[^"]*"|\$\{[A-Z_]+:\+""")  # `${NAME:+…}` is what stands in it, or nothing


def broken(file: Path) -> list[str]:
    """What is wrong in the workflow at `file`."""
    text = file.read_text(encoding="utf-8")
    workflow = workflow_of(text)
    kind = kind_of(file.name)
    if kind is None:
        return [f"{file.name}: tests/checks/allowed.py has no row for such a workflow"]
    found = [*_pins(text), *_rights(text), *_top(workflow, kind)]
    for name, job in workflow["jobs"].items():
        row = kind.row(str(name))
        problems = (
            [*_job(job), *_allowed(job, row, workflow["jobs"])] if row else ["no row in tests/checks/allowed.py"]
        )
        problems += [problem for step in job["steps"] for problem in _step(step, kind)]
        found += [f"job {name}: {problem}" for problem in problems]
    return [f"{file.name}: {problem}" for problem in found]


def workflow_of(text: str) -> dict[str, Any]:
    """Ten times as fast as `generator.yamlio`, whose strictness the linters have, too."""
    workflow = yaml.load(text, Loader=yaml.CSafeLoader)
    return {"on" if key is True else key: value for key, value in workflow.items()}


def _pins(text: str) -> Iterator[str]:
    for line in _USES.finditer(text):
        match = _PINNED.fullmatch(line["rest"])
        if match is None:
            yield f"`{line['rest']}` is not pinned by a full commit with its version as a comment"
        elif (pin := PINS.get(match["action"])) is None:
            yield f"{match['action']} is not among our pins"
        elif (match["tag"] == pin.tag) != (match["sha"] == pin.sha):
            yield f"{match['action']} {pin.tag} is {pin.sha}, not {match['tag']} {match['sha']}"
        elif _numbers(match["tag"]) < _numbers(pin.tag):
            yield f"{match['action']} {match['tag']} is older than {pin.tag}"


def _numbers(tag: str) -> list[int]:
    return [int(number) for number in tag.removeprefix("v").split(".")]


def _rights(text: str) -> Iterator[str]:
    for line in _RIGHT.finditer(text):
        yield f"`{line[0].strip()}` does not say why, in a comment"


def _top(workflow: dict[str, Any], kind: Kind) -> Iterator[str]:
    if workflow.get("permissions") != {}:
        yield "permissions at the top must be {}"
    if "concurrency" not in workflow:
        yield "no concurrency group"
    elif workflow["concurrency"].get("cancel-in-progress") is not kind.newest_only:
        yield f"a run may {'not ' if not kind.newest_only else ''}be ended by a newer one"
    for name in set(workflow["on"]) - kind.events:
        yield f"{name} may run strangers' code with our rights"
    if "branches" in str(workflow["on"].get("push")) and not (kind.branch or "pull_request" in kind.events):
        yield "a branch starts it"
    if kind.branch and "*" in str((workflow["on"].get("push") or {}).get("branches", "*")):
        yield "any branch starts it, those that it pushes to, too"
    if "env" in workflow or "defaults" in workflow:
        yield "what holds for all jobs is out of sight of each"


def _job(job: dict[str, Any]) -> Iterator[str]:
    if not isinstance(job.get("timeout-minutes"), int):
        yield "no timeout-minutes"
    if not isinstance(job.get("permissions"), dict):
        yield "no permissions, each with its name"
    if str(job["runs-on"]).endswith("-latest"):
        yield f"{job['runs-on']} changes under our feet"
    if "secrets." in str(job) and "environment" not in job:
        yield "gets secrets without an environment"
    if "continue-on-error" in str(job):
        yield "goes on after an error"


def _allowed(job: dict[str, Any], row: Allowed, jobs: dict[str, Any]) -> Iterator[str]:
    given = job.get("permissions")
    rights = [f"{scope}: {access}" for scope, access in given.items()] if isinstance(given, dict) else []
    expressions = " ".join(_EXPRESSION.findall(str(job)))
    secrets = {found[1] or "all" for found in _SECRET.finditer(expressions)}
    token = "github.token" in expressions or "GITHUB_TOKEN" in secrets
    for right in rights:
        if right not in row.rights:
            yield f"may not have `{right}`"
        elif WANTED_BY.get(right, "") not in str(job):
            yield f"has `{right}` and no step that needs it"
        elif right == "contents: write" and any(re.fullmatch(KEYS, secret) for secret in secrets):
            yield f"pushes with a key, and has `{right}`"
    for secret in sorted(secrets):
        if not re.fullmatch(row.secrets or "", secret) or secret == "all":
            yield f"may not read secret {secret}"
        elif row.shared_with and f"secrets.{secret} " not in str(jobs.get(row.shared_with)):
            yield f"reads secret {secret}, which {row.shared_with} does not"
    variables = [
        name for step in job["steps"] for name, value in step.get("env", {}).items() if "secrets" in value
    ]
    for name in variables if row.secrets_as else ():
        if name != row.secrets_as:
            yield f"gets a secret as {name}"
    if token and not (row.token and (job.get("environment") or not row.only_there)):
        yield "may not read its token"
    needs_one = row.always_there or secrets or "id-token: write" in rights
    named = str(job.get("environment", ""))
    if (needs_one or named) and not re.fullmatch(row.environment or "", named):
        yield f"environment {named or 'none'} is not {row.environment or 'none'}"
    yield from _order(job, row, jobs)


def _order(job: dict[str, Any], row: Allowed, jobs: dict[str, Any]) -> Iterator[str]:
    if row.after in jobs and row.after not in str(job.get("needs", "")):
        yield f"does not wait for {row.after}"
    if row.any_outcome and "needs" not in job:
        yield "waits for no job, whatever its outcome"
    if row.condition and job.get("if") != row.condition:
        yield f"has not the condition {row.condition}"
    if _OUTCOME.search(str(job.get("if", ""))) and not row.any_outcome:
        yield "runs although a job before it failed"
    if row.queues and job.get("concurrency", {}).get("cancel-in-progress") is not False:
        yield "does not wait for others of its kind"
    if job["runs-on"] not in RUNNER.values() and not row.any_runner:
        yield f"runs on {job['runs-on']}"


def _step(step: dict[str, Any], kind: Kind) -> Iterator[str]:
    name, with_, run = step.get("name", step), step.get("with", {}), step.get("run", "")
    action = step.get("uses", "").partition("@")[0]
    if "${{" in run:
        yield f"step {name!r}: an expression inside `run:`"
    if "$" in _QUOTED.sub("", run):
        yield f"step {name!r}: a variable without quotes"
    for line in run.splitlines():
        if "pip install" in line and not any(set(options) <= set(line.split()) for options in FROM_HASHES):
            yield f"step {name!r}: installs what no hash pins"
    if "pip install" in run and "UV_NO_CONFIG" not in step.get("env", {}):
        yield f"step {name!r}: installs from where this repository's settings say"
    if "INSTALL" in step.get("env", {}) and not SOURCE.fullmatch(step["env"]["INSTALL"]):
        yield f"step {name!r}: installs a command that may change"
    if "generator stage" in run and "if" in step:
        yield f"step {name!r}: a stage has no condition"
    wanted, why = INPUTS.get(action, ({}, ""))
    if any(key not in with_ or value not in (None, with_[key]) for key, value in wanted.items()):
        yield f"step {name!r}: {why}"
    if action == "actions/create-github-app-token":
        asked = {
            f"{key.removeprefix('permission-')}: {with_[key]}" for key in with_ if key.startswith("permission-")
        }
        if not asked or not asked <= set(kind.app):
            yield f"step {name!r}: asks the App for {', '.join(sorted(asked)) or 'every right'}"
        if ("owner" in with_) != ("repositories" in with_) or re.search(r"[\s,]", with_.get("repositories", "")):
            yield f"step {name!r}: asks the App for more than one repository"
