"""The last job of a release, promotion or rollback: tells how it ended. It runs no code but the command's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from generator.config.model import Model
from generator.plan.credentials import Permission
from generator.plan.naming import NOTIFY_ENVIRONMENT

_SHOW = Permission("deployments", "write", "show what each environment runs")


@dataclass(frozen=True)
class PlannedAnnouncement:
    """The job as the template shows it."""

    needs: tuple[str, ...]
    permissions: tuple[Permission, ...]
    takes: tuple[str, ...]  # parcels, each of the job with its name
    arguments: str
    env: dict[str, str]
    webhook: str | None  # the secret that holds its address

    environment = NOTIFY_ENVIRONMENT


def announce_release(model: Model, jobs: Iterable[str], release: str) -> PlannedAnnouncement:
    """`release` is an expression, the tag's full ref."""
    write = Permission("contents", "write", "write the release's notes")
    return _planned(
        model,
        tuple(jobs),
        (write, _SHOW),
        'release --release "$RELEASE"',
        {"RELEASE": release},
        ("deploy", "observe"),
    )


def announce_change(model: Model, kind: str, jobs: Iterable[str]) -> PlannedAnnouncement:
    """`kind` is promotion or rollback."""
    arguments = f'{kind} --model {model.name} --environment "$ENVIRONMENT"'
    read = Permission("contents", "read", "check model.yaml out")
    return _planned(model, tuple(jobs), (read, _SHOW), arguments, {"ENVIRONMENT": "${{ inputs.environment }}"}, ())


def _planned(
    model: Model,
    needs: tuple[str, ...],
    permissions: tuple[Permission, ...],
    arguments: str,
    env: dict[str, str],
    takes: tuple[str, ...],
) -> PlannedAnnouncement:
    webhook = model.config.notify.webhook
    secret = {"TAGSHIP_WEBHOOK": f"${{{{ secrets.{webhook} }}}}"} if webhook else {}
    return PlannedAnnouncement(needs, permissions, takes, arguments, {**secret, **env}, webhook)
