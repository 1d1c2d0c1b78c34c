"""What each job of our workflows may do: the table that `rules` holds every workflow against.

A new job or workflow needs its row here; without one, the rules say so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

LABELLED = "contains(github.event.pull_request.labels.*.name, 'rehearse')"
OTHER_LABEL = "github.event.action == 'labeled' && github.event.label.name != 'rehearse'"
READ = "contents: read"
PUSH = (READ, "contents: write")
CHOSEN = r"inputs.environment == '\1'"
KEYS = "TAGSHIP_(APP_PRIVATE|DEPLOY)_KEY"  # that push
# Any secret of the user's, none of those that other jobs are for.
USERS = r"(?!GITHUB_|TAGSHIP_|REGISTRY_(USERNAME|PASSWORD)$)\w+"


@dataclass(frozen=True)
class Allowed:
    """One job. Texts but `rights` and `condition` are patterns of the whole; \\1 is what the group in `job` matched."""

    job: str  # its id
    rights: tuple[str, ...] = (READ,)
    secrets: str | None = None  # that it may read
    token: bool = False  # whether it may read its own token
    environment: str | None = None  # where its secrets and the identity that it shows come from
    always_there: bool = False  # whether it has that environment without secrets and identity, too
    only_there: bool = False  # whether it may read its token in that environment alone
    condition: str | None = None  # without which it must not run
    after: str | None = None  # the job that it waits for, where there is such a one
    queues: bool = False  # whether it waits for others of its group, and is never ended by them
    any_runner: bool = False
    any_outcome: bool = False  # whether it may run after a job that failed
    shared_with: str | None = None  # the job that must read the same secrets, too
    secrets_as: str | None = None  # the one variable that may hold a secret


@dataclass(frozen=True)
class Kind:
    """One workflow: what starts it, and its jobs."""

    events: frozenset[str]
    jobs: tuple[Allowed, ...]
    newest_only: bool = False  # whether a run may be ended by a newer one
    branch: bool = False  # whether a push to the release branch starts it: it must push to no such branch itself
    app: tuple[str, ...] = ()  # rights that it may ask of the App

    def row(self, job: str) -> Allowed | None:
        """The row of the job, its group filled in."""
        for row in self.jobs:
            if match := re.fullmatch(row.job, job):
                filled = {
                    name: match.expand(text)
                    for name in ("environment", "condition", "after")
                    if (text := getattr(row, name))
                }
                return Allowed(**{**vars(row), **filled})
        return None


def announce(*rights: str) -> Allowed:
    """The last job, which tells how it ended."""
    shows = (READ, "deployments: write")
    return Allowed("announce", (*shows, *rights), USERS, True, "tagship-notify", any_outcome=True)


FAILED = "${{{{ !cancelled() && needs.{}.outputs.state == 'failed' }}}}"
# A job that reads a cluster has no right to write; the one after it has no access to the cluster.
WATCHES: dict[str, Any] = {
    "rights": (READ, "id-token: write"),
    "secrets": r"(?!GITHUB_|TAGSHIP_|REGISTRY_)\w+",
    "secrets_as": "TAGSHIP_KUBECONFIG",
    "token": True,
    "environment": "tagship-observe",
    "only_there": True,
}
UNDOES: dict[str, Any] = {
    "rights": PUSH,
    "secrets": KEYS,
    "token": True,
    "environment": "tagship-deploy",
    "any_outcome": True,
}
ROLLOUT = (
    Allowed("observe-(.+)", after=r"to-\1", **WATCHES),
    Allowed("rollback-(.+)", condition=FAILED.format(r"observe-\1"), after=r"observe-\1", **UNDOES),
)

KINDS = {
    "release": Kind(
        frozenset({"push", "workflow_dispatch"}),
        (
            Allowed("train", (READ, "id-token: write"), USERS, environment="tagship-train", any_runner=True),
            # Its secrets are logins of package indexes, which the training needs, too; it has no identity to show.
            Allowed("package", secrets=USERS, shared_with="train", environment="tagship-train", after="train"),
            Allowed(
                "publish",
                (READ, "id-token: write", "packages: write"),
                "REGISTRY_(USERNAME|PASSWORD)",
                token=True,
                environment="tagship-publish",
                always_there=True,
                after="package",
            ),
            Allowed("deploy", PUSH, KEYS, True, "tagship-deploy", after="publish", queues=True),
            Allowed("observe", after="deploy", **WATCHES),
            Allowed("rollback", condition=FAILED.format("observe"), after="observe", **UNDOES),
            announce("contents: write"),
        ),
        app=("contents: write",),
    ),
    "promote": Kind(
        frozenset({"workflow_dispatch"}),
        (
            Allowed("approve-(.+)", (), environment=r"tagship-.+-\1", always_there=True, condition=CHOSEN),
            Allowed(
                "to-(.+)",
                (*PUSH, "actions: read"),
                KEYS,
                True,
                "tagship-deploy",
                condition=CHOSEN,
                after=r"approve-\1",
                queues=True,
            ),
            *ROLLOUT,
            announce(),
        ),
        app=("contents: write", "pull-requests: write", "actions: read"),
    ),
    "observe": Kind(frozenset({"push"}), ROLLOUT, branch=True, app=("contents: write",)),
    "refresh": Kind(
        frozenset({"push"}),
        (Allowed("refresh", PUSH, KEYS, True, "tagship-deploy"),),
        branch=True,
        app=("contents: write", "pull-requests: write"),
    ),
    "rollback": Kind(
        frozenset({"workflow_dispatch"}),
        (Allowed("rollback", PUSH, KEYS, True, "tagship-deploy"), announce()),
        app=("contents: write",),
    ),
    "retrain": Kind(
        frozenset({"schedule", "workflow_dispatch", "repository_dispatch"}),
        (
            Allowed("start", (READ, "actions: write"), token=True, condition="github.ref_type == 'branch'"),
            Allowed(
                "train",
                (READ, "id-token: write"),
                USERS,
                environment="tagship-train",
                condition="github.ref_type == 'tag'",
                any_runner=True,
            ),
            Allowed("tag", (READ,), KEYS, token=True, environment="tagship-deploy", after="train"),
        ),
        app=("contents: write", "workflows: write"),
    ),
    "pull-request": Kind(
        frozenset({"pull_request", "merge_group"}),
        (
            Allowed("validate"),
            Allowed("preview", (READ, "pull-requests: write"), token=True, after="validate", any_outcome=True),
        ),
        newest_only=True,
    ),
    "rehearse": Kind(
        frozenset({"pull_request"}),
        (
            Allowed("rehearse-(.+)", condition=f"{LABELLED} && !({OTHER_LABEL})"),
            Allowed("preview", (READ, "pull-requests: write"), token=True, any_outcome=True),
        ),
        newest_only=True,
    ),
    "ci": Kind(frozenset({"push", "pull_request"}), (Allowed("test"),), newest_only=True),
}
# What a job must hold to be in need of a right.
WANTED_BY = {
    "contents: write": "github.token",
    "packages: write": "github.token",
    "pull-requests: write": "github.token",
    "id-token: write": "aws-actions/configure-aws-credentials@",
    "actions: read": "'needs': 'approve-",
    "actions: write": "github.token",
    "deployments: write": "github.token",
}
# Options with which an installation takes nothing that is not in our lock.
FROM_HASHES = (("--require-hashes", "--only-binary"), ("--no-deps", "--no-build-isolation"))
# Where the command comes from: this repository, or one commit.
SOURCE = re.compile(r"\.{1,2}(/.*)?|git\+https://.*@[0-9a-f]{40}")
# What a step must say, by its action; None for any value.
INPUTS: dict[str, tuple[dict[str, object], str]] = {
    "actions/checkout": ({"persist-credentials": False}, "leaves its token in .git"),
    "astral-sh/setup-uv": ({"enable-cache": False, "version": None}, "uses a cache, or any uv"),
    "actions/upload-artifact": (
        {"name": None, "retention-days": None, "overwrite": None},
        "needs name, retention-days and overwrite",
    ),
    "aws-actions/configure-aws-credentials": (
        {"role-to-assume": None, "aws-region": None, "allowed-account-ids": None},
        "may get credentials of another account",
    ),
}


def kind_of(name: str) -> Kind | None:
    """The kind of the workflow file called `name`."""
    stem = name.rpartition(".")[0]
    return next((kind for key, kind in KINDS.items() if stem == key or stem.startswith(f"{key}-")), None)
