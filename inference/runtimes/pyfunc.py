"""MLflow's own way to load and ask a model: right for every flavor, and the slowest. Imports MLflow."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inference.outputs import class_labels
from inference.requests.frames import as_input
from inference.requests.tables import Batch
from inference.runtimes.base import Result
from inference.runtimes.estimators import classes_of, columns_of, parts, use_one_thread

_LIBRARIES = {"mlflow.sklearn": "sklearn", "mlflow.xgboost": "xgboost", "mlflow.lightgbm": "lightgbm"}
"""Loader modules whose raw model is a known estimator or booster."""


class Pyfunc:
    """See base.Runtime. Predictions are pyfunc's, probabilities those of the estimator underneath."""

    name = "pyfunc"
    independent = False  # a custom model may look at all rows that it is given

    def __init__(self, pyfunc: Any, loader: str, reason: str | None = None) -> None:
        self._pyfunc = pyfunc
        self.reason = reason  # why it serves, and no native runtime
        self.library = _LIBRARIES.get(loader)
        self._raw = pyfunc.get_raw_model() if self.library else None
        # Several threads would add up the trees of a forest in another order each time: its ties have no fixed
        # answer then.
        use_one_thread(parts(self._raw))
        classes = classes_of(self._raw)
        self.classes = None if classes is None else class_labels(classes)

    def columns(self) -> tuple[list[str] | None, int | None]:
        return columns_of(self._raw)

    def ask(self, batch: Batch, params: Mapping[str, Any] | None = None, *, probabilities: bool = False) -> Result:
        data = as_input(batch)
        found = self._pyfunc.predict(data, params=dict(params)) if params else self._pyfunc.predict(data)
        return Result(
            found, self._raw.predict_proba(as_input(batch)) if probabilities and self._raw is not None else None
        )


def load(folder: Path, loader: str, reason: str | None = None, *, enforce: bool) -> Pyfunc:
    """Import MLflow and the model's libraries, and load it; slow (seconds). `reason` is why it is to serve.

    Without `enforce` MLflow does not check what it is given: our schema has checked every value already, and
    MLflow's refuses gaps in optional whole-number columns.
    """
    os.environ.setdefault("MLFLOW_CONFIGURE_LOGGING", "false")  # its lines become ours, as JSON
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow.pyfunc
    import mlflow.tracing

    # There is no tracking server to trace to. Left on, load_model wants one afterwards, and in failing to
    # find it loses the model's own exception and returns None.
    mlflow.tracing.disable()
    pyfunc = mlflow.pyfunc.load_model(str(folder))
    if not enforce and pyfunc.metadata.signature:
        signature = copy.copy(pyfunc.metadata.signature)
        signature.inputs = None
        pyfunc.metadata.signature = signature
    return Pyfunc(pyfunc, loader, reason)
