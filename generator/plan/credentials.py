"""How a job gets the right to push: by its own token, by that of a GitHub App, or by a deploy key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from generator.config.addresses import owner_and_name
from generator.config.model import Model

JOB_TOKEN = "${{ github.token }}"  # noqa: S105
# Holds the App's key, or the deploy key, and nothing else; without reviewers, or a rollback would wait for one.
DEPLOY_ENVIRONMENT = "tagship-deploy"
# A deploy key: the secret and the variable in the step that pushes, and the two on GitHub that they come from.
DEPLOY_KEY = "TAGSHIP_DEPLOY_KEY"
KNOWN_HOSTS = "TAGSHIP_KNOWN_HOSTS"  # the server's host keys; empty: those that github.com publishes
# Holds a kubeconfig's text, as a secret gives it to the job that watches a rollout.
KUBECONFIG = "TAGSHIP_KUBECONFIG"
PUSH_TO = "TAGSHIP_PUSH_TO"  # an ssh:// address; absent: origin's own, over SSH


@dataclass(frozen=True)
class Permission:
    """One right of a job's token."""

    scope: str
    access: str
    why: str


@dataclass(frozen=True)
class Aws:
    """How a job gets AWS credentials."""

    role: str  # an ARN, or an expression that reads it
    region: str
    account: str  # any other is refused
    what: str  # the role is for
    seconds: int | None = None  # how long; None: an hour


@dataclass(frozen=True)
class Elsewhere:
    """Another repository than the workflow's own."""

    owner: str
    name: str


@dataclass(frozen=True)
class Push:
    """What a job that pushes does it with."""

    permission: Permission  # of the job's own token
    environment: str | None
    app: tuple[Permission, ...]  # of the App's token; empty: there is none
    key: tuple[tuple[str, str], ...] = ()  # variables of a deploy key's step; empty: there is none
    elsewhere: Elsewhere | None = None  # the one repository that the App's token is for; None: this one

    client_id = "${{ vars.TAGSHIP_APP_CLIENT_ID }}"
    private_key = "${{ secrets.TAGSHIP_APP_PRIVATE_KEY }}"

    @property
    def env(self) -> dict[str, str]:
        """Variables of the step that pushes. A deploy key pushes alone; the job's own token reads."""
        token = "${{ steps.app.outputs.token }}" if self.app else JOB_TOKEN
        return {"GH_TOKEN": token, **dict(self.key)}

    @property
    def starts_workflows(self) -> bool:
        """Whether what it pushes starts workflows: a job's own token starts none."""
        return bool(self.app or self.key)


def push_of(model: Model, why: str, reads: tuple[Permission, ...] = (), *, pull_requests: bool = False) -> Push:
    """What model.yaml's `deploy.push.mode` gives a job, to do `why`; an App's token `reads` as well."""
    write, read = Permission("contents", "write", why), Permission("contents", "read", "check out")
    mode = model.config.deploy.push.mode
    if mode == "token":
        return Push(write, None, ())
    if mode == "deploy-key":
        return Push(read, DEPLOY_ENVIRONMENT, (), tuple(_key(model.config.repository.url)))
    opens = (Permission("pull-requests", "write", "open it"),) if pull_requests else ()
    elsewhere = _elsewhere(model)
    app = (write, *opens, *(() if elsewhere else reads))
    return Push(read, DEPLOY_ENVIRONMENT, app, elsewhere=elsewhere)


def _elsewhere(model: Model) -> Elsewhere | None:
    """The configuration repository; what there is to read of this one stays with the job's own token."""
    found = owner_and_name(model.config.deploy.repository)
    return Elsewhere(*found) if found else None


def _key(url: str | None) -> Iterator[tuple[str, str]]:
    yield DEPLOY_KEY, f"${{{{ secrets.{DEPLOY_KEY} }}}}"
    yield KNOWN_HOSTS, f"${{{{ vars.{KNOWN_HOSTS} }}}}"
    if url and url.startswith("ssh://"):
        yield PUSH_TO, url


def known_hosts_needed(model: Model) -> bool:
    """Whether a deploy key pushes to a server whose host keys do not come with this command."""
    url = model.config.repository.url
    return url is not None and urlsplit(url).hostname not in ("github.com", "ssh.github.com")
