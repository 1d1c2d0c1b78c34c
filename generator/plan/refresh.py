"""The workflow that keeps promotions which wait for their merge on top of the release branch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from generator.config.model import Model
from generator.plan.credentials import push_of
from generator.plan.files import PlannedFile
from generator.plan.naming import workflow_file


def plan_refresh(model: Model, common: Mapping[str, object]) -> Iterator[PlannedFile]:
    """None where nothing waits on a branch, or where pushes to the overlays start nothing here."""
    waited = [target.name for target in model.targets[1:] if target.settings.via == "pull-request"]
    if not waited or model.separate:
        return
    values = {
        **common,
        "model": model,
        "branch": model.config.repository.branch,
        "paths": [f"{model.overlay(name)}/**" for name in waited],
        "push": push_of(model, "push the promotion's branch again, or delete it", pull_requests=True),
    }
    yield PlannedFile(workflow_file("refresh", model), "templates/workflows/refresh.yml", values)
