"""`collect`: finds this attempt's run and model, brings the model to disk, and records golden rows."""

import math
import sys
from pathlib import Path
from typing import Any

from . import stores
from .finding import Found, find
from .golden import record
from .models import bring, describe
from .problem import masked, said

LONGEST_LINE = 1000
DEEPEST_PARENT = 20


def collect(request: dict[str, Any]) -> dict[str, Any]:
    # The image will not have the script's folder: a model that needs it must fail here, not there.
    folder = Path(request["folder"]).resolve()
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != folder]
    found = find(request)
    model_folder = bring(found.model, Path(request["output"]))
    described = describe(model_folder)
    golden = record(model_folder, request, found.model.name)
    return {
        **run_facts(found),
        "model": {
            "name": found.model.name,
            "uri": found.model.uri,
            "model_id": found.model.model_id,
            **described,
        },
        "golden": golden,
    }


def run_facts(found: Found) -> dict[str, Any]:
    import mlflow

    look, run = found.look, found.run
    family = [run, *parents(look.client, run)]
    metrics: dict[str, float] = {}
    params: dict[str, str] = {}
    for member in reversed(family):  # the model's own run comes last and wins
        metrics.update(member.data.metrics)
        params.update(member.data.params)
    configured = look.store.kind == "configured"
    return {
        "tracking_uri": masked(look.store.uri) if configured else look.store.uri,
        "store": look.store.kind,
        **look.run_facts(run),
        "parents": [parent.info.run_id for parent in family[1:]],
        "metrics": {name: finite_or_name(value) for name, value in metrics.items()},
        "params": {line(name): line(value) for name, value in params.items()},
        "datasets": datasets(family),
        "tags": {line(k): line(v) for k, v in run.data.tags.items() if not k.startswith("mlflow.")},
        "mlflow_version": mlflow.__version__,
        "registered": registered(look.client, run.info.run_id),
    }


def parents(client: Any, run: Any) -> list[Any]:
    """The run's parents, the innermost first."""
    found: list[Any] = []
    parent = run.data.tags.get("mlflow.parentRunId")
    while parent and len(found) < DEEPEST_PARENT:
        found.append(client.get_run(parent))
        parent = found[-1].data.tags.get("mlflow.parentRunId")
    return found


def datasets(family: list[Any]) -> list[dict[str, str]]:
    """What the run and its parents logged with mlflow.log_input: names and digests, as MLflow keeps them."""
    found = {
        (str(used.dataset.name), str(used.dataset.digest))
        for run in family
        for used in getattr(getattr(run, "inputs", None), "dataset_inputs", None) or ()
    }
    return [{"name": name, "digest": digest} for name, digest in sorted(found)]


def registered(client: Any, run_id: str) -> list[dict[str, str]]:
    """Versions that the script itself made of this run; none where the store keeps no registry."""
    try:
        versions = list(stores.pages(client.search_model_versions, f"run_id='{run_id}'"))
    except Exception as error:
        print(f"no registry to look into: {said(error)}", file=sys.stderr)
        return []
    own = [version for version in versions if "tagship.release" not in version.tags]
    return [{"name": version.name, "version": str(version.version)} for version in own]


def finite_or_name(value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    # MLflow's SQL stores keep an infinity as the largest float.
    if abs(value) >= sys.float_info.max:
        return "Infinity" if value > 0 else "-Infinity"
    return value


def line(text: object) -> str:
    """`text` as one bounded line: autologged parameters hold whole estimators over many lines."""
    return " ".join(str(text).split())[:LONGEST_LINE]
