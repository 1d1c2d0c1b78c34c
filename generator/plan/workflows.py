"""GitHub workflows: two for pull requests, one release a model. A job's rights derive from what it declares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from generator.config.model import Model
from generator.config.workspace import Workspace
from generator.plan import pins
from generator.plan.announce import announce_release
from generator.plan.by_hand import plan_by_hand
from generator.plan.credentials import JOB_TOKEN, Aws, Permission, Push, push_of
from generator.plan.files import PlannedFile
from generator.plan.naming import deploy_group, workflow_file
from generator.plan.observing import Watch, plan_observe, undo_of, watch_of
from generator.plan.pipeline import INSTALLING, JOBS, SUMMARY, TRACKING, Job, Parcel, Stage, before
from generator.plan.refresh import plan_refresh
from generator.plan.retrain import plan_retrain

RUNNER = {"linux/amd64": "ubuntu-24.04", "linux/arm64": "ubuntu-24.04-arm"}
# Minutes beside the script's own limit: environment, gate, registration, upload.
TRAINING_MARGIN = 30
REHEARSAL_MARGIN = 30  # image and server
TRAIN_ENVIRONMENT = "tagship-train"
PUBLISH_ENVIRONMENT = "tagship-publish"
# Read where model.yaml names no role; an administrator sets it on the environment.
ROLE_VARIABLE = "TAGSHIP_PUBLISH_ROLE"
# The job of pull-request.yml that a rule on the branch may require.
REQUIRED_CHECK = "Validate"
RELEASE = "${{ github.ref }}"
# Whether a pull request wants its rehearsal, and whether a run was started by a label that says nothing of it.
LABELLED = "contains(github.event.pull_request.labels.*.name, 'rehearse')"
OTHER_LABEL = "github.event.action == 'labeled' && github.event.label.name != 'rehearse'"


@dataclass(frozen=True)
class Login:
    """How a job logs in to a registry that is not ECR; expressions, never values."""

    registry: str
    user: str
    password: str


@dataclass(frozen=True)
class Step:
    """One call of `generator stage`."""

    stage: Stage
    title: str
    env: dict[str, str]


@dataclass(frozen=True)
class PlannedJob:
    """A job as the template shows it."""

    name: str
    title: str
    needs: str | None
    runs_on: str | tuple[str, ...]
    self_hosted: bool
    minutes: int
    environment: str | None
    permissions: tuple[Permission, ...]
    group: str | None  # of jobs that wait for each other, in order
    takes: tuple[str, ...]
    gives: tuple[Parcel, ...]
    aws: Aws | None
    login: Login | None
    push: Push | None
    watch: Watch | None  # the cluster that it reads
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Rehearsed:
    """A model's rehearsal on a pull request."""

    name: str
    minutes: int


def plan_workflows(workspace: Workspace, *, install: str) -> tuple[PlannedFile, ...]:
    """`.github/` of a workspace. `install` is a Git URL with a full commit, or a relative path."""
    common = {
        "install": install,
        "uv_version": pins.UV_VERSION,
        "pins": pins.uses(),
        "runner": RUNNER["linux/amd64"],
    }
    rehearsed = [Rehearsed(model.name, _minutes(JOBS[0], model) + REHEARSAL_MARGIN) for model in workspace]
    pull_request = {**common, "minutes": 15, "unlabelled": f"!{LABELLED}"}
    rehearse = {
        **common,
        "minutes": 15,
        "models": rehearsed,
        "needed": ", ".join(f"rehearse-{one.name}" for one in rehearsed),
        "wanted": f"{LABELLED} && !({OTHER_LABEL})",
        "unrelated": OTHER_LABEL,
    }
    files = [
        PlannedFile(".github/tagship.lock", "templates/github/tagship.lock"),
        PlannedFile(".github/workflows/pull-request.yml", "templates/workflows/pull-request.yml", pull_request),
        PlannedFile(".github/workflows/rehearse.yml", "templates/workflows/rehearse.yml", rehearse),
    ]
    for model in workspace:
        jobs = tuple(plan_job(job, model) for job in JOBS)
        undo = undo_of(model, model.targets[0], name="rollback", needs="observe")
        told = announce_release(model, [*(job.name for job in jobs), *([undo.name] if undo else [])], RELEASE)
        values = {**common, "model": model, "jobs": jobs, "undo": undo, "told": told}
        files.append(PlannedFile(workflow_file("release", model), "templates/workflows/release.yml", values))
        files += plan_by_hand(model, common)
        files += plan_refresh(model, common)
        files += plan_observe(model, common)
        files += plan_retrain(model, common, jobs[0])
    return tuple(files)


