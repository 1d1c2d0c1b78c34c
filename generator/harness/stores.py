"""Tracking stores: the configured one and those that a script may have chosen, and runs found in them."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

PAGE = 1000
CHUNK = 100  # experiments asked about at once
CLOCK_SLACK = 2.0  # seconds; file systems keep coarser times than clocks


@dataclass(frozen=True)
class Store:
    """A tracking URI and how we came to look there."""

    uri: str
    kind: str  # configured, script or folder


def candidates(request: dict[str, Any]) -> Iterator[Store]:
    """The configured store, then those the script sets literally, then those lying in its folder."""
    folder = Path(request["folder"])
    stores = [Store(absolute(request["tracking_uri"], folder), "configured")]
    stores += [Store(absolute(uri, folder), "script") for uri in request.get("literal_uris") or ()]
    stores += [Store(uri, "folder") for uri in _lying_in(folder, float(request["started"]))]
    seen: set[str] = set()
    for store in stores:
        key = store.uri if local_path(store.uri) is None else str(local_path(store.uri))
        if key not in seen:
            seen.add(key)
            yield store


def absolute(uri: str, folder: Path) -> str:
    """`uri` with a relative path in it resolved against `folder`, as it meant in the script."""
    path = local_path(uri)
    if path is None:
        return uri
    resolved = (folder / path).resolve()
    if uri.startswith("sqlite:"):
        return f"sqlite:///{resolved}"
    return resolved.as_uri()


def local_path(uri: str) -> Path | None:
    """The file or folder of a local store; None for a server."""
    if uri.startswith("sqlite:"):
        path = uri.partition("://")[2].partition("?")[0]
        return Path(path[1:]) if path[1:] else None  # sqlite:///relative, sqlite:////absolute
    scheme = urlsplit(uri).scheme
    if scheme == "file":
        return Path(unquote(urlsplit(uri).path or uri.partition(":")[2]))
    return Path(uri) if not scheme and uri != "databricks" else None


def exists(uri: str) -> bool:
    """Whether there is a store; asked first, since opening a local one that is missing makes it."""
    path = local_path(uri)
    if path is None:
        return True
    if uri.startswith("sqlite:"):
        return _is_tracking_database(path)
    return path.is_dir() and any(path.glob("*/meta.yaml"))


def _lying_in(folder: Path, started: float) -> Iterator[str]:
    if exists(str(folder / "mlruns")):
        yield (folder / "mlruns").resolve().as_uri()
    for path in sorted(folder.glob("*.db"), key=lambda path: path.name != "mlflow.db"):
        changed = max(item.stat().st_mtime for item in folder.glob(f"{path.name}*"))
        if changed >= started - CLOCK_SLACK and _is_tracking_database(path):
            yield f"sqlite:///{path.resolve()}"


def _is_tracking_database(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            rows = database.execute("select name from sqlite_master where name in ('runs', 'experiments')")
            return len(rows.fetchall()) == 2
    except sqlite3.Error:
        return False


def open_client(uri: str) -> Any:
    """A client of the store, which also becomes the one that MLflow's own functions use."""
    import mlflow

    mlflow.set_tracking_uri(uri)
    return mlflow.MlflowClient(tracking_uri=uri)


def experiments(client: Any) -> list[Any]:
    return list(pages(client.search_experiments, max_results=PAGE))


def search_runs(client: Any, ids: list[str], condition: str, limit: int | None = None) -> list[Any]:
    """The runs of these experiments that meet `condition`, the one that started last first."""
    found: list[Any] = []
    for start in range(0, len(ids), CHUNK):
        chunk = ids[start : start + CHUNK]
        order = ["attributes.start_time DESC"]
        if limit:
            found += client.search_runs(chunk, condition, max_results=limit, order_by=order)
        else:
            found += pages(client.search_runs, chunk, condition, max_results=PAGE, order_by=order)
    return sorted(found, key=lambda run: run.info.start_time or 0, reverse=True)[:limit]


def pages(search: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
    """Every entry of a paged search."""
    token = None
    while True:
        page = search(*args, page_token=token, **kwargs)
        yield from page
        token = getattr(page, "token", None)
        if not token:
            return
