"""Reads IAM policy documents: whom a role trusts, and what it may do. No network, nothing but the documents.

What has a form that is not decided here is said to be so, never passed over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from generator.adapters.aws import AUDIENCE, GITHUB_ISSUER
from generator.bootstrap.identity import Identity

ASSUME = "sts:AssumeRoleWithWebIdentity"
_EXACT, _LIKE = "StringEquals", "StringLike"
_PASSES_WITHOUT = re.compile(r"IfExists$|^ForAllValues:")


class NotUnderstood(Exception):
    """A document has a form that is not decided here."""


@dataclass(frozen=True)
class Trusted:
    """Whose tokens a role is there for."""

    identity: Identity
    environment: str  # GitHub's, of the job that assumes it
    tag_prefix: str
    provider: str | None  # the ARN of the account's provider, where it has one

    @property
    def subjects(self) -> tuple[str, str]:
        """GitHub writes the second form for newer repositories."""
        by, where = self.identity, f"environment:{self.environment}"
        return (
            f"repo:{by.owner}/{by.name}:{where}",
            f"repo:{by.owner}@{by.owner_id}/{by.name}@{by.repository_id}:{where}",
        )


@dataclass(frozen=True)
class Claim:
    """What a statement must ask of one claim of a token."""

    name: str
    samples: tuple[str, ...]  # values of our tokens
    ours: Callable[[str], bool]  # whether a pattern lets in nobody else
    without: str  # who gets in where it is not asked


def claims_of(trusted: Trusted) -> tuple[Claim, ...]:
    """The four conditions. Each is needed: without it somebody else gets in."""
    tags, number = f"refs/tags/{trusted.tag_prefix}", str(trusted.identity.repository_id)
    return (
        Claim("aud", (AUDIENCE,), lambda text: text == AUDIENCE, "tokens made for another service"),
        Claim("sub", trusted.subjects, lambda text: text in trusted.subjects, "any job of any repository"),
        Claim("repository_id", (number,), lambda text: text == number, "a repository that gets the name later"),
        Claim("ref", (f"{tags}0.1.0", f"{tags}1.2.3"), lambda text: text.startswith(tags), "any branch"),
    )


def like(pattern: str, text: str) -> bool:
    """IAM's wildcards: * is any text, ? any one character."""
    parts = {"*": ".*", "?": "."}
    return re.fullmatch("".join(parts.get(c, re.escape(c)) for c in pattern), text, re.DOTALL) is not None


def trust_problems(document: Any, trusted: Trusted) -> list[str]:
    """Why the role's trust policy keeps our release tags out, or lets others in."""
    found: list[str] = []
    admitting = 0
    for statement in statements(document):
        if not _about_tokens(statement):
            found += _others(statement)
            continue
        if statement.get("Effect") != "Allow":
            raise NotUnderstood("a Deny in the trust policy")
        admitting += 1
        found += _provider(statement, trusted)
        found += _conditions(statement.get("Condition") or {}, trusted)
    if not admitting:
        found.append("it trusts no tokens of GitHub Actions: no workflow can assume it")
    return found


def statements(document: Any) -> list[Mapping[str, Any]]:
    given = document.get("Statement") if isinstance(document, dict) else None
    listed = [given] if isinstance(given, dict) else given
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise NotUnderstood("what AWS shows is no policy document")
    if any(key in item for item in listed for key in ("NotPrincipal", "NotAction", "NotResource")):
        raise NotUnderstood("a statement says what it does not mean (NotPrincipal, NotAction or NotResource)")
    return listed


def _about_tokens(statement: Mapping[str, Any]) -> bool:
    actions = any(like(action.lower(), ASSUME.lower()) for action in listed(statement.get("Action", [])))
    principal = statement.get("Principal")
    return actions and (
        principal == "*" or (isinstance(principal, dict) and bool({"Federated", "*"} & set(principal)))
    )


