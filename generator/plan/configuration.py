"""What a configuration repository holds beside overlays: whose a folder is, and its pull requests' check."""

from __future__ import annotations

from generator.config.model import Model
from generator.plan import pins
from generator.plan.files import Owner, PlannedFile
from generator.sources import SOURCE


def plan_source(model: Model) -> PlannedFile:
    """From the model's home: for who has the overlays and no model.yaml."""
    values = {
        "shown": model.shown,
        "model": model.name,
        "url": model.config.repository.url,
        "environments": [target.name for target in model.targets],
    }
    return PlannedFile(SOURCE, "templates/overlay/source.yaml", values)


def plan_configuration(*, install: str) -> tuple[PlannedFile, ...]:
    """Made once, by whichever model comes first: several repositories of several ages may generate into one."""
    values = {
        "runner": "ubuntu-24.04",
        "minutes": 15,
        "install": install,
        "pins": pins.uses(),
        "uv_version": pins.UV_VERSION,
    }
    workflow = "templates/workflows/configuration.yml"
    return (
        PlannedFile(".github/tagship.lock", "templates/github/tagship.lock", None, Owner.SHARED),
        PlannedFile(".github/workflows/pull-request.yml", workflow, values, Owner.SHARED),
    )
