"""GitHub's environments: which ones the workflows name, and what each must at least be.

What a release needs is added, what is wider than that is narrowed, and what is there for the same purpose stays as
narrow as somebody made it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from generator.adapters.github.environments import EnvironmentSettings, Pattern
from generator.adapters.github.facts import Reviewer
from generator.config.model import Model, Target
from generator.config.workspace import Workspace
from generator.plan.credentials import KNOWN_HOSTS, known_hosts_needed
from generator.plan.naming import NOTIFY_ENVIRONMENT, approval_environment
from generator.plan.observing import OBSERVE_ENVIRONMENT
from generator.plan.pipeline import JOBS
from generator.plan.workflows import PlannedJob, plan_job

_READS = re.compile(r"\b(secrets|vars)\.(\w+)")
VERSIONS = "[0-9]*"  # after a model's tag prefix; wildcards match no slash


@dataclass(frozen=True)
class WantedEnvironment:
    """An environment that workflows name."""

    name: str
    patterns: frozenset[Pattern]
    approval: bool = False  # whether somebody must be asked
    secrets: frozenset[str] = frozenset()  # that its jobs read
    variables: frozenset[str] = frozenset()


def release_tags(model: Model) -> str:
    """The pattern of a model's release tags."""
    return f"{model.tag_prefix}{VERSIONS}"


def wanted_environments(workspace: Workspace) -> tuple[WantedEnvironment, ...]:
    """What the generated workflows name, in order."""
    found: dict[str, WantedEnvironment] = {}
    for model in workspace:
        for one in (*_of_jobs(model), *_of_watches(model), *_of_messages(model), *_of_approvals(model)):
            before = found.setdefault(one.name, one)
            found[one.name] = replace(
                before,
                patterns=before.patterns | one.patterns,
                secrets=before.secrets | one.secrets,
                variables=before.variables | one.variables,
            )
    return tuple(found.values())


def _of_jobs(model: Model) -> Iterator[WantedEnvironment]:
    tags = frozenset({Pattern("tag", release_tags(model))})
    for job in JOBS:
        planned = plan_job(job, model)
        if planned.environment is None:
            continue
        read = {(kind, name) for text in _expressions(planned) for kind, name in _READS.findall(text)}
        secrets = frozenset(name for kind, name in read if kind == "secrets")
        variables = frozenset(name for kind, name in read if kind == "vars")
        if not known_hosts_needed(model):  # empty is as good
            variables -= {KNOWN_HOSTS}
        # Promotions and rollbacks push, too; they run on the branch.
        branch = {Pattern("branch", model.config.repository.branch)} if planned.push else set()
        yield WantedEnvironment(planned.environment, tags | branch, secrets=secrets, variables=variables)


def _of_watches(model: Model) -> Iterator[WantedEnvironment]:
    """Rollouts of later environments are watched on the branch, where promotions come from."""
    branch = frozenset({Pattern("branch", model.config.repository.branch)})
    for target in model.targets[1:]:
        if target.observe is not None and not model.separate:
            secret = target.observe.kubeconfig
            yield WantedEnvironment(OBSERVE_ENVIRONMENT, branch, secrets=frozenset({secret} if secret else ()))


def _of_messages(model: Model) -> Iterator[WantedEnvironment]:
    """Releases tell what happened from a tag, promotions and rollbacks from the branch."""
    if (webhook := model.config.notify.webhook) is not None:
        patterns = {Pattern("tag", release_tags(model)), Pattern("branch", model.config.repository.branch)}
        yield WantedEnvironment(NOTIFY_ENVIRONMENT, frozenset(patterns), secrets=frozenset({webhook}))


def _expressions(job: PlannedJob) -> Iterator[str]:
    for step in job.steps:
        yield from step.env.values()
    if job.aws:
        yield job.aws.role
    if job.push and job.push.app:
        yield from (job.push.client_id, job.push.private_key)
    if job.login:
        yield from (job.login.user, job.login.password)


def _of_approvals(model: Model) -> Iterator[WantedEnvironment]:
    for target in model.targets:
        if target.settings.approval:
            patterns = frozenset(_approving_refs(model, target))
            yield WantedEnvironment(approval_environment(model, target.name), patterns, approval=True)


def _approving_refs(model: Model, target: Target) -> Iterator[Pattern]:
    """A promotion runs on the branch; what comes to the first environment runs on a release tag."""
    yield Pattern("branch", model.config.repository.branch)
    if target is model.targets[0]:
        yield Pattern("tag", release_tags(model))


def settled(
    wanted: WantedEnvironment, found: EnvironmentSettings | None, reviewers: tuple[Reviewer, ...]
) -> EnvironmentSettings:
    """What the environment becomes. Reviewers that are there stay: each one more could approve alone."""
    found = found or EnvironmentSettings()
    asked = found.reviewers or (reviewers if wanted.approval else ())
    only_branches = all(pattern.kind == "branch" for pattern in wanted.patterns)
    if found.refs == "protected" and only_branches:
        return replace(found, reviewers=asked)
    return replace(found, reviewers=asked, refs="listed", patterns=_patterns(wanted, found))


def _patterns(wanted: WantedEnvironment, found: EnvironmentSettings) -> frozenset[Pattern]:
    made: set[Pattern] = set()
    for pattern in wanted.patterns:
        made |= {old for old in found.patterns if _serves(old, pattern)} or {pattern}
    return frozenset(made)


def _serves(old: Pattern, wanted: Pattern) -> bool:
    """Whether `old` is there for what `wanted` is for, and no wider: that branch, or some of those tags."""
    if old.kind == "branch" or wanted.kind == "branch":
        return old == wanted
    prefix = re.escape(wanted.name.removesuffix(VERSIONS))
    return re.match(rf"{prefix}(\d|\[[\d-]+\])", old.name) is not None
