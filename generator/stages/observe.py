"""observe: whether what was committed is what runs. Without access to a cluster it says `unobserved`."""

from __future__ import annotations

from collections.abc import Callable

from generator.artifacts import OverlayCommit, Rollout
from generator.release import Release

# Asks the running release and answers what it saw; raises GeneratorError where it does not run.
Probe = Callable[[OverlayCommit], str]


def observe(release: Release, deployed: OverlayCommit, probe: Probe | None) -> Rollout:
    """What was seen of `deployed`."""
    unobserved = "deploy.observe is none: the reconciler rolls the commit out by itself"
    return Rollout(
        **release.identity,
        environment=deployed.environment,
        digest=deployed.digest,
        state="serving" if probe else "unobserved",
        detail=probe(deployed) if probe else unobserved,
    )
