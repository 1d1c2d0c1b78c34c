"""How a job gets the right to push: with its own token, or with that of a GitHub App."""

from __future__ import annotations

from dataclasses import dataclass

from generator.config.addresses import owner_and_name
from generator.config.model import Model

JOB_TOKEN = "${{ github.token }}"  # noqa: S105
# Holds the App's key and nothing else; without reviewers, or a rollback would wait for one.
DEPLOY_ENVIRONMENT = "tagship-deploy"


@dataclass(frozen=True)
class Permission:
    """One right of a job's token."""

    scope: str
    access: str
    why: str


@dataclass(frozen=True)
class Elsewhere:
    """Another repository than the workflow's own."""

    owner: str
    name: str


@dataclass(frozen=True)
class Push:
    """The token of a job that pushes."""

    permission: Permission  # of the job's own token
    environment: str | None
    app: tuple[Permission, ...]  # of the App's token; empty: the job's own pushes
    elsewhere: Elsewhere | None = None  # the one repository that the App's token is for; None: this one

    client_id = "${{ vars.TAGSHIP_APP_CLIENT_ID }}"
    private_key = "${{ secrets.TAGSHIP_APP_PRIVATE_KEY }}"

    @property
    def token(self) -> str:
        """An expression."""
        return "${{ steps.app.outputs.token }}" if self.app else JOB_TOKEN


def push_of(model: Model, why: str, reads: tuple[Permission, ...] = (), *, pull_requests: bool = False) -> Push:
    """What model.yaml's `deploy.push.mode` gives a job, to do `why`; an App's token `reads` as well."""
    write = Permission("contents", "write", why)
    if model.config.deploy.push.mode != "app":
        return Push(write, None, ())
    opens = (Permission("pull-requests", "write", "open it"),) if pull_requests else ()
    here, elsewhere = Permission("contents", "read", "check out"), _elsewhere(model)
    return Push(here, DEPLOY_ENVIRONMENT, (write, *opens, *(() if elsewhere else reads)), elsewhere)


def _elsewhere(model: Model) -> Elsewhere | None:
    """The configuration repository; what there is to read of this one stays with the job's own token."""
    found = owner_and_name(model.config.deploy.repository)
    return Elsewhere(*found) if found else None
