"""What is asked of an account and what it holds; the names that things of one model have there."""

from __future__ import annotations

from dataclasses import dataclass

from generator.adapters.cloudformation import Stack
from generator.adapters.ecr_repository import Settings
from generator.adapters.iam import Provider
from generator.bootstrap.identity import Identity
from generator.config.model import Ecr, Model
from generator.errors import GeneratorError

# Names in the template.
REPOSITORY, RELEASE_ROLE, TRAINING_ROLE = "ImageRepositoryResource", "ReleaseRole", "TrainingRole"
KEYS = {RELEASE_ROLE: "image.role", TRAINING_ROLE: "train.role"}  # in model.yaml


@dataclass(frozen=True)
class Wanted:
    """What is asked for."""

    model: Model
    identity: Identity
    puller: bool | None  # None: as it is


@dataclass(frozen=True)
class Found:
    """What the account holds; without an answer of AWS, what an empty one would."""

    provider: Provider | None = None
    repository: Settings | None = None
    stack: Stack | None = None
    roles: tuple[str, ...] = ()  # of those that the stack would make, the ones that are there


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


def image_repository(model: Model) -> str:
    return model.config.image.repository or model.name


def path_and_name(role: str) -> tuple[str, str]:
    """The two parts of a role's ARN that the template takes."""
    *path, name = role.split(":role/", 1)[1].split("/")
    return "/" + "".join(f"{part}/" for part in path), name


def arn(place: Ecr, kind: str, path: str, name: str) -> str:
    return f"arn:{place.partition}:iam::{place.account}:{kind}{path}{name}"
