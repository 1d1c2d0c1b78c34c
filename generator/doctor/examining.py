"""Runs the checks, area by area: one that fails never stops the others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from generator.config.workspace import load
from generator.doctor import aws, cluster, files, github, machine, repository, tracking
from generator.doctor.finding import Finding, Findings, Severity, Subject, not_checked
from generator.errors import GeneratorError


@dataclass(frozen=True)
class Area:
    """One part of the world. `online`: it asks others; `models`: it needs a model.yaml that can be read."""

    check: Callable[[Subject], Findings]
    online: bool = False
    models: bool = True


AREAS: Mapping[str, Area] = {
    machine.AREA: Area(machine.check, models=False),
    repository.AREA: Area(repository.check),
    files.MODELS: Area(files.check_models, models=False),
    files.GENERATED: Area(files.check_generated, models=False),
    aws.AREA: Area(aws.check, online=True),
    aws.REGISTRY: Area(aws.check_registry, online=True),
    tracking.AREA: Area(tracking.check, online=True),
    cluster.AREA: Area(cluster.check, online=True),
    github.AREA: Area(github.check, online=True),
}
Report = Mapping[str, tuple[Finding, ...]]  # by area, each of those looked at


def subject_of(root: Path, *, only: str | None = None, offline: bool = False) -> Subject:
    """Raises GeneratorError where `only` names no model."""
    try:
        workspace = load(root)
    except GeneratorError as error:
        return Subject(root, None, error, only, offline)
    if only is not None:
        workspace.model(only)
    return Subject(root, workspace, None, only, offline)


def examine(
    subject: Subject, say: Callable[[str], None], areas: Collection[str] = tuple(AREAS)
) -> dict[str, tuple[Finding, ...]]:
    """Everything found in `areas`. Changes nothing."""
    report = {}
    for name, area in AREAS.items():
        if name in areas:
            say(f"looking at {name}")
            report[name] = tuple(dict.fromkeys(_found(name, area, subject)))  # models share some of it
    return report


def _found(name: str, area: Area, subject: Subject) -> Findings:
    if area.online and subject.offline:
        yield not_checked(name, "this area asks others: run it without --offline")
        return
    if area.models and subject.workspace is None:
        yield not_checked(name, "model.yaml cannot be read: correct it first")
        return
    try:
        yield from area.check(subject)
    except (GeneratorError, OSError) as error:
        yield not_checked(name, str(error))


def has_errors(report: Report) -> bool:
    return any(item.severity is Severity.ERROR for found in report.values() for item in found)
