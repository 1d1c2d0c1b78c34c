"""`serve.callers`: which namespaces may ask a model."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from generator.config import types as t
from generator.config.types import Section

_Namespaces = Annotated[tuple[t.Namespace, ...], t.Listed, Field(min_length=1)]


class Callers(Section):
    """Pods of these namespaces may reach the server, and no others; without it everybody may."""

    namespaces: _Namespaces = Field(
        description="Namespaces that may call, the Ingress controller's or Gateway's among them."
    )
    prometheus: t.Namespace | None = Field(
        None, description="Namespace of Prometheus; needed with `serve.monitoring`: its port is the same."
    )

    @property
    def all(self) -> tuple[str, ...]:
        """Every namespace that is let in, once."""
        return tuple(dict.fromkeys((*self.namespaces, *((self.prometheus,) if self.prometheus else ()))))


def _in_full(value: object) -> object:
    """`[shop]` says the same as `{namespaces: [shop]}`."""
    return value if isinstance(value, (dict, Callers)) else {"namespaces": t.named(value)}


CallersGiven = Annotated[Callers | None, BeforeValidator(_in_full, json_schema_input_type=_Namespaces | Callers)]
