"""observe: whether what was committed is what runs. Without access to a cluster it says `unobserved`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from generator.artifacts import OverlayCommit, Rollout
from generator.release import Release
from generator.rollouts.watch import Sighting

# Looks until it is decided how the rollout ended; raises GeneratorError where it cannot look.
Probe = Callable[[OverlayCommit], Sighting]


def observe(release: Release, deployed: OverlayCommit, probe: Probe | None) -> Rollout:
    """What was seen of `deployed`. A failed rollout is a result, too."""
    unobserved = Sighting("unobserved", "deploy.observe is none: the reconciler rolls the commit out by itself")
    seen = probe(deployed) if probe else unobserved
    return rollout_of(release.identity, deployed.environment, deployed.digest, seen)


def rollout_of(identity: Mapping[str, Any], environment: str, digest: str, seen: Sighting) -> Rollout:
    """`seen` as what later jobs read: a cluster's own words become one line of bounded length."""
    plain = "".join(character if character.isprintable() else " " for character in seen.detail)
    return Rollout(
        **identity,
        environment=environment,
        digest=digest,
        state=seen.state,
        detail=plain[:1000],
        kind=seen.kind,
        seconds=seen.seconds,
        serving=seen.serving,
    )
