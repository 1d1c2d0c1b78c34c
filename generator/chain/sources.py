"""Who is asked for the links: a fresh clone of the release branch, registry, tracking server, cluster."""

from __future__ import annotations

import os
from pathlib import Path

from generator.adapters import kustomize
from generator.adapters.git import GitRepository
from generator.adapters.kubectl import Kubectl
from generator.adapters.mlflow_runs import MlflowRuns
from generator.chain.recorded import Records
from generator.config.model import Model, Workspace, load
from generator.errors import GeneratorError
from generator.ports import Cluster
from generator.wiring import registry_of


def records_of(root: Path, folder: Path, model: Model) -> tuple[Workspace, Records]:
    """The release branch's head as origin has it, cloned into `folder`, and what else holds records."""
    source = GitRepository(root).origin()
    if source is None:
        raise GeneratorError("this repository has no remote `origin`: what was released stands there")
    git = GitRepository(folder)
    git.clone(source, branch=model.config.repository.branch)
    tracking = model.config.tracking
    token = os.environ.get(tracking.secret or "MLFLOW_TRACKING_TOKEN")
    runs = MlflowRuns(tracking.uri, token) if tracking.uri and tracking.uri.startswith("http") else None
    renderer = kustomize.Kustomize() if kustomize.installed() else None
    return load(folder), Records(git, registry_of(model), renderer, runs)


def cluster_of() -> Cluster | None:
    """The cluster of kubectl's current context; None where there is none."""
    kubectl = Kubectl()
    try:
        kubectl.context()
    except GeneratorError:
        return None
    return kubectl
