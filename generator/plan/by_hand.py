"""Workflows that a person starts: promote and rollback, one of each a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from generator.config.model import Model
from generator.plan.announce import announce_change
from generator.plan.credentials import Permission, Push, push_of
from generator.plan.files import PlannedFile
from generator.plan.naming import approval_environment, deploy_group, workflow_file
from generator.plan.observing import Undo, Watch, undo_of, watch_of


@dataclass(frozen=True)
class PromotionJob:
    """The promotion to one environment."""

    environment: str
    source: str
    approval: str | None  # the GitHub Environment whose reviewers are asked first
    group: str
    push: Push
    permissions: tuple[Permission, ...]
    watch: Watch | None  # of what comes by its commit
    undo: Undo | None


def plan_by_hand(model: Model, common: Mapping[str, object]) -> Iterator[PlannedFile]:
    """The workflows of one model; `common` is what every workflow's template gets."""
    environments = [target.name for target in model.targets]
    rollback = {
        **common,
        "model": model,
        "environments": environments,
        "push": push_of(model, "push the rollback's commit, and delete the branch of a promotion"),
        "told": announce_change(model, "rollback", ["rollback"]),
    }
    yield PlannedFile(workflow_file("rollback", model), "templates/workflows/rollback.yml", rollback)
    if len(environments) > 1:
        jobs = tuple(_promotions(model))
        told = announce_change(model, "promotion", _names(jobs))
        values = {**common, "model": model, "jobs": jobs, "told": told, "asked": any(job.approval for job in jobs)}
        yield PlannedFile(workflow_file("promote", model), "templates/workflows/promote.yml", values)


def _names(jobs: Iterable[PromotionJob]) -> Iterator[str]:
    for job in jobs:
        if job.approval:
            yield f"approve-{job.environment}"
        yield f"to-{job.environment}"
        if job.watch:
            yield f"observe-{job.environment}"
        if job.undo:
            yield job.undo.name


def _promotions(model: Model) -> Iterator[PromotionJob]:
    for source, target in zip(model.targets, model.targets[1:], strict=False):
        approval = approval_environment(model, target.name) if target.settings.approval else None
        by_request = target.settings.via == "pull-request"
        why = "push the promotion's branch" if by_request else "push the promotion's commit"
        reads = (Permission("actions", "read", "see that reviewers are required"),) if approval else ()
        push = push_of(model, why, reads, pull_requests=by_request)
        # A merge's rollout is watched by a workflow of its own.
        watch = None if by_request or model.separate else watch_of(model, target)
        undo = undo_of(model, target, name=f"rollback-{target.name}", needs=f"observe-{target.name}")
        yield PromotionJob(
            environment=target.name,
            source=source.name,
            approval=approval,
            group=deploy_group(model, target.name),
            push=push,
            permissions=(push.permission, *(reads if push.elsewhere or not push.app else ())),
            watch=watch,
            undo=undo if watch else None,
        )
