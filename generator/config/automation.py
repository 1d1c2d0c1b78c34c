"""What happens without anybody asking: retraining on a schedule, and messages about what happened."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from generator.config import types as t
from generator.config.cron import checked
from generator.config.types import Section

Schedule = Annotated[str, StringConstraints(max_length=100), AfterValidator(checked)]


class Retrain(Section):
    """Training of the released commit on newer data; `{}` for a workflow that is only started by hand or call."""

    schedule: Schedule | None = Field(
        None, description='When, in cron\'s five fields and UTC, such as "0 3 * * 1"; default: when it is called.'
    )


class Notify(Section):
    """Who is told of releases, promotions and rollbacks besides GitHub."""

    webhook: t.SecretName | None = Field(
        None, description="GitHub secret with the address of a Slack-compatible webhook."
    )
