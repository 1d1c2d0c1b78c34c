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
class Resume:
    """How to go on after a stage failed, for the job's summary."""

    repository: str  # where the cause is in what was committed
    elsewhere: str  # where it is not: a network, a service, a right


_NEW_TAG = (
    "commit the fix and release the next version (`generator release`). A tag keeps its commit, so running this "
    "job again ends the same way."
)
_FROM_HERE = (
    "re-run the failed job: it goes on from what the earlier jobs handed on. Re-running all jobs trains again, "
    "and ends with the image that was published first."
)
_BEFORE = Resume(
    f"If the cause is in the repository (script, requirements, thresholds, model.yaml): {_NEW_TAG}",
    "If it is not (a network, the tracking server, a secret): re-run the failed job. Nothing was published.",
)
RESUME: dict[Stage, Resume] = {
    Stage.TRAIN: _BEFORE,
    Stage.GATE: _BEFORE,
    Stage.REGISTER: _BEFORE,
    Stage.PACKAGE: _BEFORE,
    Stage.PUBLISH: Resume(
        f"If the tag of the image is taken by another commit, or the image is refused: {_NEW_TAG}",
        f"If a right, the registry or the network was the cause: {_FROM_HERE}",
    ),
    Stage.DEPLOY: Resume(
        f"If the version was rejected, or is not newer than what ran there: {_NEW_TAG}",
        f"If a right, a rule of the branch or the network was the cause: {_FROM_HERE}",
    ),
    Stage.OBSERVE: Resume(
        "The overlay's commit is pushed. If the version is bad: `generator rollback`, unless the next job has "
        "done so; then release the fix.",
        f"If it could only not be seen: {_FROM_HERE}",
    ),
}

# Stages that talk to the tracking server, whose user and password may be among the training secrets.
TRACKING: frozenset[Stage] = frozenset({Stage.TRAIN, Stage.REGISTER})


# Stages that install packages, and so may need the logins of private indexes.
INSTALLING: frozenset[Stage] = frozenset({Stage.TRAIN, Stage.PACKAGE})


@dataclass(frozen=True)
class Parcel:
    """Files of a release's folder that travel together from one job to later ones."""

    name: str
    files: tuple[str, ...]  # a folder counts with all that is in it
    days: int = 90  # kept this long; GitHub allows a job to be run again for 30 days
    packed: bool = False  # compressed already
    always: bool = False  # worth keeping when the job failed, too


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
    reads_cluster: bool = False  # where model.yaml gives access to one
    minutes: int = 30  # after which GitHub ends it; training adds its own limit
    takes: tuple[str, ...] = ()  # parcels of earlier jobs: what its stages read, and no more
    gives: tuple[Parcel, ...] = ()

    def __post_init__(self) -> None:
        if self.runs_user_code and (self.assumes_release_role or self.writes_git):
            raise ValueError(f"job {self.name}: user code never shares a job with credentials")


JOBS: tuple[Job, ...] = (
    Job(
        "train",
        (Stage.TRAIN, Stage.GATE, Stage.REGISTER),
        runs_user_code=True,
        gets_training_secrets=True,
        gives=(
            Parcel("train", ("train.json", "gate.json", "register.json", "train.log"), always=True),
            Parcel("model", ("model", "golden.json", "onnx"), days=30),
        ),
    ),
    Job(
        "package",
        (Stage.PACKAGE,),
        runs_user_code=True,
        needs_engine=True,
        minutes=60,
        takes=("train", "model"),
        gives=(Parcel("package", ("package.json",)), Parcel("image", ("image.tar",), days=30, packed=True)),
    ),
    Job(
        "publish",
        (Stage.PUBLISH,),
        runs_user_code=False,
        assumes_release_role=True,
        takes=("package", "image"),
        gives=(Parcel("publish", ("publish.json",)),),
    ),
    Job(
        "deploy",
        (Stage.DEPLOY,),
        runs_user_code=False,
        writes_git=True,
        takes=("publish",),
        gives=(Parcel("deploy", ("deploy.json",)),),
    ),
    Job(
        "observe",
        (Stage.OBSERVE,),
        runs_user_code=False,
        reads_cluster=True,
        takes=("deploy",),
        gives=(Parcel("observe", ("observe.json",), always=True),),
    ),
)


def before(job: Job) -> Job | None:
    """The job that must have ended before this one; None for the first."""
    place = JOBS.index(job)
    return JOBS[place - 1] if place else None