def plan_job(job: Job, model: Model) -> PlannedJob:
    """`job` for one model."""
    runs_on = _runs_on(job, model)
    labels = (runs_on,) if isinstance(runs_on, str) else runs_on
    needed = before(job)
    push = push_of(model, "push the overlay's commit") if job.writes_git else None
    watch = watch_of(model, model.targets[0]) if job.reads_cluster else None
    access = push or watch
    return PlannedJob(
        name=job.name,
        title=job.name.capitalize(),
        needs=needed.name if needed else None,
        runs_on=runs_on,
        self_hosted="self-hosted" in labels,
        minutes=watch.minutes if watch else _minutes(job, model),
        environment=access.environment if access else _environment(job, model),
        permissions=tuple(watch.permissions if watch else _permissions(job, model, push)),
        group=deploy_group(model, model.targets[0].name) if job.writes_git else None,
        takes=job.takes,
        gives=(*job.gives, *_tracking_folder(job, model)),
        aws=watch.aws if watch else _aws(job, model),
        login=_login(job, model),
        push=push,
        watch=watch,
        steps=tuple(Step(stage, SUMMARY[stage], _env(stage, job, model, access)) for stage in job.stages),
    )


def _runs_on(job: Job, model: Model) -> str | tuple[str, ...]:
    if job.gets_training_secrets:
        return model.config.train.runs_on
    return RUNNER[model.config.image.platform if job.needs_engine else "linux/amd64"]


def _minutes(job: Job, model: Model) -> int:
    if Stage.TRAIN not in job.stages:
        return job.minutes
    return -(-model.config.train.timeout // 60) + TRAINING_MARGIN


def _environment(job: Job, model: Model) -> str | None:
    if job.assumes_release_role:
        return PUBLISH_ENVIRONMENT
    train = model.config.train
    trains = job.gets_training_secrets and (train.secrets or train.role or model.config.tracking.secret)
    installs = INSTALLING.intersection(job.stages) and train.index_secrets
    return TRAIN_ENVIRONMENT if trains or installs else None


def _permissions(job: Job, model: Model, push: Push | None) -> Iterator[Permission]:
    if push:
        yield push.permission
    else:
        yield Permission("contents", "read", "check the tag out")
    if aws := _aws(job, model):
        yield Permission("id-token", "write", f"assume the AWS role {aws.what}")
    if job.assumes_release_role and _on_ghcr(model):
        yield Permission("packages", "write", "push the image")


def _aws(job: Job, model: Model) -> Aws | None:
    """The release role trusts another environment than the training job's, whose code is the user's."""
    if model.ecr and job.assumes_release_role:
        role = model.config.image.role or f"${{{{ vars.{ROLE_VARIABLE} }}}}"
        return Aws(role, model.ecr.region, model.ecr.account, "that publishes")
    if model.ecr and job.gets_training_secrets and model.config.train.role:
        seconds = _minutes(job, model) * 60
        longer = seconds if seconds > 3600 else None
        return Aws(model.config.train.role, model.ecr.region, model.ecr.account, "for training", longer)
    return None


def _login(job: Job, model: Model) -> Login | None:
    if not job.assumes_release_role or model.ecr:
        return None
    registry = model.config.image.registry
    if _on_ghcr(model):
        return Login(registry, "${{ github.actor }}", JOB_TOKEN)
    return Login(registry, "${{ secrets.REGISTRY_USERNAME }}", "${{ secrets.REGISTRY_PASSWORD }}")


def _on_ghcr(model: Model) -> bool:
    return model.config.image.registry == "ghcr.io"


def _tracking_folder(job: Job, model: Model) -> tuple[Parcel, ...]:
    """Without a tracking server the runs live in the job's own folder, and would end with it."""
    if Stage.TRAIN not in job.stages or model.config.tracking.uri is not None:
        return ()
    return (Parcel("tracking", ("tracking",), always=True),)


def _env(stage: Stage, job: Job, model: Model, access: Push | Watch | None) -> dict[str, str]:
    """What a stage gets; our own variables last, so that no secret's name can replace one."""
    env: dict[str, str] = {}
    if job.gets_training_secrets and stage in TRACKING:
        config = model.config
        env = {name: _secret(name) for name in (*config.train.secrets, config.tracking.secret) if name}
    if stage in INSTALLING:
        env |= {name: _secret(name) for name in model.config.train.index_secrets}
    if access:
        env |= access.env
    return {**env, "RELEASE": RELEASE}


def _secret(name: str) -> str:
    return f"${{{{ secrets.{name} }}}}"
