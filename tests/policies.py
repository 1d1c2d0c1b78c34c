"""Decides IAM policy documents as AWS documents it, for the few forms that ours have; anything else is an error.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

ISSUER = "token.actions.githubusercontent.com"
ASSUME = "sts:AssumeRoleWithWebIdentity"
# Claims of GitHub's tokens that STS knows as condition keys.
CLAIMS = ("aud", "sub", "repository_id", "ref", "environment", "job_workflow_ref", "repository", "workflow")
_STATEMENT = {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}


class NotUnderstood(Exception):
    """The document has something that is not decided here."""


def _like(pattern: str, text: str) -> bool:
    """IAM's wildcards: * is any text, ? any one character; nothing else is special."""
    parts = {"*": ".*", "?": "."}
    return re.fullmatch("".join(parts.get(c, re.escape(c)) for c in pattern), text, re.DOTALL) is not None


OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda wanted, given: wanted == given,
    "StringLike": _like,
}


def _listed(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str) for item in values):
        raise NotUnderstood(f"{value!r} is not text")
    return values


def _conditions_hold(conditions: Mapping[str, Mapping[str, Any]], context: Mapping[str, str]) -> bool:
    """All operators and keys must hold, each by one of its values. A key that the request lacks does not hold."""
    known = {f"{ISSUER}:{claim}" for claim in CLAIMS}
    held = True
    for operator, wanted in conditions.items():
        if operator not in OPERATORS:
            raise NotUnderstood(f"operator {operator}")
        for key, values in wanted.items():
            if key not in known:
                raise NotUnderstood(f"condition key {key}")
            given = context.get(key)
            held &= given is not None and any(OPERATORS[operator](value, given) for value in _listed(values))
    return held


def _principal_matches(principal: Any, given: str | None) -> bool:
    if not isinstance(principal, dict) or set(principal) != {"Federated"}:
        raise NotUnderstood(f"principal {principal!r}")
    return given in _listed(principal["Federated"])


def allowed(
    document: Any, action: str, *, resource: str | None = None, federated: str | None = None,
    context: Mapping[str, str] | None = None,
) -> bool:  # fmt: skip
    """Whether `document` alone allows `action`: on `resource`, or, as a trust policy, for who is `federated`."""
    if (
        not isinstance(document, dict)
        or set(document) != {"Version", "Statement"}
        or document["Version"] != "2012-10-17"
    ):
        raise NotUnderstood(f"no document of 2012-10-17: {str(document)[:100]}")
    effects = [_effect(item, action, resource, federated, context or {}) for item in document["Statement"]]
    return "Allow" in effects and "Deny" not in effects


def _effect(
    statement: Any, action: str, resource: str | None, federated: str | None, context: Mapping[str, str]
) -> str | None:
    if unknown := set(statement) - _STATEMENT:
        raise NotUnderstood(f"statement with {sorted(unknown)}")
    if statement["Effect"] not in ("Allow", "Deny"):
        raise NotUnderstood(f"effect {statement['Effect']}")
    if ("Principal" in statement) == ("Resource" in statement):
        raise NotUnderstood("a statement names a principal (trust) or a resource (rights)")
    matches = any(_like(item.lower(), action.lower()) for item in _listed(statement["Action"]))
    matches &= _conditions_hold(statement.get("Condition", {}), context)
    if "Principal" in statement:
        matches &= _principal_matches(statement["Principal"], federated)
    else:
        matches &= any(_like(item, resource or "") for item in _listed(statement["Resource"]))
    return str(statement["Effect"]) if matches else None


def admits(trust: Any, provider: str, claims: Mapping[str, str]) -> bool:
    """Whether a role with this trust policy may be assumed with a token of `provider` that makes these claims."""
    context = {f"{ISSUER}:{name}": value for name, value in claims.items()}
    return allowed(trust, ASSUME, federated=provider, context=context)


def without(document: Any, paths: Iterable[tuple[Any, ...]]) -> Any:
    """A copy of `document` without what stands at `paths`."""
    import copy

    left = copy.deepcopy(document)
    for *way, last in paths:
        place = left
        for key in way:
            place = place[key]
        del place[last]
    return left
