"""From what the harness found to a TrainedModel: nothing of it is believed without its form being checked."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from pydantic import ValidationError

from generator.artifacts import Conversion, Golden, TrainedModel
from generator.disk import file_sha256, folder_sha256
from generator.errors import GeneratorError
from generator.release import Release

# Instead of a local store's path, which means nothing on another machine: ours, or one that the script chose.
EMBEDDED, SCRIPTS_OWN = "embedded", "embedded, the script's own"
MOST_PARAMS = 500
MOST_METRICS = 1000  # see artifacts.Metrics
_METRIC = re.compile(r"[A-Za-z0-9_./: -]{1,250}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")


def trained_model(release: Release, found: dict[str, Any], **measured: Any) -> TrainedModel:
    """The artifact. Raises GeneratorError where the harness's answer has not the form that it must have."""
    try:
        model, params = found["model"], dict(found["params"])
        return TrainedModel(
            **release.identity,
            run_id=found["run_id"],
            attempt=release.attempt,
            tracking_uri=_tracking_uri(found),
            experiment=_line(found["experiment"]),
            model_name=_line(model["name"]),
            model_uri=_line(model["uri"]),
            flavors=tuple(map(_line, model["flavors"])),
            metrics=_metrics(found["metrics"], _gated(release)),
            params={_line(name): _line(value) for name, value in sorted(params.items())[:MOST_PARAMS]},
            mlflow_version=_line(found["mlflow_version"]),
            data_sha256=data_sha256(found["datasets"]),
            **measured,
        )
    except (KeyError, TypeError, ValueError, AttributeError, ValidationError) as error:
        raise GeneratorError(f"what MLflow answered about the run is not understood: {error}") from error


def _metrics(found: Mapping[str, Any], gated: Set[str]) -> dict[str, Any]:
    """The metrics that an artifact may hold: those that the gate looks at, then the first by name."""
    names = sorted(filter(_METRIC.fullmatch, found), key=lambda name: (name not in gated, name))
    return {name: found[name] for name in sorted(names[:MOST_METRICS])}


def _gated(release: Release) -> Set[str]:
    gate = release.model.config.gate
    compared = gate.champion.metric if gate.champion else None
    return {*gate.metrics, *([compared] if compared else [])}


def _tracking_uri(found: dict[str, Any]) -> str:
    uri = public_uri(str(found["tracking_uri"]))
    return SCRIPTS_OWN if uri == EMBEDDED and found["store"] != "configured" else uri


def data_sha256(datasets: list[dict[str, Any]]) -> str | None:
    """One hash for all datasets that the run logged, from their names and digests; None where it logged none."""
    lines = sorted({f"{item['name']}\0{item['digest']}\n" for item in datasets})
    return hashlib.sha256("".join(lines).encode()).hexdigest() if lines else None


def golden_of(found: dict[str, Any], path: Path) -> Golden:
    """The golden rows, as train.json speaks of them."""
    facts = found.get("golden") or {}
    try:
        return Golden(
            source=facts["source"],
            rows=facts["rows"],
            deterministic=facts.get("deterministic", True),
            sha256=file_sha256(path),
        )
    except (KeyError, OSError, ValidationError) as error:
        raise GeneratorError(f"the golden rows were not recorded: {error}") from error


def conversion_of(answer: dict[str, Any], folder: Path) -> Conversion:
    """What became of the conversion, of which `folder` holds the outcome."""
    facts = answer.get("converted")
    try:
        if facts is None:
            return Conversion(reason=_line(answer["reason"])[:500])
        return Conversion(sha256=folder_sha256(folder), **facts)
    except (KeyError, TypeError, ValidationError) as error:
        raise GeneratorError(f"what the conversion to ONNX answered is not understood: {error}") from error


def passed_over(found: dict[str, Any]) -> str | None:
    """Why better golden rows could not be had, where the harness says so."""
    reason = (found.get("golden") or {}).get("reason")
    return _line(reason) if reason else None


def public_uri(uri: str) -> str:
    """A tracking URI that may be shown: no user, password or query, and no path of this machine."""
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https"):
        return EMBEDDED if parts.scheme in ("sqlite", "file", "") else parts.scheme
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))


def _line(value: object) -> str:
    return _CONTROL.sub(" ", str(value))[:1000]
