"""`bootstrap aws`: looks at the account, and makes what the plan says, as a change set that is seen first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from generator.adapters.aws import Aws
from generator.adapters.cloudformation import ChangeSet, CloudFormation
from generator.adapters.ecr_repository import EcrRepository
from generator.adapters.iam import Iam
from generator.bootstrap.aws_facts import (
    Cluster,
    Found,
    cluster_of,
    image_repository,
    place_of,
    pull_role,
    roles_of,
    stack_of,
)
from generator.bootstrap.aws_plan import Plan
from generator.config.model import Model
from generator.errors import GeneratorError


def door(model: Model) -> Aws:
    """AWS in the region of the model's registry, with the credentials of whoever runs this."""
    allow = "for whoever runs this command"
    return Aws(place_of(model).region, needs="setting AWS up", allow=allow)


def check_account(model: Model, aws: Aws) -> None:
    """Raises GeneratorError unless the credentials are of the registry's account."""
    account, wanted = aws.account(), place_of(model).account
    if account != wanted:
        raise GeneratorError(
            f"these AWS credentials are of account {account}, but {model.shown} publishes to {wanted} "
            "(image.registry): log in to that one, for example with AWS_PROFILE"
        )


def look(model: Model, aws: Aws, asked: Cluster | Literal[False] | None = None) -> Found:
    """What the account holds; only reads. Raises GeneratorError in the wrong account."""
    check_account(model, aws)
    iam, stack = Iam(aws), CloudFormation(aws).find(stack_of(model))
    cluster = cluster_of(asked, stack)
    roles = [arn.rsplit("/", 1)[1] for arn in roles_of(model).values()]
    roles += [pull_role(model)] if cluster else []
    return Found(
        provider=iam.github_provider(),
        repository=EcrRepository(aws, place_of(model), image_repository(model)).settings(),
        stack=stack,
        cluster=iam.provider(cluster.issuer) if cluster else None,
        roles=tuple(name for name in roles if iam.has_role(name)),
    )


@dataclass(frozen=True)
class Applying:
    """Whom applying asks and tells."""

    approve: Callable[[ChangeSet], bool]
    say: Callable[[str], None]
    pause: float = 2  # seconds between two looks


def apply(plan: Plan, aws: Aws, found: Found, with_: Applying) -> Mapping[str, str] | None:
    """Makes what `plan` says; the stack's outputs, or None where there was nothing to change.

    Nothing is made before `approve` says yes. Raises GeneratorError when it says no, or when anything fails.
    """
    if plan.problems:
        raise GeneratorError("\n".join(plan.problems))
    stacks = CloudFormation(aws, pause=with_.pause)
    change_set = stacks.propose(
        plan.stack, plan.template, plan.parameters, new=found.stack is None, tags=plan.tags
    )
    if change_set is not None and not _approved(change_set, stacks, with_):
        raise GeneratorError("nothing was changed")
    for issuer in plan.makes_providers:
        Iam(aws).make_provider(issuer)
        with_.say(f"made the account's OIDC provider for {issuer}, outside of the stack")
    return stacks.execute(change_set, with_.say) if change_set else None


def _approved(change_set: ChangeSet, stacks: CloudFormation, with_: Applying) -> bool:
    """Asks. A change that nobody wants, or whose asking was interrupted, leaves nothing behind."""
    approved = False
    try:
        approved = with_.approve(change_set)
    finally:
        if not approved:
            stacks.discard(change_set)
    return approved
