"""Which run, and which model in it: over all stores that the script may have written to."""

import os
from dataclasses import dataclass, field
from typing import Any

from . import stores
from .models import LoggedModel, artifact_paths, models_of
from .problem import Problem, said
from .stores import Store

MOST_LISTED = 10


@dataclass
class Look:
    """What looking into one store found."""

    store: Store
    client: Any = None
    experiments: dict[str, str] = field(default_factory=dict)  # id to name
    runs: list[Any] = field(default_factory=list)  # this attempt's, the last to end first
    untagged: list[Any] = field(default_factory=list)  # runs that started since, without our tags
    error: str | None = None

    def facts(self) -> dict[str, Any]:
        return {
            "uri": self.store.uri,
            "store": self.store.kind,
            "exists": self.error is None and self.client is not None,
            "error": self.error,
            "runs": len(self.runs),
            "untagged": [self.run_facts(run) for run in self.untagged],
        }

    def run_facts(self, run: Any) -> dict[str, Any]:
        return {
            "run_id": run.info.run_id,
            "run_name": run.info.run_name,
            "status": run.info.status,
            "experiment": self.experiments.get(run.info.experiment_id, run.info.experiment_id),
        }


@dataclass(frozen=True)
class Found:
    """The model that this attempt made, its run and where they are."""

    look: Look
    run: Any
    model: LoggedModel


def find(request: dict[str, Any]) -> Found:
    """The model of the last finished run of this attempt, or the Problem that is nearest to it."""
    looks = []
    for store in stores.candidates(request):
        look = look_into(store, request)
        looks.append(look)
        found = choose(look, request.get("model"))
        if found is not None:
            return found
    raise nothing_found(looks)


def look_into(store: Store, request: dict[str, Any]) -> Look:
    look = Look(store)
    if not stores.exists(store.uri):
        return look
    if store.kind == "script":
        # A server that the script names may be anywhere: one that does not answer must not cost minutes.
        os.environ.update(MLFLOW_HTTP_REQUEST_MAX_RETRIES="1", MLFLOW_HTTP_REQUEST_TIMEOUT="10")
    try:
        client = stores.open_client(store.uri)
        look.experiments = {item.experiment_id: item.name for item in stores.experiments(client)}
        ids = list(look.experiments)
        release, attempt = request["release"], request["attempt"]
        condition = f"tags.`tagship.release` = '{release}' and tags.`tagship.attempt` = '{attempt}'"
        runs = stores.search_runs(client, ids, condition)
        look.runs = sorted(runs, key=lambda run: run.info.end_time or 0, reverse=True)
        if not runs:
            since = f"attributes.start_time >= {int(float(request['started']) * 1000)}"
            recent = stores.search_runs(client, ids, since, limit=MOST_LISTED)
            look.untagged = [run for run in recent if "tagship.release" not in run.data.tags]
        look.client = client
    except Exception as error:
        look.error = said(error)
    return look


def choose(look: Look, wanted: str | None) -> Found | None:
    """The model to release from this store; None where no finished run has any."""
    seen: set[str] = set()
    for run in look.runs:
        if run.info.status != "FINISHED":
            continue
        models = {model.name: model for model in models_of(look.client, run)}
        seen |= set(models)
        if wanted is not None:
            if wanted in models:
                return Found(look, run, models[wanted])
        elif "model" in models:
            return Found(look, run, models["model"])
        elif len(models) == 1:
            return Found(look, run, next(iter(models.values())))
        elif models:
            raise Problem("several-models", names=sorted(models), run=look.run_facts(run))
    if seen:
        raise Problem("model-not-found", model=wanted, names=sorted(seen))
    return None


def nothing_found(looks: list[Look]) -> Problem:
    """Why there is no model: no run at all, none that finished, or none with a model in it."""
    searched = [look.facts() for look in looks]
    with_runs = [look for look in looks if look.runs]
    if not with_runs:
        if looks[0].error is not None:
            return Problem("store-failed", uri=looks[0].store.uri, error=looks[0].error, searched=searched)
        return Problem("no-run", searched=searched)
    finished = [(look, run) for look in with_runs for run in look.runs if run.info.status == "FINISHED"]
    if not finished:
        runs = [look.run_facts(run) for look in with_runs for run in look.runs[:MOST_LISTED]]
        return Problem("run-failed", runs=runs, searched=searched)
    return Problem(
        "no-model",
        runs=[logged(look, run) for look, run in finished[:MOST_LISTED]],
        searched=searched,
    )


def logged(look: Look, run: Any) -> dict[str, Any]:
    """What a run without a model does hold."""
    return {
        **look.run_facts(run),
        "artifacts": artifact_paths(look.client, run.info.run_id),
        "metrics": sorted(run.data.metrics),
        "params": sorted(run.data.params),
    }
