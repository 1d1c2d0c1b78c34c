"""`serve.env`: the server's variables, text or a key of a Secret or ConfigMap; what an environment changes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from generator.config import types as t
from generator.config.types import Section
from generator.yamlio import Path_

if TYPE_CHECKING:
    from generator.config.schema import ModelFile

# What the image sets, or what decides which code runs in it; PROMETHEUS_… the server sets by itself.
_IMAGES = re.compile(r"PATH|HOME|(PYTHON|LD_).*|PROMETHEUS_MULTIPROC_DIR")
# What the overlay gets where `serve.tracing` is set.
TRACED = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_RESOURCE_ATTRIBUTES")


def _no_expression(text: str) -> str:
    if "${{" in text:
        raise ValueError(
            "has ${{, which only GitHub's workflows replace: write the value out, or name a Secret of the "
            "cluster, such as {secret: feature-store, key: token}"
        )
    return text


class Reference(Section):
    """A variable whose value is a key of a Secret or ConfigMap of the namespace; text is the value itself."""

    secret: t.KubernetesSecret | None = Field(None, description="Name of the Secret.")
    config_map: t.KubernetesName | None = Field(None, description="Name of the ConfigMap.")
    key: t.DataKey = Field(description="Which of its keys; without it no pod starts.")

    @model_validator(mode="after")
    def _one(self) -> Reference:
        if (self.secret is None) == (self.config_map is None):
            raise ValueError("give either secret or config_map, such as {secret: feature-store, key: token}")
        return self


def _kind(value: object) -> str:
    return "[reference]" if isinstance(value, (dict, Reference)) else "[text]"


_Text = Annotated[t.Line, AfterValidator(_no_expression)]
Value = Annotated[Annotated[_Text, Tag("[text]")] | Annotated[Reference, Tag("[reference]")], Discriminator(_kind)]
Variables = dict[t.Variable, Annotated[Value, t.NotEmpty]]
VariablesOverride = dict[t.Variable, Value | None]  # None: not here


def with_changes(base: Mapping[str, Value], changes: Mapping[str, Value | None]) -> dict[str, Value]:
    """`base` with what an environment says: another value, one more, or none."""
    return {name: value for name, value in {**base, **changes}.items() if value is not None}


def literals(variables: Mapping[str, Value]) -> dict[str, str]:
    """Those whose values model.yaml itself has."""
    return {name: value for name, value in variables.items() if isinstance(value, str)}


def variable_problems(config: ModelFile) -> Iterator[tuple[Path_, str]]:
    """(path, message) for each variable that is not the user's to set."""
    places: list[tuple[Path_, Iterable[str]]] = [(("serve", "env"), config.serve.env)]
    for environment, settings in config.deploy.environments.items():
        places.append((("deploy", "environments", environment, "serve", "env"), settings.serve.env))
    for path, names in places:
        yield from (((*path, name), message) for name in names if (message := _taken(name)))
    yield from dict(_traced(config)).items()


def _taken(name: str) -> str | None:
    if name.startswith("TAGSHIP_"):
        return f"{name} is the server's own: set its key of serve, or patch the overlay (docs/patches.md)"
    return f"{name} is set by the image; remove it" if _IMAGES.fullmatch(name) else None


def _traced(config: ModelFile) -> Iterator[tuple[Path_, str]]:
    """Variables that `serve.tracing` sets, too, where both are there: each at the key that says it."""
    serve = config.serve
    if not config.deploy.environments and serve.tracing:
        yield from ((("serve", "env", name), _both(name)) for name in TRACED if name in serve.env)
    for environment, settings in config.deploy.environments.items():
        own = settings.serve
        tracing = own.tracing if "tracing" in own.model_fields_set else serve.tracing
        there = with_changes(serve.env, own.env)
        for name in (name for name in TRACED if tracing and name in there):
            place: Path_ = ("deploy", "environments", environment) if name in own.env else ()
            yield (*place, "serve", "env", name), _both(name)


def _both(name: str) -> str:
    return f"{name} is set by serve.tracing, too: remove one of them"