def _others(statement: Mapping[str, Any]) -> Iterator[str]:
    principal = statement.get("Principal")
    if statement.get("Effect") != "Allow":
        return
    names = (
        [principal] if isinstance(principal, str) else [x for v in (principal or {}).values() for x in listed(v)]
    )
    yield f"it may also be assumed by {', '.join(map(str, names))[:200]}"


def _provider(statement: Mapping[str, Any], trusted: Trusted) -> Iterator[str]:
    principal = statement["Principal"]
    if principal == "*":
        yield "it trusts every issuer of tokens (Principal: *)"
        return
    for arn in listed(principal.get("Federated", [])):
        if not arn.endswith(f":oidc-provider/{GITHUB_ISSUER}"):
            yield f"it trusts tokens of another issuer, {arn}"
        elif trusted.provider is not None and arn != trusted.provider:
            yield f"it trusts the provider {arn}, and this account has {trusted.provider}"


def _conditions(conditions: Mapping[str, Mapping[str, Any]], trusted: Trusted) -> Iterator[str]:
    asked = _by_claim(conditions)
    for claim in claims_of(trusted):
        given = asked.pop(claim.name, [])
        if not given:
            yield f"it does not ask for the claim {claim.name}: {claim.without} gets in"
        for operator, values in given:
            yield from _of_claim(claim, operator, values)
    for name in asked:
        raise NotUnderstood(f"a condition on {name}")


def _by_claim(conditions: Mapping[str, Mapping[str, Any]]) -> dict[str, list[tuple[str, list[str]]]]:
    found: dict[str, list[tuple[str, list[str]]]] = {}
    for operator, keys in conditions.items():
        for key, values in keys.items():
            issuer, _, name = key.rpartition(":")
            if issuer.lower() != GITHUB_ISSUER:
                raise NotUnderstood(f"a condition on {key}")
            found.setdefault(name.lower(), []).append((operator, listed(values)))
    return found


def _of_claim(claim: Claim, operator: str, values: list[str]) -> Iterator[str]:
    if _PASSES_WITHOUT.search(operator):
        yield f"{operator} on {claim.name} holds for a token without that claim: {claim.without} gets in"
        return
    plain = operator.removeprefix("ForAnyValue:")
    if plain not in (_EXACT, _LIKE):
        raise NotUnderstood(f"the operator {operator}")
    matches = like if plain == _LIKE else str.__eq__
    for value in values:
        wild = plain == _LIKE and any(sign in value for sign in "*?")
        if not claim.ours(value):
            yield f"its condition on {claim.name} is too wide: {value} lets others in, too"
        elif wild and claim.name != "ref":
            yield f"its condition on {claim.name} has wildcards: {value}"
    if not any(matches(value, sample) for value in values for sample in claim.samples):
        yield (
            f"it keeps this repository's release tags out: {claim.name} must be {' or '.join(values)[:300]}, "
            f"and their tokens say {claim.samples[-1]}"
        )


def one_form(document: Any, trusted: Trusted) -> str | None:
    """The form of the subject that is missing where the other is there: a repository's age decides which comes."""
    text = str(document)
    there = [subject in text for subject in trusted.subjects]
    return None if all(there) or not any(there) else trusted.subjects[there.index(False)]


def missing_rights(documents: Collection[Any], actions: Mapping[str, str]) -> list[str]:
    """Those of `actions` (each on its resource) that no statement allows, or that one denies."""
    rules = [statement for document in documents for statement in statements(document)]

    def applies(effect: str, action: str, resource: str) -> bool:
        return any(
            rule.get("Effect") == effect
            and (effect == "Deny" or not rule.get("Condition"))
            and any(like(item.lower(), action.lower()) for item in listed(rule.get("Action", [])))
            and any(like(item, resource) for item in listed(rule.get("Resource", [])))
            for rule in rules
        )

    return [
        action
        for action, resource in actions.items()
        if not applies("Allow", action, resource) or applies("Deny", action, resource)
    ]


def listed(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str) for item in values):
        raise NotUnderstood(f"{str(value)[:100]} where text belongs")
    return values
