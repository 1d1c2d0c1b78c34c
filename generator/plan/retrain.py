"""The retrain workflow of a model that asks for one.

It begins on the branch, where schedules and calls begin, and starts itself again on the tag of what runs: the
training is then what it is in a release, admitted to its secrets and its role by the release tag alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from generator.config.model import Model
from generator.plan.credentials import Permission, push_of
from generator.plan.files import PlannedFile
from generator.plan.naming import workflow_file

if TYPE_CHECKING:
    from generator.plan.workflows import PlannedJob

OUTPUT = "${{ runner.temp }}/retrained"


def plan_retrain(model: Model, common: Mapping[str, object], train: PlannedJob) -> Iterator[PlannedFile]:
    """`train` is the release's job. Where its tag would start nothing the workflow says so, and trains nothing."""
    if model.config.retrain is None:
        return
    # A tag on a commit whose workflows differ from the branch's counts as changing them.
    workflows = Permission("workflows", "write", "of a commit that has the workflows of its day")
    push = push_of(model, "push the next version's tag", (workflows,))
    read = Permission("contents", "read", "check the branch and the tags out")
    starts = Permission("actions", "write", "start this workflow on the tag of what runs")
    path = workflow_file("retrain", model)
    values = {
        **common,
        "model": model,
        "file": path.rpartition("/")[2],
        "call": "tagship-retrain" if model.at_root else f"tagship-retrain-{model.name}",
        "schedule": model.config.retrain.schedule,
        "train": train,
        "train_env": {**_secrets(train), "OUTPUT": OUTPUT},
        "start": (read, starts) if push.starts_workflows else (read,),
        "push": push,
    }
    yield PlannedFile(path, "templates/workflows/retrain.yml", values)


def _secrets(train: PlannedJob) -> dict[str, str]:
    return {name: value for name, value in train.steps[0].env.items() if name != "RELEASE"}
