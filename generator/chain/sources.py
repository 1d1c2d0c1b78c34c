"""Who is asked for the links: a fresh clone of the release branch, registry, tracking server, cluster."""

from __future__ import annotations

import os
from pathlib import Path

from generator.adapters import kustomize
from generator.adapters.git import GitRepository
from generator.adapters.kubectl import Kubectl
from generator.adapters.mlflow_runs import runs_of
from generator.chain.recorded import Records
from generator.config.model import Model
from generator.config.workspace import Workspace, load
from generator.errors import GeneratorError
from generator.ports import Cluster
from generator.wiring import clone_of, overlays_of, registry_of


def head_of(root: Path, folder: Path, model: Model) -> tuple[GitRepository, Workspace]:
    """The release branch's head as origin has it, in a clone in `folder`, and the models there."""
    source = GitRepository(root).origin()
    if source is None:
        raise GeneratorError("this repository has no remote `origin`: what was released stands there")
    git = clone_of(source, model.config.repository.branch, folder)
    return git, load(git.root)


def records_of(git: GitRepository, folder: Path, model: Model) -> tuple[Records, Path]:
    """What holds records of `model` as `git` has it, and the home of its k8s/.

    A configuration repository is cloned into `folder`, once for all models.
    """
    overlays = overlays_of(model, folder) if model.separate else git
    tracking = model.config.tracking
    runs = runs_of(tracking.uri, tracking.secret, os.environ)
    renderer = kustomize.Kustomize() if kustomize.installed() else None
    return Records(git, overlays, registry_of(model), renderer, runs), overlays.root / model.home


def cluster_of() -> Cluster | None:
    """The cluster of kubectl's current context; None where there is none."""
    kubectl = Kubectl()
    try:
        kubectl.context()
    except GeneratorError:
        return None
    return kubectl


def named_cluster(name: str) -> Cluster | None:
    """The cluster of the context called `name`; None where kubectl has none."""
    return Kubectl(name=name) if name in Kubectl().contexts() else None
