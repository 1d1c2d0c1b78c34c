"""`register`: exactly one version of the registered model for a run, however often this is killed."""

from collections.abc import Iterator
from typing import Any

from . import stores
from .problem import Problem, said

RELEASE = "tagship.release"
SUPERSEDED = "tagship.superseded"
NO_SUCH_FEATURE = {"ENDPOINT_NOT_FOUND", "NOT_IMPLEMENTED", "FEATURE_DISABLED"}


def register(request: dict[str, Any]) -> dict[str, Any]:
    try:
        client = stores.open_client(request["tracking_uri"])
        return _register(client, request)
    except Problem:
        raise
    except Exception as error:
        raise Problem("registry-failed", name=request["name"], error=said(error)) from error


def _register(client: Any, request: dict[str, Any]) -> dict[str, Any]:
    name = request["name"]
    tags = {
        **{key: str(value) for key, value in (request.get("tags") or {}).items()},
        RELEASE: request["release"],
        "tagship.commit": request["commit"],
    }
    before = list(versions_of(client, name))
    ours = [version for version in before if is_ours(client, version, request)]
    created = not ours
    # The oldest, should there be several: an answer once given stays the answer.
    version = min(ours, key=lambda item: int(item.version)) if ours else create(request, tags)
    for key, value in tags.items():
        if version.tags.get(key) != value:
            client.set_model_version_tag(name, version.version, key, value)
    supersede(client, before, version, request)
    alias, why = point_alias(client, request, str(version.version))
    answer = {"name": name, "version": str(version.version), "created": created, "alias": alias}
    return answer if alias else {**answer, "alias_error": why}


def versions_of(client: Any, name: str) -> Iterator[Any]:
    return stores.pages(client.search_model_versions, f"name='{name}'")


def create(request: dict[str, Any], tags: dict[str, str]) -> Any:
    """A new version, born with its tags, so that one killed half-way is recognised."""
    import mlflow

    return mlflow.register_model(request["model_uri"], request["name"], tags=tags)


def is_ours(client: Any, version: Any, request: dict[str, Any]) -> bool:
    """Whether this version is the release's own model: by its tag, else by what it was made from.

    A version that the script registered from the same model under the same name is taken as well: one
    model has one version.
    """
    if version.run_id != request["run_id"] or version.status == "FAILED_REGISTRATION":
        return False
    release = version.tags.get(RELEASE)
    if release is not None:
        return bool(release == request["release"])
    return version.source in sources(client, request["model_uri"])


def sources(client: Any, model_uri: str) -> set[str]:
    """Every form in which MLflow may have written down where the model is."""
    found = {model_uri}
    if model_uri.startswith("runs:/"):
        run_id, _, path = model_uri.removeprefix("runs:/").partition("/")
        root = client.get_run(run_id).info.artifact_uri.rstrip("/")
        found.add(f"{root}/{path}")
    elif model_uri.startswith("models:/m-"):
        found.add(client.get_logged_model(model_uri.removeprefix("models:/")).artifact_location)
    return found


def supersede(client: Any, before: list[Any], version: Any, request: dict[str, Any]) -> None:
    """Marks the versions that an earlier attempt of the same release left behind."""
    for other in before:
        earlier = int(other.version) < int(version.version) and other.run_id != request["run_id"]
        if earlier and other.tags.get(RELEASE) == request["release"] and SUPERSEDED not in other.tags:
            client.set_model_version_tag(other.name, other.version, SUPERSEDED, str(version.version))


def point_alias(client: Any, request: dict[str, Any], version: str) -> tuple[bool, str | None]:
    """Whether the alias points at `version`, and why not: some registries know no aliases."""
    alias = request.get("alias")
    if not alias:
        return False, "none asked for"
    try:
        client.set_registered_model_alias(request["name"], alias, version)
    except NotImplementedError as error:
        return False, said(error)
    except Exception as error:
        if getattr(error, "error_code", None) in NO_SUCH_FEATURE:
            return False, said(error)
        raise
    return True, None
