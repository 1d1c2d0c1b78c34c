"""Names that GitHub knows: of workflow files, environments and concurrency groups."""

from __future__ import annotations

from generator.config.model import Model

# Holds the webhook's address; without reviewers, or every message would wait for one.
NOTIFY_ENVIRONMENT = "tagship-notify"


def workflow_file(kind: str, model: Model) -> str:
    """The path of a model's workflow: `release.yml` for a root model, else `release-<name>.yml`."""
    return f".github/workflows/{kind if model.at_root else f'{kind}-{model.name}'}.yml"


def deploy_group(model: Model, environment: str) -> str:
    """The concurrency group of what changes an environment."""
    return f"tagship-deploy-{model.name}-{environment}"


def deployment_environment(model: Model, environment: str) -> str:
    """How GitHub's list of deployments calls an environment; no job names it, so nothing waits for it."""
    return environment if model.at_root else f"{model.name}-{environment}"


def approval_environment(model: Model, environment: str) -> str:
    """The GitHub Environment whose reviewers approve what comes to `environment`."""
    return f"tagship-{model.name}-{environment}"
