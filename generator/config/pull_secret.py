"""`serve.pull_secret`: how pods outside EKS log in to ECR, in a word or in full."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from generator.config import types as t
from generator.config.types import Section

Through = Literal["external-secrets", "cronjob"]


class PullSecret(Section):
    """What fetches ECR's login, which ends after twelve hours, into the Secret `<model>-pull`."""

    through: Through = Field(description="The External Secrets operator, or a CronJob that needs no operator.")
    role: t.Role | None = Field(
        None,
        description="IAM role that the service account `<model>-pull` becomes; default: `<model>-pull` in the "
        "registry's account, which `generator bootstrap aws --cluster-issuer` makes.",
    )
    key: Annotated[t.KubernetesSecret | None, t.NotEmpty] = Field(
        None,
        description="Secret with `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, instead of a role, where AWS "
        "cannot reach the cluster's issuer of tokens.",
    )
    image: Annotated[t.PinnedImage | None, t.NotEmpty] = Field(
        None, description="Image of the CronJob, with Python 3.11 or newer; default: a public image of Python."
    )

    @model_validator(mode="after")
    def _fits(self) -> PullSecret:
        if self.role and self.key:
            raise ValueError("give role or key, not both")
        if self.image and self.through != "cronjob":
            raise ValueError("image is for the CronJob alone: leave it out")
        return self


def _in_full(value: object) -> object:
    """`cronjob` says the same as `{through: cronjob}`; `none` is as good as absent."""
    if isinstance(value, (dict, PullSecret)):
        return value
    return None if t.named(value) == "none" else {"through": value}


PullSecrets = Annotated[
    PullSecret | None,
    BeforeValidator(_in_full, json_schema_input_type=Literal["none", "external-secrets", "cronjob"] | PullSecret),
]
