"""GitHub's rulesets: what nobody may do to the release branch and to release tags, and who may all the same.

A ruleset of ours that is there is made stricter where it must be and never more permissive: whoever may bypass it
was decided by a person, and stays decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from generator.adapters.github.rulesets import Ruleset
from generator.bootstrap.github_environments import release_tags
from generator.config.workspace import Workspace
from generator.plan.workflows import REQUIRED_CHECK

BRANCH, PULLS, TAGS = "tagship: release branch", "tagship: pull requests", "tagship: release tags"
_ADMIN_ROLE = 5  # GitHub's number of the role "admin" of a repository
# What keeps a commit by the workflow's own token from landing.
IN_THE_WAY = frozenset(
    {"pull_request", "required_status_checks", "update", "merge_queue", "required_signatures", "workflows"}
)


@dataclass(frozen=True)
class Actor:
    """Who may bypass a ruleset."""

    kind: str  # Team, RepositoryRole, Integration (an App) or DeployKey
    id: int | None
    name: str

    def body(self) -> dict[str, Any]:
        return {"actor_type": self.kind, "actor_id": self.id, "bypass_mode": "always"}


ADMINS = Actor("RepositoryRole", _ADMIN_ROLE, "administrators")
DEPLOY_KEYS = Actor("DeployKey", None, "deploy keys")


@dataclass(frozen=True)
class WantedRules:
    """A ruleset as it shall at least be, and in words."""

    ruleset: Ruleset
    says: str
    actors: tuple[Actor, ...] = ()


def wanted_rules(
    workspace: Workspace, *, team: Actor | None, app: Actor | None, checker: int | None
) -> Iterator[WantedRules]:
    """The rulesets that this repository's models and ways of pushing allow. `checker`: the App of Actions."""
    branches = sorted({model.config.repository.branch for model in workspace})
    refs = tuple(f"refs/heads/{branch}" for branch in branches)
    shown = ", ".join(branches)
    rules: tuple[dict[str, Any], ...] = ({"type": "deletion"}, {"type": "non_fast_forward"})
    yield WantedRules(_ruleset(BRANCH, "branch", refs, rules), f"{shown} is never deleted or rewritten")
    actors = _pushers(workspace, app)
    if actors is not None:
        by = f"; {', '.join(actor.name for actor in actors)} may push" if actors else ""
        says = f"{shown} takes pull requests that pass {REQUIRED_CHECK}{by}"
        yield WantedRules(_ruleset(PULLS, "branch", refs, _pull_rules(checker), actors), says, actors)
    tags = sorted(release_tags(model) for model in workspace)
    makers = (team or ADMINS, *((app,) if app else ()), *_retrainers(workspace))
    rules = ({"type": "creation"}, {"type": "update"}, {"type": "deletion"})
    says = f"only {' and '.join(actor.name for actor in makers)} may make, move or delete {', '.join(tags)}"
    yield WantedRules(
        _ruleset(TAGS, "tag", tuple(f"refs/tags/{tag}" for tag in tags), rules, makers), says, makers
    )


def _pushers(workspace: Workspace, app: Actor | None) -> tuple[Actor, ...] | None:
    """Who pushes deploy commits past required pull requests; None where these would keep a deploy from landing."""
    modes = {model.config.deploy.push.mode for model in workspace if model.config.deploy.repository == "same"}
    if "token" in modes or ("app" in modes and app is None):
        return None  # nothing lets the workflow's own token bypass a rule
    return (*((app,) if app and "app" in modes else ()), *((DEPLOY_KEYS,) if "deploy-key" in modes else ()))


def _retrainers(workspace: Workspace) -> tuple[Actor, ...]:
    """Deploy keys, where one pushes the tag of a retraining."""
    modes = {model.config.deploy.push.mode for model in workspace if model.config.retrain is not None}
    return (DEPLOY_KEYS,) if "deploy-key" in modes else ()


def _pull_rules(checker: int | None) -> tuple[dict[str, Any], ...]:
    """Pull requests, and their check: by Actions alone, since every App may report one of any name."""
    check = {"context": REQUIRED_CHECK, **({} if checker is None else {"integration_id": checker})}
    reviews = {
        "dismiss_stale_reviews_on_push": True,
        "require_code_owner_review": False,
        "require_last_push_approval": False,
        "required_approving_review_count": 0,
        "required_review_thread_resolution": False,
    }
    checks = {"required_status_checks": [check], "strict_required_status_checks_policy": True}
    return (
        {"type": "pull_request", "parameters": reviews},
        {"type": "required_status_checks", "parameters": checks},
    )


def unpinned(rules: Iterable[dict[str, Any]]) -> bool:
    """Whether these rules require our check, and any App may report it."""
    checks = [
        check
        for rule in rules
        if rule["type"] == "required_status_checks"
        for check in rule["parameters"]["required_status_checks"]
        if check["context"] == REQUIRED_CHECK
    ]
    return bool(checks) and not any(check.get("integration_id") for check in checks)


def _ruleset(
    name: str,
    target: str,
    refs: tuple[str, ...],
    rules: tuple[dict[str, Any], ...],
    actors: tuple[Actor, ...] = (),
) -> Ruleset:
    return Ruleset(name, target, "active", refs, (), rules, tuple(actor.body() for actor in actors))


def stricter(wanted: Ruleset, found: Ruleset | None) -> Ruleset:
    """`found` with what `wanted` asks beyond it. Who may bypass it, and what it leaves out, stays."""
    if found is None:
        return wanted
    missing = () if "~ALL" in found.include else tuple(ref for ref in wanted.include if ref not in found.include)
    return replace(
        found,
        enforcement="active",
        include=(*found.include, *missing),
        rules=_rules(wanted.rules, found.rules),
    )


def _rules(wanted: tuple[dict[str, Any], ...], found: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
    asked = {rule["type"]: rule.get("parameters", {}) for rule in wanted}
    there = {rule["type"] for rule in found}
    kept = [_rule(rule, asked.get(rule["type"], {})) for rule in found]
    return (*kept, *(rule for rule in wanted if rule["type"] not in there))


def _rule(found: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """A rule that is there, each parameter the stricter of both."""
    if not asked:
        return found
    have = found.get("parameters", {})
    return {
        **found,
        "parameters": {**have, **{key: _strict(have.get(key), value) for key, value in asked.items()}},
    }


def _strict(have: Any, asked: Any) -> Any:
    if have is None:
        return asked
    if isinstance(asked, bool):
        return have or asked
    if isinstance(asked, int):
        return max(have, asked)
    return _checks(have, asked)


def _checks(have: list[dict[str, Any]], asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Both lists of required checks. One that any App may report gets the App asked for; another App's stays."""
    named = {item["context"]: item for item in asked}
    kept = [item if item.get("integration_id") else {**item, **named.get(item["context"], {})} for item in have]
    contexts = {item["context"] for item in have}
    return [*kept, *(item for item in asked if item["context"] not in contexts)]


def missing_actors(wanted: WantedRules, found: Ruleset) -> list[str]:
    """Names of those who were to bypass a ruleset that is there, and may not."""
    if found.bypass is None:
        return []
    there = {(item["actor_type"], item.get("actor_id")) for item in found.bypass}
    keys = {kind for kind, _ in there}
    return [
        actor.name
        for actor in wanted.actors
        if (actor.kind, actor.id) not in there and not (actor.kind == "DeployKey" and "DeployKey" in keys)
    ]
