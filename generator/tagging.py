"""`generator release`: the next tag of a model, made only from a commit that the pipeline will accept."""

from __future__ import annotations

from generator.adapters.git import GitRepository
from generator.config.model import Model
from generator.config.workspace import Workspace
from generator.errors import GeneratorError, InvalidInput
from generator.files import Comparison
from generator.generate import ledgers
from generator.validate import workspace_problems
from generator.version import Version


def check_ready(workspace: Workspace, git: GitRepository, comparison: Comparison) -> str:
    """The commit that may be tagged. Raises GeneratorError that says what stands in the way."""
    if problems := workspace_problems(workspace):
        raise InvalidInput(problems)
    if not comparison.clean:
        names = ", ".join(change.path for change in comparison.changes) or ".tagship.lock"
        raise GeneratorError(f"generated files are stale ({names}): run `generator generate` and commit")
    if changed := git.changed_files():
        raise GeneratorError("the working tree is not clean: commit or remove\n" + "\n".join(changed[:20]))
    branches = {model.config.repository.branch for model in workspace}
    head = git.commit_of("HEAD")
    for branch in sorted(branches):
        if git.current_branch() != branch:
            raise GeneratorError(f"releases are tagged on {branch}: run `git switch {branch}`")
        if git.fetch(branch) != head:
            raise GeneratorError(f"{branch} differs from origin's: run `git pull` and `git push` first")
    git.fetch_tags()  # somebody else may have released since
    return head


def next_version(model: Model, workspace: Workspace, git: GitRepository, bump: str) -> Version:
    """The version after the highest that was tagged or deployed; 0.1.0 for a model that never was."""
    known = tagged_versions(model, git)
    known += [ledger.highest for ledger in ledgers(workspace.root, model).values() if ledger.highest]
    return max(known).bumped(bump) if known else Version("0.1.0")


def check_version(model: Model, workspace: Workspace, git: GitRepository, version: Version) -> None:
    """Refuses a version that was tagged, or that a deploy would refuse."""
    if model.tag(version) in _tags(model, git):
        raise GeneratorError(f"tag {model.tag(version)} exists already; tags are never moved")
    known = tagged_versions(model, git)
    if known and version < max(known):
        raise GeneratorError(f"{version} is older than {max(known)}, which is tagged: a deploy would refuse it")
    first = model.targets[0].name
    ledger = ledgers(workspace.root, model).get(first)
    if ledger and ledger.highest and version <= ledger.highest:
        raise GeneratorError(f"{version} is not newer than {ledger.highest}, which {first} had already")


def tagged_versions(model: Model, git: GitRepository) -> list[Version]:
    """The versions of the model's release tags."""
    return [Version.parse(tag.removeprefix(model.tag_prefix)) for tag in _tags(model, git)]


def _tags(model: Model, git: GitRepository) -> list[str]:
    """The model's release tags; a tag that is no version is somebody else's."""
    found = []
    for tag in git.tags(f"{model.tag_prefix}*"):
        try:
            Version.parse(tag.removeprefix(model.tag_prefix))
        except GeneratorError:
            continue
        found.append(tag)
    return found
