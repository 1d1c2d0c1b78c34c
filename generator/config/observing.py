"""How a workflow's job reads the cluster after a deploy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from generator.config import types as t
from generator.config.ecr import ecr_of
from generator.config.types import Section

if TYPE_CHECKING:
    from generator.config.schema import ModelFile
    from generator.yamlio import Path_

EksName = Annotated[str, t.Matching(r"[0-9A-Za-z][0-9A-Za-z_-]*", "the name of an EKS cluster", 100)]
Region = Annotated[str, t.Matching(r"[a-z]{2,3}(-[a-z]+)+-\d", "an AWS region, such as eu-north-1", 30)]

TIMEOUT = 900
_EKS_LONGEST = 3000  # beside a role's session of an hour


class Observe(Section):
    """Read access to the cluster: an EKS cluster and a role, or a kubeconfig."""

    eks: EksName | None = Field(None, description="Name of the EKS cluster.")
    region: Region | None = Field(None, description="Its region; default: that of the ECR registry.")
    role: t.Role | None = Field(None, description="IAM role that may read it, assumed by OIDC.")
    kubeconfig: t.SecretName | None = Field(
        None, description="GitHub secret that holds a kubeconfig, for clusters other than EKS."
    )
    timeout: int = Field(
        TIMEOUT,
        ge=60,
        le=10800,
        description=f"Seconds until a rollout that goes on is given up; with eks at most {_EKS_LONGEST}.",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Observe:
        if (self.eks is None) == (self.kubeconfig is None):
            raise ValueError("give either eks and role, or kubeconfig")
        if self.eks is not None and self.role is None:
            raise ValueError("give role, too: the IAM role that may read the EKS cluster")
        if self.eks is None and (self.role or self.region):
            raise ValueError("role and region are for eks: leave them out beside kubeconfig")
        if self.eks is not None and self.timeout > _EKS_LONGEST:
            raise ValueError(f"timeout is at most {_EKS_LONGEST} with eks: the role's session ends after an hour")
        return self


def _kind(value: object) -> str | None:
    if isinstance(value, (dict, Observe)):
        return "[access]"
    return "[none]" if value == "none" else None


Observing = Annotated[
    Annotated[Literal["none"], Tag("[none]")] | Annotated[Observe, Tag("[access]")],
    Discriminator(
        _kind,
        custom_error_type="observing",
        custom_error_message="must be none, or a mapping with eks and role, or with kubeconfig",
    ),
]


def observing_problems(config: ModelFile) -> Iterator[tuple[Path_, str]]:
    """(path, message) where a failed rollout could not be seen, or where nothing says in which region to look."""
    shared, ecr = config.deploy.observe, ecr_of(config.image.registry) is not None
    regionless = "deploy.observe names no region, and image.registry is not ECR: add region"
    if shared != "none" and shared.eks and shared.region is None and not ecr:
        yield ("deploy", "observe"), regionless
    yield from _unseen_elsewhere(config)
    for name, settings in config.deploy.environments.items():
        place: Path_ = ("deploy", "environments", name)
        own = settings.observe
        if isinstance(own, Observe) and own.eks and own.region is None and not ecr:
            yield (*place, "observe"), regionless.replace("deploy.observe", "observe")
        watched = shared if own is None else own
        if settings.clusters and watched != "none":
            why = "a workflow watches one cluster yet, and this environment has clusters: set observe to none here"
            yield (*place, "clusters"), why
        if settings.rollback_on_failure and watched == "none":
            why = "needs deploy.observe: without access to the cluster nobody sees that a rollout failed"
            yield (*place, "rollback_on_failure"), f"rollback_on_failure {why}; add it, or leave this out"


def _unseen_elsewhere(config: ModelFile) -> Iterator[tuple[Path_, str]]:
    """What later environments ask in a configuration repository: no workflow here hears of its commits."""
    if config.deploy.repository == "same":
        return
    why = "with deploy.repository only the first environment's rollout is watched yet: leave {} out here"
    for name, settings in list(config.deploy.environments.items())[1:]:
        if isinstance(settings.observe, Observe):
            yield ("deploy", "environments", name, "observe"), why.format("observe")
        if settings.rollback_on_failure:
            yield ("deploy", "environments", name, "rollback_on_failure"), why.format("rollback_on_failure")
