"""What is asked of an account and what it holds; the names that things of one model have there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from generator.adapters.cloudformation import Stack
from generator.adapters.ecr_repository import Settings
from generator.adapters.iam import Provider
from generator.bootstrap.identity import Identity
from generator.config.ecr import Ecr
from generator.config.model import Model
from generator.errors import GeneratorError

# Names in the template.
REPOSITORY, RELEASE_ROLE, TRAINING_ROLE = "ImageRepositoryResource", "ReleaseRole", "TrainingRole"
PULL_ROLE = "PullerRole"
KEYS = {RELEASE_ROLE: "image.role", TRAINING_ROLE: "train.role"}  # in model.yaml


NO_BOUNDARY = "none"


@dataclass(frozen=True)
class Cluster:
    """A service account of a cluster outside EKS, which becomes the role that pulls."""

    issuer: str  # of its tokens, without https://
    account: str  # namespace:name


@dataclass(frozen=True)
class Wanted:
    """What is asked for. None: as it is."""

    model: Model
    identity: Identity
    puller: bool | None = None
    cluster: Cluster | Literal[False] | None = None  # False: no more
    boundary: str | None = None  # NO_BOUNDARY: no more


@dataclass(frozen=True)
class Found:
    """What the account holds; without an answer of AWS, what an empty one would."""

    provider: Provider | None = None
    repository: Settings | None = None
    stack: Stack | None = None
    roles: tuple[str, ...] = ()  # of those that the stack would make, the ones that are there
    cluster: Provider | None = None  # for the issuer of `cluster_of`


def cluster_of(asked: Cluster | Literal[False] | None, stack: Stack | None) -> Cluster | None:
    """The cluster that shall pull: the one that is asked for, else the stack's."""
    if asked is None and stack is not None and stack.parameters.get("PullRole") == "true":
        return Cluster(stack.parameters["ClusterIssuer"], stack.parameters["ServiceAccount"])
    return asked or None


def cluster_from(issuer: str, account: str) -> Cluster:
    """A cluster as somebody writes it. Raises GeneratorError; wildcards are no names."""
    if not re.fullmatch(r"https://[A-Za-z0-9.-]+(/[A-Za-z0-9._~-]+)*", issuer, re.ASCII):
        raise GeneratorError(
            f"--cluster-issuer is {issuer!r}: write it as the cluster's tokens do (`iss`), such as "
            "https://oidc.example.com/cluster, without a slash at its end; IAM takes no issuer with a port"
        )
    label = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
    if not re.fullmatch(rf"{label}:{label}(\.{label})*", account, re.ASCII):
        raise GeneratorError(f"--service-account is {account!r}: write one as namespace:name")
    return Cluster(issuer.removeprefix("https://"), account)


def check_boundary(text: str, place: Ecr) -> None:
    """Raises GeneratorError where `text` is no policy that may bound roles of this account."""
    if text == NO_BOUNDARY:
        return
    match = re.fullmatch(r"arn:(aws[a-z-]*):iam::(\d{12}|aws):policy/[A-Za-z0-9_+=,.@/-]+", text, re.ASCII)
    if match is None or match[1] != place.partition or match[2] not in (place.account, "aws"):
        raise GeneratorError(
            f"--permissions-boundary is {text!r}: it is the ARN of a policy in account {place.account}, or "
            f"{NO_BOUNDARY} to have none any more"
        )


def place_of(model: Model) -> Ecr:
    """The account and region that the model's images go to."""
    if model.ecr is None:
        registry = model.config.image.registry
        raise GeneratorError(
            f"{model.shown}: image.registry is {registry}, not ECR: AWS has no part in these releases"
        )
    return model.ecr


def stack_of(model: Model) -> str:
    return f"tagship-{model.name}"


def roles_of(model: Model) -> dict[str, str]:
    """The ARN of each role that the stack makes, by its logical name; model.yaml's, where it names one."""
    place = place_of(model)
    roles = {RELEASE_ROLE: model.config.image.role or arn(place, "role", "/", f"{model.name}-release")}
    if model.config.train.role:
        roles[TRAINING_ROLE] = model.config.train.role
    for logical, role in roles.items():
        if (account := role.split(":")[4]) != place.account:
            raise GeneratorError(
                f"{model.shown}: {KEYS[logical]} is in account {account}, the registry in {place.account}: a role "
                "in another account is made there by hand; docs/aws.md has its policies"
            )
    return roles


def pull_role(model: Model) -> str:
    return f"{model.name}-pull"


def image_repository(model: Model) -> str:
    return model.config.image.repository or model.name


def path_and_name(role: str) -> tuple[str, str]:
    """The two parts of a role's ARN that the template takes."""
    *path, name = role.split(":role/", 1)[1].split("/")
    return "/" + "".join(f"{part}/" for part in path), name


def arn(place: Ecr, kind: str, path: str, name: str) -> str:
    return f"arn:{place.partition}:iam::{place.account}:{kind}{path}{name}"
