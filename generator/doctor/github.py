"""GitHub: what `bootstrap github` would change, what workflows read and nobody has set, settings of Actions."""

from __future__ import annotations

import os

from generator.adapters.git_state import GitState
from generator.adapters.github import GitHub, connect
from generator.adapters.github.facts import RepositoryFacts
from generator.adapters.github.refusals import Refused
from generator.bootstrap.github import NOTHING, address_of, propose
from generator.bootstrap.github_environments import WantedEnvironment, wanted_environments
from generator.bootstrap.github_notes import MAKE_KEY
from generator.bootstrap.github_people import Wishes
from generator.bootstrap.github_rules import IN_THE_WAY, unpinned
from generator.config.workspace import Workspace
from generator.doctor.finding import Finding, Findings, Severity, Subject, in_two, not_checked
from generator.errors import GeneratorError
from generator.plan import pins
from generator.plan.workflows import REQUIRED_CHECK

AREA = "GitHub"
PATIENCE = 15.0
_SETTINGS = "Settings, Actions, General"
_APPLY = "run `generator bootstrap github --apply`"


def check(subject: Subject) -> Findings:
    workspace = subject.workspace
    assert workspace is not None
    github = connect(address_of(workspace, GitState(subject.root).origin()), os.environ, patience=PATIENCE)
    facts = github.facts.repository()
    if facts is None:
        what, fix = (
            "GitHub shows this token no such repository",
            "check repository.url, and what the token may see",
        )
        yield Finding(AREA, Severity.ERROR, what, github.slug, fix)
        return
    wrong = list(_identity(facts, workspace))
    yield from wrong
    if not wrong:
        yield from _proposed(github, workspace)
    for environment in wanted_environments(workspace):
        yield from _values(github, environment)
    yield from _actions(github)
    yield from _push(github, workspace)
    if any(model.config.deploy.push.mode == "deploy-key" for model in workspace):
        yield from _deploy_keys(github)


def _identity(facts: RepositoryFacts, workspace: Workspace) -> Findings:
    for model in workspace:
        said = model.config.repository
        for key, given, real in (("id", said.id, facts.id), ("owner_id", said.owner_id, facts.owner_id)):
            if given not in (None, real):
                what = f"repository.{key} is {given}, and GitHub says {real}: AWS would trust another repository"
                fix = f"write {key}: {real}, then run `generator bootstrap aws --apply`"
                yield Finding(AREA, Severity.ERROR, what, model.shown, fix)
        if said.branch != facts.default_branch:
            what = f"the default branch is {facts.default_branch}, not {said.branch}: buttons start there"
            fix = f"make {said.branch} the default branch (Settings, General), or correct repository.branch"
            yield Finding(AREA, Severity.WARNING, what, model.shown, fix)


def _proposed(github: GitHub, workspace: Workspace) -> Findings:
    """The lines that differ. What exists and is too wide, or is not there, protects nothing."""
    proposal = propose(github, workspace, Wishes())
    for line in proposal.lines:
        if line.change != NOTHING:
            what = f"{line.what.strip()}: {line.now}; wanted: {line.wanted}"
            yield Finding(AREA, Severity.ERROR, what, github.slug, _APPLY)
    for unmet in proposal.unmet:
        fix = f"{_APPLY} --reviewer @ORG/TEAM" if "nobody is asked" in unmet else in_two(unmet)[1]
        severity = Severity.ERROR if "nobody is asked" in unmet else Severity.WARNING
        yield Finding(AREA, severity, in_two(unmet)[0], github.slug, fix)


def _values(github: GitHub, wanted: WantedEnvironment) -> Findings:
    """Secrets and variables that jobs read, by the name alone."""
    try:
        secrets = set(github.environments.secret_names(wanted.name)) if wanted.secrets else set()
        variables = set(github.environments.variables(wanted.name)) if wanted.variables else set()
    except Refused as error:
        yield not_checked(AREA, f"secrets and variables of {wanted.name}: {error}", wanted.name)
        return
    missing = [("secret", name) for name in sorted(wanted.secrets - secrets)]
    missing += [("variable", name) for name in sorted(wanted.variables - variables)]
    for kind, name in missing:
        what = f"the environment {wanted.name} has no {kind} {name}, which a job reads"
        yield Finding(AREA, Severity.ERROR, what, wanted.name, f"run `gh {kind} set {name} --env {wanted.name}`")


def _actions(github: GitHub) -> Findings:
    try:
        settings = github.facts.actions()
    except Refused as error:
        yield not_checked(AREA, f"the settings of Actions: {error}", github.slug)
        return
    if not settings.enabled:
        what = "Actions are switched off: no workflow runs"
        yield Finding(AREA, Severity.ERROR, what, github.slug, f"switch them on ({_SETTINGS})")
    if settings.allowed != "all":
        fix = f"allow {', '.join(sorted(pins.PINS))} ({_SETTINGS})"
        yield Finding(
            AREA, Severity.WARNING, f"not all actions are allowed ({settings.allowed})", github.slug, fix
        )
    if settings.may_approve:
        what = "workflows may create and approve pull requests, which nothing needs: one could approve itself"
        yield Finding(AREA, Severity.WARNING, what, github.slug, f"switch it off ({_SETTINGS})")
    if settings.default_write:
        what = "jobs that name no permissions may write"
        fix = f"make `read repository contents` the default ({_SETTINGS})"
        yield Finding(AREA, Severity.WARNING, what, github.slug, fix)


def _push(github: GitHub, workspace: Workspace) -> Findings:
    """Rules that the deploy commit of the workflow's own token cannot pass."""
    for branch in sorted({m.config.repository.branch for m in workspace if m.config.deploy.push.mode == "token"}):
        try:
            rules = github.rulesets.on_branch(branch)
        except GeneratorError as error:
            yield not_checked(AREA, f"the rules of {branch}: {error}", github.slug)
            continue
        if unpinned(rules):  # in other modes it is our own ruleset that requires the check
            what = f"{branch} requires {REQUIRED_CHECK} from anybody: every App that may write checks can pass it"
            fix = f"choose GitHub Actions as the source of {REQUIRED_CHECK} in that rule (Settings, Rules)"
            yield Finding(AREA, Severity.WARNING, what, branch, fix)
        if blocking := sorted({rule["type"] for rule in rules} & IN_THE_WAY):
            what = (
                f"rules of {branch} ({', '.join(blocking)}) refuse the deploy commit of the workflow's own token"
            )
            fix = (
                "set deploy.push.mode to app or deploy-key, then run `generator generate` and "
                "`generator bootstrap github`"
            )
            yield Finding(AREA, Severity.ERROR, what, branch, fix)


def _deploy_keys(github: GitHub) -> Findings:
    """Whether some deploy key may push; which one the secret holds, GitHub shows nobody."""
    try:
        writers = [key.title for key in github.facts.deploy_keys() if key.writes]
    except GeneratorError as error:
        yield not_checked(AREA, f"deploy keys: {error}", github.slug)
        return
    if not writers:
        what = "no deploy key may write, and `deploy.push.mode: deploy-key` pushes with one"
        yield Finding(AREA, Severity.ERROR, what, github.slug, MAKE_KEY)
    if len(writers) > 1:
        what = f"{len(writers)} deploy keys may write ({', '.join(writers)}): every one of them passes the rules"
        yield Finding(AREA, Severity.WARNING, what, github.slug, "delete those that nobody needs")
