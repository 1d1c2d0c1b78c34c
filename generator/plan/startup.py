"""How long a pod may take to load its model: by how long the image took when it was tried."""

from __future__ import annotations

import math

from generator.ledger import Entry

# What k8s/base says; a test holds it against the files.
PERIOD = 2
BASE_SECONDS = 300
DEADLINE = 600
# A node that is busy, slow, or shared by several workers is far from the machine that packaged.
_TIMES = 10


def startup_seconds(entry: Entry | None) -> int:
    """The time until the startup probe gives up, in whole minutes, so that two builds rarely differ."""
    measured = (entry.load_seconds if entry else None) or 0.0
    return max(BASE_SECONDS, math.ceil(measured * _TIMES / 60) * 60)


def deadline_seconds(entry: Entry | None) -> int:
    """How long a rollout may make no progress until Kubernetes gives it up."""
    return startup_seconds(entry) + DEADLINE - BASE_SECONDS


def startup_values(entry: Entry | None) -> dict[str, int] | None:
    """What the Deployment's patch shows; None where the base's own numbers do."""
    seconds = startup_seconds(entry)
    if seconds == BASE_SECONDS:
        return None
    return {"failures": seconds // PERIOD, "deadline": deadline_seconds(entry)}
