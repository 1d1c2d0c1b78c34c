"""What stands in the way of setting an account up, and what is odd in what is used as it is."""

from __future__ import annotations

import json
from collections.abc import Iterator

from generator.adapters.aws import AUDIENCE
from generator.adapters.iam import Provider
from generator.bootstrap.aws_facts import (
    KEYS,
    PULL_ROLE,
    REPOSITORY,
    Found,
    Wanted,
    cluster_of,
    image_repository,
    path_and_name,
    place_of,
    pull_role,
    roles_of,
)
from generator.config.model import Model

_STEADY = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE")


def problems(wanted: Wanted, found: Found) -> list[str]:
    """What must be settled by a person first."""
    pulls = cluster_of(wanted.cluster, found.stack) is not None
    providers = [found.provider, *([found.cluster] if pulls else [])]
    return [
        *(problem for provider in providers for problem in _provider(provider)),
        *_stack(wanted.model, found),
        *_roles(wanted.model, found),
        *(_pull_role(wanted.model, found) if pulls else ()),
    ]


def _provider(provider: Provider | None) -> Iterator[str]:
    if provider and AUDIENCE not in provider.audiences:
        yield (
            f"the account's OIDC provider does not accept the audience {AUDIENCE}. Others use it too, so add that "
            f"by hand: aws iam add-client-id-to-open-id-connect-provider --client-id {AUDIENCE} "
            f"--open-id-connect-provider-arn {provider.arn}"
        )


def _pull_role(model: Model, found: Found) -> Iterator[str]:
    name = pull_role(model)
    if name in found.roles and not (found.stack and found.stack.resources.get(PULL_ROLE) == name):
        yield f"the role {name} is there and belongs to no stack of this model: rename or delete it"


def _stack(model: Model, found: Found) -> Iterator[str]:
    if found.stack is None:
        return
    name, status, repository = found.stack.name, found.stack.status, image_repository(model)
    if status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"):
        yield (
            f"the stack {name} could not be made and holds nothing that works ({status}): "
            f"aws cloudformation delete-stack --region {place_of(model).region} --stack-name {name}"
        )
    elif status not in _STEADY:
        yield f"the stack {name} is {status}: wait, or look into the console"
    if found.stack.resources.get(REPOSITORY) == repository and found.repository is None:
        yield (
            f"the ECR repository {repository} was deleted outside of its stack {name}: make it again under the "
            f"same name (aws ecr create-repository --repository-name {repository}), or delete the stack"
        )


def _roles(model: Model, found: Found) -> Iterator[str]:
    for logical, role in roles_of(model).items():
        name = path_and_name(role)[1]
        if name in found.roles and not (found.stack and found.stack.resources.get(logical) == name):
            yield (
                f"the role {name} is there and belongs to no stack of this model. Leave it to whoever made it "
                f"(docs/aws.md has the policies that it needs), or name another one as {KEYS[logical]}"
            )


def deviations(found: Found) -> list[str]:
    """Where the repository differs from one that the stack would make."""
    settings = found.repository
    if settings is None:
        return []
    notes = []
    if not settings.mutability.startswith("IMMUTABLE"):
        notes.append("its tags can be moved to other images (tag mutability): set them to immutable")
    if not settings.scans:
        notes.append("it does not scan on push, unless the registry's own settings say so")
    if settings.lifecycle and expires_tagged(settings.lifecycle):
        notes.append(
            "its lifecycle policy expires tagged images: a rollback may not find the version that it needs"
        )
    return [f"ECR repository {settings.name}: {note}" for note in notes]


def expires_tagged(policy: str) -> bool:
    rules = json.loads(policy).get("rules", [])
    return any(rule.get("selection", {}).get("tagStatus") != "untagged" for rule in rules)
