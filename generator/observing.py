"""What `observe` watches an environment with: its cluster, and the branch that says whether it is wanted still."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace

from generator.adapters.git import GitRepository
from generator.adapters.kubectl import cluster_from
from generator.artifacts import Rollout
from generator.config.model import Model, Target, workload
from generator.config.observing import TIMEOUT
from generator.errors import GeneratorError
from generator.ledger import Entry, Ledger, ledger_at
from generator.plan.observing import MARGIN
from generator.plan.pipeline import Stage
from generator.plan.reconciler import api_path
from generator.plan.startup import DEADLINE, deadline_seconds
from generator.ports import Reporter
from generator.rollouts.answer import metadata
from generator.rollouts.reconciling import Since
from generator.rollouts.snapshot import take
from generator.rollouts.watch import Sighting, Watcher, watch
from generator.stages.observe import rollout_of
from generator.store import Store

_ARRIVAL = 300  # seconds until the reconciler has brought a commit, mostly
_SPARE = MARGIN * 60 // 2  # of the job's minutes beside the timeout
Facts = Mapping[str, object]


def watching(
    git: GitRepository, model: Model, target: Target, reporter: Reporter, timeout: int
) -> Callable[[Facts, str], Sighting]:
    """Watches `target` until it is decided, for `timeout` seconds; called with what /metadata must say, the digest
    among it, and with the commit that brings it.

    `git` is a clone that may fetch the release branch; a configuration repository's commits it does not know.
    Raises GeneratorError where the cluster does not answer.
    """
    name = workload(model.name)

    def look(facts: Facts, commit: str) -> Sighting:
        digest, since = str(facts["digest"]), Since(commit)
        with cluster_from(os.environ) as cluster:
            reporter.say(f"watching {target.namespace}/{name} in the cluster {cluster.context()}")
            watcher = Watcher(
                look=lambda: since.saw(take(cluster, target.namespace, name, api_path(model, target))),
                told=(lambda: metadata(cluster, target.namespace, name)) if target.tells else None,
                wanted=lambda: _wanted(git, model, target, digest),
                ours=since.ours if model.separate else lambda revision: bool(git.contains(revision, commit)),
                reporter=reporter,
                timeout=timeout,
            )
            seen = watch(digest, facts, watcher)
            where = f" (the cluster is {cluster.context()})" if seen.state == "late" else ""
            return replace(seen, detail=f"{seen.detail}{where}")

    return look


def _wanted(git: GitRepository, model: Model, target: Target, digest: str) -> bool:
    """Whether the release branch still names it. This job has no key to a configuration repository: not asked."""
    if model.separate:
        return True
    ledger = ledger_at(git, git.fetch(model.config.repository.branch), model.overlay(target.name))
    return ledger is not None and ledger.names(digest)


def patience(target: Target, entry: Entry, reporter: Reporter) -> int:
    """Seconds to watch: until the deadline of a model that loads slowly, too, where the job lasts as long."""
    given, deadline = target.observe.timeout if target.observe else TIMEOUT, deadline_seconds(entry)
    wanted = deadline + _ARRIVAL
    if deadline == DEADLINE or given >= wanted:
        return given
    if "GITHUB_ACTIONS" not in os.environ or wanted - given <= _SPARE:
        return wanted
    reporter.say(
        f"observe.timeout of {given} s may end before the rollout's own deadline of {deadline} s: "
        f"set it to {wanted} in model.yaml"
    )
    return given


def observe_head(
    git: GitRepository,
    model: Model,
    target: Target,
    reporter: Reporter,
    *,
    since: str | None,
    only: str | None = None,
) -> Rollout | None:
    """Watches what the release branch's head says of an environment, and keeps what was seen in .tagship/.

    None where the environment names the same release as the commit `since` does; `only` is the digest that must be
    the head's, or it is superseded. Raises GeneratorError where there is nothing to watch, or, in a workflow, no
    way to. By hand it is kubectl's own cluster that is looked at.
    """
    if target.observe is None and "GITHUB_ACTIONS" in os.environ:
        raise GeneratorError(f"deploy.observe in {model.shown} gives no access to the cluster of {target.name}")
    if model.separate:
        raise GeneratorError("overlays of a configuration repository are not watched by their branch yet")
    branch = model.config.repository.branch
    head = git.fetch(branch)
    overlay = model.overlay(target.name)
    ledger = ledger_at(git, head, overlay)
    if ledger is None or ledger.current is None:
        raise GeneratorError(
            f"{branch} names no release of {model.name} in {target.name}: there is nothing to watch"
        )
    entry = ledger.current
    if only and not ledger.names(only):
        over = Sighting("superseded", f"the overlay names {entry.version} meanwhile")
        return _kept(git, model, target, _entry(ledger, only), over)
    before = ledger_at(git, since, overlay) if since else None
    if before and before.names(entry.digest):
        reporter.say(f"{target.name} ran {entry.version} before {branch} moved: nothing to watch")
        return None
    facts: Facts = {"name": model.name, "version": entry.version, "digest": entry.digest, "commit": entry.commit}
    timeout = patience(target, entry, reporter)
    return _kept(git, model, target, entry, watching(git, model, target, reporter, timeout)(facts, head))


def _entry(ledger: Ledger, digest: str) -> Entry:
    """What ran with a digest."""
    for entry in ledger.history:
        if entry.digest == digest:
            return entry
    raise GeneratorError(
        f"the ledger of {ledger.environment} knows no {digest}: --only takes the digest of what came there"
    )


def _kept(git: GitRepository, model: Model, target: Target, entry: Entry, seen: Sighting) -> Rollout:
    identity = {"name": model.name, "version": entry.version, "commit": entry.commit}
    rollout = rollout_of(identity, target.name, entry.digest, seen)
    Store(git.root / ".tagship" / f"{model.name}-{entry.version}").write(Stage.OBSERVE, rollout)
    return rollout
