"""The whole chain of one environment."""

from __future__ import annotations

from collections.abc import Callable

from generator.chain.link import Link, broken, unseen
from generator.chain.recorded import Records, recorded
from generator.chain.running import places, running
from generator.config.model import Model, Target
from generator.ledger import Ledger
from generator.ports import Cluster


def follow(
    model: Model,
    target: Target,
    ledger: Ledger | None,
    records: Records,
    cluster: Cluster | None,
    named: Callable[[str], Cluster | None] = lambda _: None,
) -> tuple[Link, ...]:
    """Every link from the tag to the live answer. Empty where nothing was ever released.

    `cluster` is None where none can be asked; `named` finds one of several that an environment has.
    """
    if ledger is None or ledger.current is None:
        return ()
    entry = ledger.current
    links = [*recorded(model, target, entry, records)]
    if entry.digest in {item.digest for item in ledger.rejected}:
        why = f"{entry.version} was rejected here, and is current: `generator rollback {target.name}`"
        links.insert(0, broken("ledger", entry.version, why))
    overlay = next(link for link in links if link.name == "overlay")
    if cluster is None:
        return (*links, unseen("reconciler", "no cluster was asked"))
    for place in places(model, target, cluster, named):
        links += running(place, ledger, overlay.value, records.overlays)
    return tuple(links)
