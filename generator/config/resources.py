"""CPU and memory of a pod, and what an environment changes of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from generator.config import types as t
from generator.config.types import Section
from generator.quantity import amount

LEAST_MEMORY = "16Mi"  # no Python starts in less


def _whole_bytes(value: Any) -> Any:
    """512m is half a byte to Kubernetes, which takes it without a word."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]+m", value):
        raise ValueError(f"is in thousandths of a byte: write {value.removesuffix('m')}Mi")
    return value


def _enough(text: str) -> str:
    if amount(text) < amount(LEAST_MEMORY):
        raise ValueError(f"is less than {LEAST_MEMORY}: write a size such as 512Mi")
    return text


Memory = Annotated[
    str,
    t.Matching(r"\d+(\.\d+)?(k|M|G|T|Ki|Mi|Gi|Ti)?", f"a size from {LEAST_MEMORY}, such as 512Mi or 2Gi", 20),
    AfterValidator(_enough),
    BeforeValidator(_whole_bytes),
]


class Requests(Section):
    """Resources that the scheduler sets aside."""

    cpu: t.Quantity = Field("250m", description="CPU request.")
    memory: Memory = Field("512Mi", description="Memory request.")


class Limits(Section):
    """Resources that a pod may not exceed."""

    cpu: t.Quantity | None = Field(None, description="CPU limit; none by default, since it only throttles.")
    memory: Memory = Field("1Gi", description="Memory limit.")


class Resources(Section):
    """Resources of one pod."""

    requests: Requests = Field(default_factory=Requests.model_construct, description="Requests.")
    limits: Limits = Field(default_factory=Limits.model_construct, description="Limits.")

    @model_validator(mode="after")
    def _requests_below_limits(self) -> Resources:
        for message in self.excesses():
            raise ValueError(message)
        return self

    def excesses(self) -> Iterator[str]:
        """Where more is requested than is allowed."""
        for kind in ("cpu", "memory"):
            request, limit = getattr(self.requests, kind), getattr(self.limits, kind)
            if limit is not None and amount(request) > amount(limit):
                yield f"requests.{kind} {request} is more than limits.{kind} {limit}"


class RequestsOverride(Section):
    """What an environment changes of the requests."""

    cpu: t.Quantity | None = Field(None, description="See serve.resources.requests.cpu.")
    memory: Memory | None = Field(None, description="See serve.resources.requests.memory.")


class LimitsOverride(Section):
    """What an environment changes of the limits."""

    cpu: t.Quantity | None = Field(None, description="See serve.resources.limits.cpu; null takes it away here.")
    memory: Memory | None = Field(None, description="See serve.resources.limits.memory.")


class ResourcesOverride(Section):
    """What an environment changes of `serve.resources`; what is absent stays."""

    requests: RequestsOverride = Field(default_factory=RequestsOverride.model_construct, description="Requests.")
    limits: LimitsOverride = Field(default_factory=LimitsOverride.model_construct, description="Limits.")

    def onto(self, base: Resources) -> Resources:
        """`base` with what is named here. Whether that fits together is for the caller to ask."""
        limits = {key: getattr(self.limits, key) for key in self.limits.model_fields_set}
        if limits.get("memory") is None:
            limits.pop("memory", None)
        return base.model_copy(
            update={
                "requests": base.requests.model_copy(update=self.requests.model_dump(exclude_none=True)),
                "limits": base.limits.model_copy(update=limits),
            }
        )
