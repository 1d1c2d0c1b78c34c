"""`serve.alerts`: from where on somebody is told, and what an environment changes of that."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from generator.config import types as t
from generator.config.types import Section

Days = Annotated[str, t.Matching(r"[1-9]\d{0,3}d", "a number of days such as 90d", 5)]
# Where the server's buckets end (inference/observability/metrics.py). Between them Prometheus guesses: with all
# predictions at 0.11 s the slowest of a hundred would take 0.2485 s.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


def _ends_a_bucket(seconds: float) -> float:
    if seconds not in BUCKETS:
        raise ValueError(f"must be one of {', '.join(f'{end:g}' for end in BUCKETS)}: so the server counts")
    return seconds


Seconds = Annotated[t.Number, AfterValidator(_ends_a_bucket), Field(json_schema_extra={"enum": [*BUCKETS]})]
Share = Annotated[t.Number, Field(gt=0, lt=1)]


class Alerts(Section):
    """Thresholds of the alerts that `serve.monitoring` brings; an empty one takes its alert away."""

    latency: Seconds | None = Field(
        1.0,
        description="Seconds within which 99 of 100 predictions must be answered: where a bucket of the server "
        "ends, such as 0.1, 0.25, 0.5, 1, 2.5 and 5.",
    )
    errors: Share | None = Field(0.05, description="Share of prediction requests that may fail.")
    refused: Share | None = Field(0.01, description="Share of them that may be turned away, since too many wait.")
    queue: int | None = Field(100, ge=1, description="Requests that may wait for the model in one pod.")
    busy: Share | None = Field(0.9, description="Share of its time that the model may be busy.")
    restarts: int | None = Field(
        3, ge=1, description="Starts of one pod's server in half an hour that are too many."
    )
    age: Days | None = Field("90d", description="Age from which on a model counts as old.")
    runbook: t.WebUrl | None = Field(
        None, description="Address of a page with a section for each alert; default: that of `pipeline.install`."
    )

    @property
    def max_age_seconds(self) -> int | None:
        return None if self.age is None else int(self.age.removesuffix("d")) * 86_400


class AlertsOverride(Section):
    """What an environment changes of `serve.alerts`: an absent key stays, an empty one means no alert here."""

    latency: Seconds | None = Field(None, description="See serve.alerts.latency.")
    errors: Share | None = Field(None, description="See serve.alerts.errors.")
    refused: Share | None = Field(None, description="See serve.alerts.refused.")
    queue: int | None = Field(None, ge=1, description="See serve.alerts.queue.")
    busy: Share | None = Field(None, description="See serve.alerts.busy.")
    restarts: int | None = Field(None, ge=1, description="See serve.alerts.restarts.")
    age: Days | None = Field(None, description="See serve.alerts.age.")
    runbook: t.WebUrl | None = Field(None, description="See serve.alerts.runbook.")

    def onto(self, base: Alerts) -> Alerts:
        """`base` with what is named here."""
        return base.model_copy(update={key: getattr(self, key) for key in self.model_fields_set})
