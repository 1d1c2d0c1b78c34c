"""From the harness's problem with a source, a kind and facts, to the message that says what to change. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Facts = Mapping[str, Any]
# What an artifact store needs beside MLflow: module -> package.
_PACKAGES = {"boto3": "boto3", "google": "google-cloud-storage", "azure": "azure-storage-blob"}


def missing_package(answer: Facts) -> str | None:
    """The package without which MLflow could not reach the artifacts; None where that is not the problem."""
    error = str((answer.get("problem") or {}).get("error", ""))
    match = re.search(r"No module named '(\w+)", error)
    return _PACKAGES.get(match[1]) if match else None


def message(problem: Facts, where: str) -> str:
    """What the user reads; `where` is the tracking server."""
    answer = _ANSWERS.get(str(problem.get("kind")))
    if answer is None:
        facts = ", ".join(f"{key}: {_line(value)}" for key, value in problem.items() if key != "kind")
        return f"MLflow at {where} could not answer ({problem.get('kind')}; {facts})"
    return answer(problem, where)


def _unknown_run(facts: Facts, where: str) -> str:
    return f"{where} has no run {_line(facts.get('run_id'))}: look its id up there, or name another --tracking-uri"


def _unknown_path(facts: Facts, where: str) -> str:
    run, names = _line(facts.get("run_id")), _names(facts)
    if not names:
        return f"run {run} at {where} has no model: log one with log_model"
    return f"run {run} at {where} has no model {_line(facts.get('path'))!r}; it has: {names}"


def _several_models(facts: Facts, where: str) -> str:
    run = _line(facts.get("run_id"))
    return f"run {run} at {where} has several models: {_names(facts)}. Say which: runs:/{run}/<name>"


def _unknown_model(facts: Facts, where: str) -> str:
    return f"{where} has no registered model {_line(facts.get('name'))!r}; it has: {_names(facts) or 'none'}"


def _unknown_alias(facts: Facts, where: str) -> str:
    name, alias = _line(facts.get("name")), _line(facts.get("alias"))
    return f"the registered model {name!r} at {where} has no alias {alias!r}; it has: {_names(facts) or 'none'}"


def _unknown_version(facts: Facts, where: str) -> str:
    name = _line(facts.get("name"))
    if facts.get("version") is None:
        return f"the registered model {name!r} at {where} has no version that is ready"
    names = _names(facts) or "none"
    return f"the registered model {name!r} at {where} has no version {_line(facts['version'])}; it has: {names}"


def _absent(_: Facts, where: str) -> str:
    return f"there is no tracking store at {where}: name another with --tracking-uri"


def _refused(facts: Facts, where: str) -> str:
    return (
        f"{where} refuses us: {_line(facts.get('error'))}. Set MLFLOW_TRACKING_TOKEN, or "
        "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
    )


def _failed(facts: Facts, where: str) -> str:
    return f"{where} could not be read: {_line(facts.get('error'))}"


def _broken(facts: Facts, where: str) -> str:
    if facts.get("stage") == "files":
        return f"{_line(facts.get('name'))!r} at {where} is no MLflow model: it has no file MLmodel"
    return (
        f"the model {_line(facts.get('name'))!r} at {where} could not be downloaded: {_line(facts.get('error'))}"
    )


def _died(facts: Facts, where: str) -> str:
    lines = "\n".join(f"  {_line(line)}" for line in facts.get("tail") or ())
    return f"MLflow ended while it was asked about {where}: {_line(facts.get('how'))}\n{lines}"


_ANSWERS: dict[str, Callable[[Facts, str], str]] = {
    "unknown-run": _unknown_run,
    "unknown-path": _unknown_path,
    "several-models": _several_models,
    "unknown-model": _unknown_model,
    "unknown-alias": _unknown_alias,
    "unknown-version": _unknown_version,
    "store-absent": _absent,
    "store-refused": _refused,
    "store-failed": _failed,
    "model-broken": _broken,
    "harness-died": _died,
}


def _names(facts: Facts) -> str:
    return ", ".join(_line(name) for name in facts.get("names") or ())


def _line(value: object) -> str:
    return " ".join(str(value).split())[:600]
