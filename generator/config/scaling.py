"""`serve.autoscaling`: by what the number of pods is decided."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from generator.config import types as t
from generator.config.types import Section


class RequestRate(Section):
    """Requests a second, from Prometheus, which has the server's own figures."""

    per_second: Annotated[t.Number, Field(ge=0.01, le=1_000_000)] = Field(
        description="Prediction requests a second that one pod shall get."
    )
    through: Literal["keda", "prometheus-adapter"] = Field(
        description="What asks Prometheus: KEDA, or the adapter's custom metrics, which need a rule of it."
    )
    prometheus: t.WebUrl | None = Field(
        None,
        description="Address at which KEDA reaches Prometheus, such as http://prometheus-operated.monitoring:9090.",
    )

    @model_validator(mode="after")
    def _fits(self) -> RequestRate:
        if self.through == "keda" and self.prometheus is None:
            raise ValueError("give prometheus, the address at which KEDA reaches it")
        if self.through != "keda" and self.prometheus is not None:
            raise ValueError("prometheus is for keda: the adapter knows its own, so leave it out")
        return self


class Autoscaling(Section):
    """The number of pods follows the load; whichever target asks for more pods decides."""

    min: int = Field(2, ge=1, le=100, description="Fewest pods.")
    max: int = Field(10, ge=1, le=1000, description="Most pods.")
    cpu: int | None = Field(
        70, ge=1, le=1000, description="Target CPU use in percent of the request; empty: CPU does not count."
    )
    memory: int | None = Field(None, ge=1, le=1000, description="Target memory use in percent of the request.")
    requests: Annotated[RequestRate | None, t.NotEmpty] = Field(None, description="Target of requests a second.")

    @model_validator(mode="after")
    def _fits(self) -> Autoscaling:
        if self.min > self.max:
            raise ValueError("min is greater than max")
        if self.cpu is None and self.memory is None and self.requests is None:
            raise ValueError("give cpu, memory or requests: something must decide")
        return self
