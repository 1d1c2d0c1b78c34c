"""The files of a new repository: what `generator init` writes where nothing stands yet."""

from __future__ import annotations

from dataclasses import dataclass

from generator.plan.files import Owner, PlannedFile

# Framework -> the metric that its training script logs, and a bound that the script passes.
FRAMEWORKS: dict[str, tuple[str, str, float]] = {
    "sklearn": ("accuracy", "min", 0.8),
    "xgboost": ("accuracy", "min", 0.8),
    "lightgbm": ("accuracy", "min", 0.8),
}


@dataclass(frozen=True)
class Answers:
    """What `init` asked, or was told by flags."""

    name: str
    framework: str
    registry: str
    role: str | None
    environments: tuple[str, ...]
    engine: str
    script: str  # the training script, found or to be made
    requirements: str
    url: str | None
    branch: str
    python: str
    install: str | None


def plan_scaffold(answers: Answers, *, has_script: bool) -> tuple[PlannedFile, ...]:
    """model.yaml, and a training script that runs unless the repository has one."""
    metric, bound, limit = FRAMEWORKS[answers.framework]
    values = vars(answers) | {
        "metric": None if has_script else metric,
        "bound": bound,
        "limit": limit,
    }
    folder = f"templates/scaffold/{answers.framework}"
    files = [
        PlannedFile("model.yaml", "templates/scaffold/model.yaml", values, Owner.SHARED),
        PlannedFile(".gitignore", "templates/scaffold/gitignore", None, Owner.SHARED),
        PlannedFile(".github/dependabot.yml", "templates/scaffold/dependabot.yml", None, Owner.SHARED),
        PlannedFile(answers.requirements, f"{folder}/requirements.txt", None, Owner.SHARED),
    ]
    if not has_script:
        files.append(PlannedFile(answers.script, f"{folder}/train.py", None, Owner.SHARED))
    return tuple(files)
