"""The jobs that watch a rollout, and the one after each that goes back where it failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from generator.config.model import Model, Target
from generator.plan.credentials import JOB_TOKEN, KUBECONFIG, Aws, Permission, Push, push_of
from generator.plan.files import PlannedFile
from generator.plan.naming import workflow_file

# Holds the kubeconfig, and is what the role's trust names; without reviewers, or every rollout would wait for one.
OBSERVE_ENVIRONMENT = "tagship-observe"
MARGIN = 10  # minutes beside the rollout's own limit


@dataclass(frozen=True)
class Watch:
    """What a job reads a cluster with."""

    target: str
    minutes: int
    aws: Aws | None
    eks: str | None  # the cluster's name
    env: dict[str, str]  # of the step that watches

    environment = OBSERVE_ENVIRONMENT

    @property
    def permissions(self) -> Iterator[Permission]:
        yield Permission("contents", "read", "check out, and see whether the release is wanted still")
        if self.aws:
            yield Permission("id-token", "write", f"assume the AWS role {self.aws.what}")


@dataclass(frozen=True)
class Undo:
    """The job that rolls back what a watching job saw fail."""

    name: str
    target: str
    needs: str
    parcel: str  # in which that job hands on what it saw
    push: Push


def watch_of(model: Model, target: Target) -> Watch | None:
    """None where model.yaml gives no access to the target's cluster."""
    given = target.observe
    if given is None:
        return None
    aws, env = None, {"GH_TOKEN": JOB_TOKEN}
    if given.role is not None:
        region = given.region or (model.ecr.region if model.ecr else "")
        aws = Aws(given.role, region, given.role.split(":")[4], "that reads the cluster")
    else:
        env[KUBECONFIG] = f"${{{{ secrets.{given.kubeconfig} }}}}"
    return Watch(target.name, -(-given.timeout // 60) + MARGIN, aws, given.eks, env)


def undo_of(model: Model, target: Target, *, name: str, needs: str) -> Undo | None:
    """None where a failed rollout is left to people."""
    if not target.settings.rollback_on_failure:
        return None
    push = push_of(model, "push the rollback's commit, and delete the branch of a promotion")
    return Undo(name, target.name, needs, needs, push)


def plan_observe(model: Model, common: Mapping[str, object]) -> Iterator[PlannedFile]:
    """The workflow that watches what the merge of a promotion brings; none where nothing comes so, or is seen."""
    watches = [
        (watch, undo_of(model, target, name=f"rollback-{target.name}", needs=f"observe-{target.name}"))
        for target in model.targets[1:]
        if target.settings.via == "pull-request" and (watch := watch_of(model, target))
    ]
    if not watches or model.separate:
        return
    values = {
        **common,
        "model": model,
        "branch": model.config.repository.branch,
        "paths": [f"{model.overlay(watch.target)}/release.yaml" for watch, _ in watches],
        "watches": watches,
    }
    yield PlannedFile(workflow_file("observe", model), "templates/workflows/observe.yml", values)
