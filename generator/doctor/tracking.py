"""The tracking server: whether it answers, fits the MLflow that the lock names, and shares our time."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from generator.adapters import mlflow_server
from generator.config.model import Model
from generator.doctor.finding import Finding, Findings, Severity, Subject, not_checked, of_error
from generator.errors import GeneratorError

AREA = "tracking server"
MOST_SKEW = 60  # seconds; AWS refuses signatures beyond 300


def check(subject: Subject) -> Findings:
    told: set[str] = set()
    for model in subject.models:
        uri = model.config.tracking.uri
        if uri is None:
            reason = "no server is named, so runs end with the release job: set tracking.uri to keep them"
            yield not_checked(AREA, reason, model.shown)
            continue
        try:
            answer = mlflow_server.ask(uri)
        except GeneratorError as error:
            yield of_error(AREA, error, uri)
            continue
        yield from _version(model, answer, subject.root)
        if answer.time is not None and uri not in told:
            yield from _clock(answer.time, uri)
        told.add(uri)


def _version(model: Model, answer: mlflow_server.Answer, root: Path) -> Findings:
    uri = str(model.config.tracking.uri)
    if answer.asks_login and model.config.tracking.secret is None:
        fix = "name the GitHub secret with its token in tracking.secret"
        yield Finding(AREA, Severity.WARNING, "it asks for a login, and the training has none", uri, fix)
    ours = _locked(root / model.lock_file)
    if answer.version is None or ours is None:
        missing = "the server does not tell its version" if ours else f"{model.lock_file} names no mlflow"
        yield not_checked(
            AREA, f"whether versions fit, {missing}: run `generator lock`, or look at the server", uri
        )
    elif int(answer.version.split(".")[0]) < int(ours.split(".")[0]):
        what = (
            f"the server is MLflow {answer.version}, the training's MLflow {ours}: it calls what the server lacks"
        )
        fix = f"update the server, or require mlflow<{ours.split('.')[0]} and run `generator lock`"
        yield Finding(AREA, Severity.ERROR, what, uri, fix)


def _locked(path: Path) -> str | None:
    """The version of MLflow that a lock names."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    found = re.search(r"^mlflow(?:-skinny)?==(\d[\w.]*)", text, re.MULTILINE)
    return found[1] if found else None


def _clock(theirs: datetime, uri: str) -> Findings:
    skew = abs((datetime.now(UTC) - theirs).total_seconds())
    if skew > MOST_SKEW:
        what = f"this machine's clock and the server's differ by {skew:.0f} s: AWS refuses what is signed so"
        fix = "switch time synchronisation on (`timedatectl set-ntp true`)"
        yield Finding(AREA, Severity.WARNING, what, uri, fix)
