"""One look at all environments: their ledgers at origin, GitHub's runs, and the clusters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from generator.adapters.git import GitRepository
from generator.chain.running import Place, elsewhere, places
from generator.config.model import Model, Target
from generator.errors import GeneratorError
from generator.ledger import Entry, Ledger
from generator.ports import Cluster
from generator.rollouts.judge import State as Judged
from generator.rollouts.judge import judge
from generator.rollouts.reconciling import Ours
from generator.rollouts.snapshot import Snapshot, condition
from generator.watching.address import PENDING, Asked, address
from generator.watching.releasing import Runs, releasing
from generator.watching.standing import Standing, State, moment


@dataclass(frozen=True)
class Unknown:
    """Why a model has no ledgers to go by."""

    state: State
    why: str


@dataclass(frozen=True)
class Known:
    """A model's ledgers by environment, and the clone that they are read from."""

    ledgers: Mapping[str, Ledger]
    git: GitRepository

    def ours(self, model: Model, target: Target) -> Ours:
        """Whether a revision has the commit that the overlay is of."""
        commit = self.git.last_change(model.overlay_path(target.name))
        return lambda revision: bool(self.git.contains(revision, commit))


Found = Mapping[str, tuple[Model, Known | Unknown]]
_STATES = {
    Judged.SERVING: State.DEPLOYED,
    Judged.ROLLING: State.DEPLOYING,
    Judged.WAITING: State.DEPLOYING,
    Judged.FAILED: State.FAILED,
}


@dataclass
class World:
    """Who is asked. Without `cluster` or `runs`, what only they know is left out."""

    cluster: Cluster | None
    named: Callable[[str], Cluster | None]
    runs: Runs | None
    say: Callable[[str], None]  # hears once of each thing that could not be asked
    context: str | None = None  # kubectl's, of `cluster`
    said: set[str] = field(default_factory=set)
    addresses: dict[tuple[str, str, str], str] = field(default_factory=dict)  # they hardly ever change


def look(models: Found, environment: str | None, world: World) -> Iterator[Standing]:
    """A row for each cluster of each environment."""
    for model, known in models.values():
        for target in model.targets:
            if environment not in (None, target.name):
                continue
            if isinstance(known, Unknown):
                yield replace(_row(model, target, world), state=known.state, detail=known.why)
            else:
                yield from _rows(model, target, known, world)


def _row(model: Model, target: Target, world: World) -> Standing:
    return Standing(model.name, target.name, "", State.EMPTY, context=world.context)


def _rows(model: Model, target: Target, known: Known, world: World) -> Iterator[Standing]:
    ledger = known.ledgers.get(target.name)
    coming = _coming(model, target, ledger, world)
    row = _row(model, target, world)
    if ledger is None or ledger.current is None:
        yield replace(coming, context=row.context) if coming else row
        return
    row = replace(row, version=ledger.current.version, since=ledger.current.at)
    if world.cluster is None:
        unseen = replace(row, state=State.UNSEEN, detail="no cluster was asked")
        yield _both(coming, unseen) if coming else unseen
        return
    for place in places(model, target, world.cluster, world.named):
        own = row
        if place.member:
            own = replace(row, cluster=place.member, context=place.there.context() if place.there else None)
        found = _in_cluster(own, place, ledger.current, known, world)
        yield _both(coming, found) if coming else found


def _both(coming: Standing, found: Standing) -> Standing:
    """A release on its way, or one that failed, and what the cluster has meanwhile: its failure goes before."""
    if found.state is State.FAILED:
        return replace(found, detail="; ".join(filter(None, (found.detail, coming.told, coming.detail))))
    stands = "in the overlay" if found.state is State.UNSEEN else str(found.state)
    meanwhile = f"{found.version} is {stands} meanwhile"
    if found.detail:
        meanwhile = f"{meanwhile}, {found.detail}"
    detail = "; ".join(filter(None, (coming.detail, meanwhile)))
    return replace(coming, cluster=found.cluster, context=found.context, address=found.address, detail=detail)


def _coming(model: Model, target: Target, ledger: Ledger | None, world: World) -> Standing | None:
    """The release that is on its way; a tag's goes to the first environment."""
    if world.runs is None or target is not model.targets[0]:
        return None
    try:
        return releasing(model, target, ledger, world.runs)
    except GeneratorError as error:
        if str(error) not in world.said:
            world.said.add(str(error))
            world.say(f"training, building and pushing of {model.name} are not shown: {error}")
        return None


def _in_cluster(row: Standing, place: Place, entry: Entry, known: Known, world: World) -> Standing:
    if place.member and place.there is None:
        return replace(row, state=State.UNSEEN, detail=f"kubectl has no context called {place.member}")
    try:
        seen = place.look()
        if elsewhere(place, seen):
            nothing = f"the cluster of context {place.cluster.context()} has nothing of {row.environment}"
            return replace(row, state=State.UNSEEN, detail=nothing)
        row = replace(row, address=_address(row, place, world))
        ours = known.ours(place.model, place.target)
    except GeneratorError as error:
        return replace(row, state=State.UNSEEN, detail=str(error))
    found = judge(seen, entry.digest, ours)
    state, detail = _STATES[found.state], found.detail
    if found.state is Judged.SERVING:
        detail = ""
    elif not found.complete:
        return replace(row, state=state, detail=detail)
    done = _completed(seen)
    begun, ended = moment(entry.at), moment(done)
    took = int((ended - begun).total_seconds()) if begun and ended and ended >= begun else None
    return replace(row, state=State.DEPLOYED, since=done or entry.at, took=took, detail=detail)


def _completed(seen: Snapshot) -> str:
    """When the rollout's last pod was there."""
    progress = condition(seen.deployment, "Progressing") if seen.deployment else {}
    return str(progress.get("lastUpdateTime", "")) if seen.arrived else ""


def _address(row: Standing, place: Place, world: World) -> str:
    known = world.addresses.get(row.place, PENDING)
    if known in ("", PENDING):
        asked = Asked(place.there or place.cluster)
        known = address(asked, place.target.namespace, place.name)
        if not asked.refused:
            world.addresses[row.place] = known
    return known
