"""What the reconciler is told besides the overlay: the clusters of an environment, and who hears of a rollout."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator, Field

from generator.config import types as t
from generator.config.types import Section
from generator.yamlio import Path_

if TYPE_CHECKING:
    from generator.config.schema import ModelFile

Service = Annotated[
    str,
    # It ends the name part of an annotation's key, which is 63 characters at most.
    t.Matching(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", "lower-case letters, digits and -, at most 30 characters", 30),
]
Recipient = Annotated[
    str, t.Matching(r"[^\x00-\x20\x7f${}]*", "recipients as Argo CD takes them, without spaces", 200)
]
KnownAs = Annotated[
    str,
    t.Matching(r"[A-Za-z0-9][A-Za-z0-9:/._@-]*", "a cluster's name, such as eu-prod or an ARN", 253),
]


class Cluster(Section):
    """A cluster that an environment runs in."""

    name: KnownAs | None = Field(
        None,
        description="What the reconciler calls it: Argo CD its name, Flux the Secret with its kubeconfig. "
        "Default: the key; for Flux `<key>-kubeconfig`.",
    )


def _none_is_empty(value: object) -> object:
    return {} if value is None else value


def _no_recipient(value: object) -> object:
    return {key: "" if one is None else one for key, one in value.items()} if isinstance(value, dict) else value


Emptyable = BeforeValidator(_none_is_empty)
Clusters = Annotated[dict[t.EnvironmentName, Annotated[Cluster, Emptyable]], Field(max_length=20)]
Notifications = Annotated[dict[Service, Recipient], BeforeValidator(_no_recipient), Field(max_length=10)]


def following_problems(config: ModelFile) -> Iterator[tuple[Path_, str]]:
    """(path, message) for what the engine cannot be told."""
    engine, deploy = config.deploy.engine, config.deploy
    if deploy.notifications and engine == "none":
        message = "is for argocd and flux: nobody follows a rollout with deploy.engine none; leave it out"
        yield ("deploy", "notifications"), f"deploy.notifications {message}"
    for service, recipient in deploy.notifications.items():
        if engine == "flux" and recipient:
            message = (
                f"with Flux the Provider {service} itself says to whom it sends: leave {recipient!r} out, and set "
                "its spec.channel"
            )
            yield ("deploy", "notifications", service), message
    for environment, settings in deploy.environments.items():
        at: Path_ = ("deploy", "environments", environment, "clusters")
        if settings.clusters and engine == "none":
            yield at, "clusters is for argocd and flux, which bring the overlay to each: leave it out"
            continue
        seen: dict[str, str] = {}
        for key, cluster in settings.clusters.items():
            name = known_as(engine, key, cluster)
            if (other := seen.setdefault(name, key)) != key:
                yield (*at, key), f"is the same cluster as {other}, {name}: leave one out"
            if engine == "flux" and not re.fullmatch(t.SUBDOMAIN, name):
                message = f"with Flux the name is that of a Secret in flux-system, which {name} cannot be"
                yield (*at, key, "name"), message


def known_as(engine: str, key: str, cluster: Cluster) -> str:
    """What the reconciler calls a cluster, or the Secret with its kubeconfig."""
    return cluster.name or (f"{key}-kubeconfig" if engine == "flux" else key)
