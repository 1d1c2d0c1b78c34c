"""What a promotion shows, and what it asks of GitHub: that somebody approves it, a pull request for its branch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from generator.adapters.git import GitRepository
from generator.adapters.github import connect
from generator.adapters.kustomize import Kustomize, installed
from generator.config.addresses import commit_url
from generator.config.model import Model
from generator.delivery.approval import approval_problem
from generator.delivery.evidence import evidence_text
from generator.delivery.promotion import Promotion, compare_link
from generator.errors import GeneratorError
from generator.plan.naming import approval_environment, workflow_file
from generator.preview.compare import preview
from generator.preview.page import LIMIT, MARKER, page

APPROVED_IN = "APPROVED_IN"  # the attempt of the run in which the approving job ran


def require_approval(model: Model, environment: str, variables: Mapping[str, str]) -> None:
    """Raises GeneratorError where model.yaml asks for an approval that nobody can have given.

    The workflow's own job has waited for it before this runs. What is missing is that somebody had to be asked.
    """
    branch = f"refs/heads/{model.config.repository.branch}"
    if "GITHUB_ACTIONS" in variables and variables.get("GITHUB_REF", branch) != branch:
        raise GeneratorError(
            f"this runs on {variables['GITHUB_REF']}, whose model.yaml may ask nobody: start the workflow on "
            f"{model.config.repository.branch}"
        )
    if not model.target(environment).settings.approval:
        return
    if "GITHUB_ACTIONS" not in variables:
        workflow = PurePosixPath(workflow_file("promote", model)).name
        raise GeneratorError(
            f"{environment} has `approval: true`, and here nobody approves: start the workflow instead "
            f"(gh workflow run {workflow} -f environment={environment})"
        )
    attempt = variables.get(APPROVED_IN)
    if not attempt or attempt != variables.get("GITHUB_RUN_ATTEMPT"):
        raise GeneratorError(
            "nobody approved this attempt of the run: re-run all its jobs, so that its reviewers are asked again"
        )
    if model.separate:  # GH_TOKEN is for the configuration repository
        variables = {name: value for name, value in variables.items() if name != "GH_TOKEN"}
    github = connect(variables.get("GITHUB_REPOSITORY", ""), variables)
    problem = approval_problem(github.environments, approval_environment(model, environment))
    if problem:
        raise GeneratorError(f"nothing is promoted to {environment}: {problem}")


def shown(model: Model, done: Promotion, folder: Path, *, by: str) -> str:
    """The evidence, and how the manifests differ, as Markdown; `folder` is the clone that has the commit."""
    url = commit_url(model.config.repository.url, done.evidence.entry.commit) if model.separate else None
    text = evidence_text(done, by=by, commit_url=url)
    if not (done.changed and installed()):
        return text
    try:
        git, before = GitRepository(folder), f"{done.commit}~1"
        changes = page(preview(git, before, Kustomize(), overlays_of=model if model.separate else None))
    except GeneratorError:  # what is pushed must not fail for how it is shown
        return f"{text}\nThe manifests could not be compared.\n"
    changes = changes.removeprefix(MARKER).strip()
    both = f"{text}\n{changes}\n"
    return both if len(both.encode()) < LIMIT else f"{text}\nThe difference is too long to stand here.\n"


def open_pull_request(
    model: Model, done: Promotion, text: str, variables: Mapping[str, str], *, again: bool = False
) -> str:
    """The address of the promotion's pull request, made or brought up to date; else where a person opens it.

    A workflow's own token may not open one, and no setting is weakened so that it might: only an App's does, or
    that of the person who runs this. `again`: one that a person has closed stays closed.
    """
    may = model.config.deploy.push.mode == "app" or "GITHUB_ACTIONS" not in variables
    address = model.overlays_url if model.separate else variables.get("GITHUB_REPOSITORY") or model.overlays_url
    if not (may and address and (variables.get("GH_TOKEN") or variables.get("GITHUB_TOKEN"))):
        return compare_link(model, done.branch) or done.branch
    pulls = connect(address, variables).pulls
    evidence = done.evidence
    title = f"Promote {evidence.model} {evidence.entry.version} from {evidence.source} to {evidence.environment}"
    found = pulls.open_from(done.branch)
    if found is not None:
        return pulls.update(found.number, title=title, body=text).url
    if again:
        return compare_link(model, done.branch) or done.branch
    return pulls.create(title=title, head=done.branch, base=model.overlays_branch, body=text).url
