"""The pipeline: stages in order, and the jobs that run them. Workflows, `rehearse` and docs come from here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """A step of a release; `generator stage NAME` runs it."""

    TRAIN = "train"
    GATE = "gate"
    REGISTER = "register"
    PACKAGE = "package"
    PUBLISH = "publish"
    DEPLOY = "deploy"
    OBSERVE = "observe"


SUMMARY: dict[Stage, str] = {
    Stage.TRAIN: "run the training script and bring its model to disk",
    Stage.GATE: "compare the metrics with thresholds and with the champion",
    Stage.REGISTER: "register the model's version",
    Stage.PACKAGE: "build the inference image and replay the golden rows against it",
    Stage.PUBLISH: "upload exactly that image and read its digest back",
    Stage.DEPLOY: "commit the digest to the overlay",
    Stage.OBSERVE: "see what the cluster runs",
}


@dataclass(frozen=True)
class Job:
    """A workflow job: its stages, and what it may touch, from which its rights derive."""

    name: str
    stages: tuple[Stage, ...]
    runs_user_code: bool
    gets_training_secrets: bool = False
    assumes_release_role: bool = False
    writes_git: bool = False
    needs_engine: bool = False

    def __post_init__(self) -> None:
        if self.runs_user_code and (self.assumes_release_role or self.writes_git):
            raise ValueError(f"job {self.name}: user code never shares a job with credentials")


JOBS: tuple[Job, ...] = (
    Job(
        "train",
        (Stage.TRAIN, Stage.GATE, Stage.REGISTER),
        runs_user_code=True,
        gets_training_secrets=True,
    ),
    Job("package", (Stage.PACKAGE,), runs_user_code=True, needs_engine=True),
    Job("publish", (Stage.PUBLISH,), runs_user_code=False, assumes_release_role=True),
    Job("deploy", (Stage.DEPLOY,), runs_user_code=False, writes_git=True),
    Job("observe", (Stage.OBSERVE,), runs_user_code=False),
)


def before(job: Job) -> Job | None:
    """The job that must have ended before this one; None for the first."""
    place = JOBS.index(job)
    return JOBS[place - 1] if place else None
