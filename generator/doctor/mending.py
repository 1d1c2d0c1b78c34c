"""`doctor --fix`: what is safe. It changes files of this working tree alone, and undoes nobody's work."""

from __future__ import annotations

import os
from collections.abc import Callable

from generator.adapters.uv import Uv
from generator.disk import write_atomically
from generator.doctor import files, repository
from generator.doctor.examining import Report
from generator.doctor.finding import Fix, Subject
from generator.errors import GeneratorError
from generator.files import apply
from generator.ports import Environments
from generator.training.lock import lock_problems, lock_text

AFTERWARDS = (repository.AREA, files.MODELS, files.GENERATED)  # what mending may change


def mend(
    subject: Subject, report: Report, say: Callable[[str], None], environments: Environments | None = None
) -> bool:
    """Does what the findings allow; whether anything was done. What cannot be done is said, and stays."""
    asked = {item.fixable for found in report.values() for item in found}
    ways: dict[Fix, Callable[[], None]] = {
        Fix.LOCK: lambda: _lock(subject, say, environments or Uv()),
        Fix.GENERATE: lambda: _generate(subject, say),
        Fix.IGNORE: lambda: _ignore(subject, say),
    }
    done = False
    for fix, way in ways.items():
        if fix in asked:
            try:
                way()
                done = True
            except GeneratorError as error:
                say(f"not fixed, {fix}: {error}")
    return done


def _lock(subject: Subject, say: Callable[[str], None], environments: Environments) -> None:
    for model in subject.models:
        if lock_problems(model, subject.root):
            text = lock_text(model, subject.root, environments, os.environ)
            write_atomically(subject.root / model.lock_file, text)
            say(f"wrote {model.lock_file}: look at it and commit it")


def _generate(subject: Subject, say: Callable[[str], None]) -> None:
    comparison = files.compared(subject)
    if comparison is None or not files.safe(comparison):
        raise GeneratorError("it would undo work: run `generator generate --diff`")
    apply(subject.root, comparison)
    names = ", ".join(change.path for change in comparison.changes) or ".tagship.lock"
    say(f"generated {names}: look at it and commit it")


def _ignore(subject: Subject, say: Callable[[str], None]) -> None:
    path = subject.root / ".gitignore"
    before = path.read_text(encoding="utf-8") if path.is_file() else ""
    between = "" if not before or before.endswith("\n") else "\n"
    write_atomically(path, f"{before}{between}.tagship/\n")
    say("added .tagship/ to .gitignore: commit it")
