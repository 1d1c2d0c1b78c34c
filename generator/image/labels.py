"""What an image says of itself: labels that `package` puts on, and `publish` and the ledger read.

The standard names are those of the OCI image specification (annotations.md).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from generator.artifacts import Commit, NameText, Part, Record, TrainedModel, VersionText
from generator.errors import GeneratorError

TITLE = "org.opencontainers.image.title"
VERSION = "org.opencontainers.image.version"
REVISION = "org.opencontainers.image.revision"
CREATED = "org.opencontainers.image.created"
SOURCE = "org.opencontainers.image.source"
MODEL = "io.tagship.model"
RUN = "io.tagship.run-id"
REGISTERED = "io.tagship.registered-version"
DATA = "io.tagship.data-sha256"
METRICS = "io.tagship.metrics"
GOLDEN = "io.tagship.golden-rows"
RUNTIME = "io.tagship.runtime"
ENGINE = "io.tagship.engine"

MOST_METRICS = 50


class _Identity(Part):
    name: NameText
    version: VersionText
    commit: Commit


@dataclass(frozen=True)
class Labelled:
    """An image's labels, understood."""

    name: str
    version: str
    commit: str
    engine: str  # docker, or process for what only a rehearsal can run
    record: Record

    @property
    def identity(self) -> dict[str, str]:
        return {"name": self.name, "version": self.version, "commit": self.commit}


def kept_metrics(metrics: Mapping[str, Any], gated: Mapping[str, object]) -> dict[str, Any]:
    """The metrics that travel with the image: all that the gate looks at, then by name, at most 50."""
    names = sorted(metrics, key=lambda name: (name not in gated, name))
    most = max(MOST_METRICS, sum(name in gated for name in names))
    return {name: metrics[name] for name in sorted(names[:most])}


def labels(trained: TrainedModel, record: Record, *, engine: str, source: str | None) -> dict[str, str]:
    """The labels of a release's image. The time is the training's: an image built again is the same image."""
    optional = {
        SOURCE: source,
        REGISTERED: None if record.registered_version is None else str(record.registered_version),
        DATA: record.data_sha256,
        RUNTIME: record.runtime,
    }
    return {
        TITLE: trained.name,
        VERSION: trained.version,
        REVISION: trained.commit,
        CREATED: trained.trained_at,
        MODEL: trained.name,
        RUN: record.run_id,
        ENGINE: engine,
        GOLDEN: str(record.golden_rows),
        METRICS: json.dumps(record.metrics, sort_keys=True, separators=(",", ":"), allow_nan=False),
        **{key: value for key, value in optional.items() if value is not None},
    }


def read_labels(given: Mapping[str, str], where: str) -> Labelled:
    """The labels of the image that `where` names. Raises GeneratorError where they are not Tagship's."""
    try:
        identity = _Identity(name=given[MODEL], version=given[VERSION], commit=given[REVISION])
        registered = given.get(REGISTERED)
        record = {
            "run_id": given[RUN],
            "registered_version": None if registered is None else int(registered),
            "data_sha256": given.get(DATA),
            "golden_rows": int(given.get(GOLDEN, "0")),
            "runtime": given.get(RUNTIME),
            "metrics": json.loads(given[METRICS]),
        }
        return Labelled(
            **identity.model_dump(), engine=given[ENGINE], record=Record.model_validate_json(json.dumps(record))
        )
    except (KeyError, ValueError, ValidationError) as error:
        label = error.args[0] if isinstance(error, KeyError) else "a label"
        what = "is missing" if isinstance(error, KeyError) else "has no valid value"
        raise GeneratorError(
            f"{where} does not carry Tagship's labels ({label} {what}): `generator stage package` did not make it"
        ) from error
