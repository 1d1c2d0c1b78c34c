"""`source`: which model a run, a version, an alias or a name means now, and on request the model itself.

For `generator serve`. Nothing is loaded: the model is only looked up and downloaded.
"""

import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from . import stores
from .models import LoggedModel, bring, models_of
from .problem import Problem, said

MOST_LISTED = 20
_ABSENT = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND"}
_REFUSED = {"PERMISSION_DENIED", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED"}


def source(request: dict[str, Any]) -> dict[str, Any]:
    """What `request` means: kind is `run` (run_id, path) or `registered` (name, and version or alias or neither).

    With `output` the model is there afterwards, in the folder `model`.
    """
    uri = stores.absolute(request["tracking_uri"], Path(request["folder"]))
    if not stores.exists(uri):
        raise Problem("store-absent", uri=uri)
    # Somebody waits for the answer, and asks again if they like.
    os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "1"
    try:
        client = stores.open_client(uri)
        model, facts = _KINDS[request["kind"]](client, request)
    except Problem:
        raise
    except Exception as error:
        raise _failed(error, uri) from error
    if request.get("output"):
        bring(model, Path(request["output"]))
    return {**facts, "uri": model.uri}


def _failed(error: Exception, uri: str) -> Problem:
    """A server that lets nobody in, or that fails."""
    text = said(error)
    if getattr(error, "error_code", None) in _REFUSED or " 401" in text or " 403" in text:
        return Problem("store-refused", uri=uri, error=text)
    return Problem("store-failed", uri=uri, error=text)


def _run(client: Any, request: dict[str, Any]) -> tuple[LoggedModel, dict[str, Any]]:
    run = _ask(client.get_run, request["run_id"])
    if run is None:
        raise Problem("unknown-run", run_id=request["run_id"])
    models = {model.name: model for model in models_of(client, run)}
    wanted = request.get("path") or ("model" if "model" in models or len(models) != 1 else next(iter(models)))
    if wanted not in models:
        kind = "unknown-path" if request.get("path") or not models else "several-models"
        raise Problem(kind, run_id=request["run_id"], path=request.get("path"), names=sorted(models)[:MOST_LISTED])
    return models[wanted], {
        "name": wanted,
        "version": None,
        "model_id": models[wanted].model_id,
        "created": _moment(run.info.end_time or run.info.start_time),
        **_origin(run.data.tags, run),
    }


def _registered(client: Any, request: dict[str, Any]) -> tuple[LoggedModel, dict[str, Any]]:
    version = _version(client, request)
    run = _ask(client.get_run, version.run_id) if version.run_id else None
    uri = f"models:/{version.name}/{version.version}"
    return LoggedModel(version.name, uri), {
        "name": version.name,
        "version": str(version.version),
        # A version is never changed, but it may be deleted and its name used again.
        "model_id": f"{version.source} {version.creation_timestamp}",
        "created": _moment(version.creation_timestamp),
        **_origin(version.tags, run),
        "run_id": version.run_id or None,
    }


def _version(client: Any, request: dict[str, Any]) -> Any:
    name, alias, number = request["name"], request.get("alias"), request.get("version")
    if _ask(client.get_registered_model, name) is None:
        known = sorted(model.name for model in client.search_registered_models(max_results=100))
        raise Problem("unknown-model", name=name, names=known[:MOST_LISTED])
    if alias is not None:
        version = _ask(client.get_model_version_by_alias, name, alias)
        if version is None:
            aliases = getattr(client.get_registered_model(name), "aliases", None) or {}
            raise Problem("unknown-alias", name=name, alias=alias, names=sorted(aliases)[:MOST_LISTED])
        return version
    versions = stores.pages(client.search_model_versions, f"name='{name}'")
    ready = {int(item.version): item for item in versions if item.status == "READY"}
    wanted = int(number) if number is not None else max(ready, default=None)
    if wanted not in ready:
        newest = [str(version) for version in sorted(ready, reverse=True)[:MOST_LISTED]]
        raise Problem("unknown-version", name=name, version=number, names=newest)
    return ready[wanted]


def _ask(question: Any, *arguments: str) -> Any:
    """The answer; None where there is no such thing."""
    try:
        return question(*arguments)
    except Exception as error:
        if getattr(error, "error_code", None) in _ABSENT:
            return None
        raise


def _origin(tags: dict[str, str], run: Any) -> dict[str, Any]:
    """What a release, or MLflow itself, wrote down of where the model is from."""
    of_run = run.data.tags if run is not None else {}
    commit = tags.get("tagship.commit") or of_run.get("tagship.commit") or of_run.get("mlflow.source.git.commit")
    return {
        "run_id": run.info.run_id if run is not None else None,
        "release": tags.get("tagship.release") or of_run.get("tagship.release"),
        "commit": commit,
    }


def _moment(milliseconds: Any) -> Any:
    if not milliseconds:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


_KINDS = {"run": _run, "registered": _registered}
