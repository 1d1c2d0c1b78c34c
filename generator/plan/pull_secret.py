"""How pods outside EKS get ECR's login: what the overlay holds for it, and what a cluster needs once.

The login is in the Secret `<model>-pull`. All that belongs to it has that name, so that models in one namespace
stay apart, and the IAM role as well, which `generator bootstrap aws` makes.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from generator.config.model import Model, Target

# python:3.13-slim of 2026-08, for all processors; Docker's official images, from a registry without a login.
IMAGE = (
    "public.ecr.aws/docker/library/python@sha256:ffb752e139c0a19692a43af8d8523b274222dd68eebad5d583b45c2201c6e30a"
)


@dataclass(frozen=True)
class Pull:
    """An environment's pull secret, as templates show it."""

    name: str
    through: str
    registry: str
    region: str
    role: str  # that the service account of the same name becomes
    key: str | None  # the Secret with an access key, instead
    image: str  # of the CronJob, without tag and digest
    digest: str
    config: str  # Docker's, with External Secrets' places for user and password
    refresh: str  # the command that fetches a login now, under a name that no Job has had
    first: bool  # whether a Job fetches the first login

    @property
    def by_cronjob(self) -> bool:
        return self.through == "cronjob"

    @property
    def components(self) -> list[str]:
        """Those of k8s/components; an operator with a key of its own needs no account."""
        account = ["pull-account"] if self.by_cronjob or not self.key else []
        return [*account, f"pull-{'cronjob' if self.by_cronjob else 'external-secret'}"]

    @property
    def patches(self) -> list[str]:
        if self.by_cronjob:
            return ["pull-cronjob.yaml"]
        return [*([] if self.key else ["pull-account.yaml"]), "pull-external-secret.yaml", "pull-login.yaml"]


def pull_of(model: Model, target: Target) -> Pull | None:
    """None where pods need none; `validate` sees to it that others have an ECR registry."""
    given, ecr = target.serve.pull_secret, model.ecr
    if given is None or ecr is None:
        return None
    name, engine, registry = f"{model.name}-pull", model.config.deploy.engine, model.config.image.registry
    image, _, digest = (given.image or IMAGE).partition("@")
    login = {"username": "{{ .username }}", "password": "{{ .password }}"}
    return Pull(
        name=name,
        through=given.through,
        registry=registry,
        region=ecr.region,
        role=given.role or f"arn:{ecr.partition}:iam::{ecr.account}:role/{name}",
        key=given.key,
        image=re.sub(r":[^/:]+$", "", image),
        digest=digest,
        config=json.dumps({"auths": {registry: login}}),
        refresh=f"kubectl -n {target.namespace} create job --from=cronjob/{name} {name}-$(date +%s)",
        first=given.through == "cronjob" and engine != "none",
    )
