"""model.yaml, the script, the lock and the ledgers; and the files that are generated from them."""

from __future__ import annotations

from generator.adapters.installation import install_source
from generator.doctor.finding import Finding, Findings, Fix, Severity, Subject, not_checked, of_error, of_problem
from generator.errors import GeneratorError, InvalidInput
from generator.files import Comparison, Kind
from generator.generate import compare_workspace
from generator.training.lock import lock_problems
from generator.validate import workspace_problems

MODELS, GENERATED = "model.yaml", "generated files"

_WHAT = {
    Kind.CREATE: "is missing",
    Kind.UPDATE: "is stale: model.yaml or this command has changed since",
    Kind.REMOVE: "is no longer wanted",
    Kind.EDITED: "was edited by hand, and the next `generator generate` would undo that",
    Kind.KEEP_ORPHAN: "is no longer wanted, and was edited by hand",
    Kind.FOREIGN: "stands where a generated file belongs, and was never written by `generator generate`",
}
_RUN = "run `generator generate` and commit"
_FIX = {
    Kind.CREATE: _RUN,
    Kind.UPDATE: _RUN,
    Kind.REMOVE: _RUN,
    Kind.EDITED: "look at `generator generate --diff`, say it in model.yaml or an overlay's kustomization.yaml,"
    " then run `generator generate`",
    Kind.KEEP_ORPHAN: "delete it, or keep it as yours and delete its line in .tagship.lock",
    Kind.FOREIGN: "move it away, then run `generator generate`",
}
_SAFE = (Kind.CREATE, Kind.UPDATE, Kind.REMOVE)


def check_models(subject: Subject) -> Findings:
    if subject.workspace is None:
        yield from _unreadable(subject)
        return
    locks = {problem for model in subject.models for problem in lock_problems(model, subject.root)}
    chosen = {model.name for model in subject.models}
    for problem in workspace_problems(subject.workspace, only=chosen):
        mends = problem in locks and "run `generator lock" in problem.message
        yield of_problem(MODELS, problem, Fix.LOCK if mends else None)
    try:
        install_source(subject.workspace)
    except InvalidInput as error:
        yield from (of_problem(MODELS, problem) for problem in error.problems)
    except GeneratorError as error:
        yield of_error(MODELS, error, "tagship.yaml")


def _unreadable(subject: Subject) -> Findings:
    if isinstance(subject.unreadable, InvalidInput):
        yield from (of_problem(MODELS, problem) for problem in subject.unreadable.problems)
    elif subject.unreadable is not None:
        yield of_error(MODELS, subject.unreadable, str(subject.root))


def compared(subject: Subject) -> Comparison | None:
    """How generated files differ; None where that cannot be told yet."""
    if subject.workspace is None or workspace_problems(subject.workspace, locks=False):
        return None
    try:
        return compare_workspace(subject.workspace, install=install_source(subject.workspace))
    except GeneratorError:
        return None


def safe(comparison: Comparison) -> bool:
    """Whether writing would undo nobody's work."""
    return all(change.kind in _SAFE for change in comparison.changes)


def check_generated(subject: Subject) -> Findings:
    comparison = compared(subject)
    if comparison is None:
        yield not_checked(GENERATED, "model.yaml, a script or a ledger has problems: correct them first")
        return
    fixable = Fix.GENERATE if safe(comparison) else None
    for change in comparison.changes:
        yield Finding(GENERATED, Severity.ERROR, _WHAT[change.kind], change.path, _FIX[change.kind], fixable)
    if comparison.lock_stale and not comparison.changes:
        yield Finding(GENERATED, Severity.ERROR, "is stale", ".tagship.lock", _RUN, fixable)
