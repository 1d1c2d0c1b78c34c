"""One IAM role as its account sees it: whom it trusts, and what its policies allow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from generator.adapters.aws import Aws, Refused

_ABSENT = ("NoSuchEntity", "NoSuchEntityException")


@dataclass(frozen=True)
class Role:
    """A role. Documents are as IAM gives them: parsed, or text that is no JSON."""

    arn: str
    trust: Any
    policies: tuple[Any, ...]
    boundary: str | None  # the ARN of what bounds it


def find_role(aws: Aws, name: str) -> Role | None:
    """None where the account has no such role."""
    try:
        found = aws.call("iam", "get_role", on=f"role/{name}", RoleName=name)["Role"]
    except Refused as error:
        if error.code in _ABSENT:
            return None
        raise
    boundary = found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
    policies = (*_inline(aws, name), *_attached(aws, name))
    return Role(str(found["Arn"]), found["AssumeRolePolicyDocument"], policies, boundary)


def _inline(aws: Aws, role: str) -> Iterator[Any]:
    on = f"role/{role}"
    for name in aws.call("iam", "list_role_policies", on=on, RoleName=role)["PolicyNames"]:
        yield aws.call("iam", "get_role_policy", on=on, RoleName=role, PolicyName=name)["PolicyDocument"]


def _attached(aws: Aws, role: str) -> Iterator[Any]:
    listed = aws.call("iam", "list_attached_role_policies", on=f"role/{role}", RoleName=role)
    for arn in (item["PolicyArn"] for item in listed["AttachedPolicies"]):
        version = aws.call("iam", "get_policy", on=arn, PolicyArn=arn)["Policy"]["DefaultVersionId"]
        found = aws.call("iam", "get_policy_version", on=arn, PolicyArn=arn, VersionId=version)
        yield found["PolicyVersion"]["Document"]
