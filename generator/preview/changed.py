"""Which models a change concerns: their own files, and those that all models share."""

from __future__ import annotations

from collections.abc import Iterable

from generator.adapters.git import GitRepository
from generator.config.model import Model
from generator.config.workspace import Workspace
from generator.errors import GeneratorError

_SHARED = ("k8s/", "templates/")  # but for what has a model's name below it
_OWN = ("k8s/overlays/", "k8s/reconciler/")


def changed_models(workspace: Workspace, changed_paths: Iterable[str]) -> tuple[Model, ...]:
    """The models that a change of these paths (from the repository's root) concerns, in the workspace's order.

    A model at the root owns the whole repository. Elsewhere that is its folder, its overlays and its workflow;
    tagship.yaml and the rest of k8s/ belong to all.
    """
    paths = tuple(changed_paths)
    if any(_is_shared(path) for path in paths):
        return workspace.models
    return tuple(model for model in workspace if any(_owns(model, path) for path in paths))


def _is_shared(path: str) -> bool:
    return path == "tagship.yaml" or (path.startswith(_SHARED) and not path.startswith(_OWN))


def _owns(model: Model, path: str) -> bool:
    if model.at_root:
        return True
    folders = (f"{model.folder}/", *(f"{own}{model.name}/" for own in _OWN))
    return path.startswith(folders) or path == f".github/workflows/release-{model.name}.yml"


def common_ancestor(git: GitRepository, base: str) -> str:
    """The commit that HEAD and `base` both have: on a merge of a pull request, the base branch's head."""
    found = git.merge_base(git.commit_of(base), git.commit_of("HEAD"))
    if found is None:
        raise GeneratorError(
            f"HEAD and {base} have no commit in common here: fetch all of the history "
            "(`git fetch --unshallow`; in a workflow `fetch-depth: 0`)"
        )
    return found
