"""What a person should know of a repository's settings: what no token can set, and what is looser than needed."""

from __future__ import annotations

from collections.abc import Iterator

from generator.adapters.github import GitHub
from generator.adapters.github.environments import EnvironmentSettings
from generator.adapters.github.facts import RepositoryFacts, Reviewer
from generator.adapters.github.refusals import NotOffered, Refused
from generator.adapters.github.rulesets import Ruleset
from generator.bootstrap.github_environments import WantedEnvironment
from generator.bootstrap.github_rules import IN_THE_WAY
from generator.config.workspace import Workspace
from generator.errors import GeneratorError
from generator.plan import pins

WITHOUT_REVIEWERS = (
    "(Private repositories have required reviewers with GitHub Enterprise alone. Instead: `via: pull-request` for "
    "that environment, whose merge is the approval.)"
)
WITHOUT_RULES = (
    "(Private repositories have rulesets from GitHub Pro and Team on. Instead: give the right to push to those "
    "alone who may release.)"
)


def of_repository(facts: RepositoryFacts, workspace: Workspace) -> Iterator[str]:
    """Raises GeneratorError where model.yaml means another repository."""
    for model in workspace:
        said = model.config.repository
        for name, given, real in (("id", said.id, facts.id), ("owner_id", said.owner_id, facts.owner_id)):
            if given is not None and given != real:
                raise GeneratorError(
                    f"{model.shown} says repository.{name}: {given}, GitHub says {real}: correct it"
                )
    yield f"{facts.slug} is repository {facts.id} of owner {facts.owner_id} (for `generator bootstrap aws`)"
    branches = {model.config.repository.branch for model in workspace} - {facts.default_branch}
    if branches:
        yield (
            f"GitHub's default branch is {facts.default_branch}, not {', '.join(sorted(branches))}: schedules and "
            "buttons of workflows are taken from the default branch"
        )
    if facts.admin is False:
        yield "this token's user does not administer the repository: an administrator must run --apply"


def of_reviewers(name: str, found: EnvironmentSettings | None, reviewers: tuple[Reviewer, ...]) -> Iterator[str]:
    there = found.reviewers if found else ()
    if there and (more := [reviewer.name for reviewer in reviewers if reviewer not in there]):
        yield f"{name} has reviewers; add {', '.join(more)} by hand if that is meant: each may approve alone"


MAKE_KEY = (
    "make a pair (`ssh-keygen -t ed25519 -N '' -f key`), give GitHub the public half (`gh repo deploy-key add "
    "key.pub --allow-write --title tagship`) and the environment the private one (`gh secret set "
    "TAGSHIP_DEPLOY_KEY --env tagship-deploy < key`), and delete both files"
)
_VALUES = {
    "TAGSHIP_KNOWN_HOSTS": "the SSH host keys of your server, one `HOST TYPE KEY` a line",
    "TAGSHIP_PUBLISH_ROLE": "the release role (`generator bootstrap aws` makes one)",
    "TAGSHIP_APP_CLIENT_ID": "the GitHub App's client id",
}


def of_values(github: GitHub, wanted: WantedEnvironment, *, exists: bool) -> Iterator[str]:
    """Secrets and variables that the environment's jobs read and nobody has set there."""
    try:
        secrets = set(github.environments.secret_names(wanted.name)) if exists and wanted.secrets else set()
        variables = set(github.environments.variables(wanted.name)) if exists and wanted.variables else set()
    except Refused as error:
        yield f"secrets and variables of {wanted.name} were not looked at: {error}"
        return
    for name in sorted(wanted.secrets - secrets):
        yield f"set the secret {name} yourself: gh secret set {name} --env {wanted.name}"
    for name in sorted(wanted.variables - variables):
        value = _VALUES.get(name, "what your workflows need")
        yield f"set the variable {name} to {value}: gh variable set {name} --env {wanted.name}"


def of_ruleset(found: Ruleset, missing: list[str]) -> Iterator[str]:
    if missing:
        yield (
            f'"{found.name}" is there and does not let {", ".join(missing)} by: add them by hand if that is meant '
            "(Settings, Rules)"
        )
    if found.exclude:
        yield f'"{found.name}" leaves out {", ".join(found.exclude)}: look whether that is meant'


def of_push(github: GitHub, workspace: Workspace, *, app: bool) -> Iterator[str]:
    """What stands in the way of the deploy commit."""
    modes = {model.config.deploy.push.mode for model in workspace if model.config.deploy.repository == "same"}
    if "app" in modes and not app:
        yield (
            "`deploy.push.mode: app` needs a GitHub App, which nothing can make for you: make one with Contents, "
            "Pull requests and (for `retrain`) Workflows: write, and (for `approval`) Actions: read; install it "
            "here, and give its number with --app, so that pull requests can be required"
        )
    if "deploy-key" in modes:
        yield from _of_deploy_keys(github)
    if "token" not in modes:
        return
    for branch in sorted({model.config.repository.branch for model in workspace}):
        try:
            rules = github.rulesets.on_branch(branch)
        except NotOffered:
            return
        blocking = sorted({rule["type"] for rule in rules} & IN_THE_WAY)
        if blocking:
            yield (
                f"{branch} has rules ({', '.join(blocking)}) that the workflow's own token cannot pass: a deploy "
                "commit will be refused; set `deploy.push.mode` to app or deploy-key"
            )


def _of_deploy_keys(github: GitHub) -> Iterator[str]:
    try:
        writers = [key.title for key in github.facts.deploy_keys() if key.writes]
    except Refused as error:
        yield f"deploy keys were not looked at: {error}"
        return
    if not writers:
        yield f"no deploy key may write: {MAKE_KEY}"
    if len(writers) > 1:
        yield f"{len(writers)} deploy keys may write ({', '.join(writers)}): every one of them passes the rules"


def of_actions(github: GitHub) -> Iterator[str]:
    try:
        settings = github.facts.actions()
    except Refused as error:
        yield f"the settings of Actions were not looked at: {error}"
        return
    if not settings.enabled:
        yield "Actions are switched off: no workflow runs (Settings, Actions)"
    if settings.allowed != "all":
        yield f"only some actions are allowed here; the workflows need {', '.join(sorted(pins.PINS))}"
    if settings.may_approve:
        yield "workflows may create and approve pull requests; nothing needs it: switch it off (Settings, Actions)"
    if settings.default_write:
        yield "jobs that name no permissions may write; those generated here name theirs: make read the default"
