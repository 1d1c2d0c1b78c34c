"""Where the server is in its life: starting, ready, failed or stopping, and why.

The model is loaded in a thread of its own, so that the server answers its probes meanwhile.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from inference.errors import HookError, RequestError
from inference.prediction import model as models
from inference.prediction.model import Description, Model
from inference.schema import Schema, SchemaError

State = Literal["starting", "ready", "failed", "stopping"]
_log = logging.getLogger("inference")


class Lifecycle:
    """The model and how far it is; read from the event loop, written by the loading thread."""

    def __init__(
        self,
        folder: Path,
        on_ready: Callable[[Model, float], None],
        load: Callable[[Description], Model] = models.load,
    ) -> None:
        self._folder = folder
        self._load = load
        self._on_ready = on_ready
        self._stopping = False
        self.others_ready: Callable[[], bool] = lambda: True  # with several workers: the rest of them
        self.description: Description | None = None
        self.model: Model | None = None
        self.load_seconds: float | None = None
        self.reason: str | None = None  # of a failure, for anybody
        self.detail: str | None = None  # the same with what the exception says, for the log and for replay

    @property
    def state(self) -> State:
        """A failure stays one while the server stops."""
        if self.reason:
            return "failed"
        if self._stopping:
            return "stopping"
        return "ready" if self.model and self.others_ready() else "starting"

    @property
    def schema(self) -> Schema | None:
        """Known from the MLmodel file even before the model is loaded, if it has a signature."""
        if self.model:
            return self.model.schema
        return self.description.schema if self.description else None

    def start(self) -> None:
        """Begin to load the model; returns at once."""
        # A daemon: a load that never ends must not keep a stopping process alive.
        threading.Thread(target=self._run, name="load-model", daemon=True).start()

    def stop(self) -> None:
        """Be ready no longer; requests are still answered."""
        self._stopping = True

    def require_model(self) -> Model:
        """The model, or the 503 that says why there is none."""
        if self.model:
            return self.model
        if self.reason:
            raise RequestError("model_failed", self.reason, status=503)
        message = "the model is still being loaded; try again soon"
        raise RequestError("model_starting", message, status=503, headers={"Retry-After": "1"})

    def _run(self) -> None:
        began = time.perf_counter()
        try:
            self.description = models.describe(self._folder)
            loaded = self._load(self.description)
        except BaseException as error:  # noqa: BLE001 - a model's code may even call sys.exit
            self.detail = f"{type(error).__name__}: {error}"
            self.reason = _public_reason(error)
            _log.exception("the model failed to load: %s", self.reason)
            return
        self.load_seconds = time.perf_counter() - began
        _keep_for_good()
        self._on_ready(loaded, self.load_seconds)
        self.model = loaded
        _log.info("the model is ready", extra={"seconds": round(self.load_seconds, 3)})


def _keep_for_good() -> None:
    """Libraries and model stay as long as the process: the garbage of requests need not be sought among them."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _public_reason(error: BaseException) -> str:
    """What went wrong, without a path, a package or a line of the model's code."""
    if isinstance(error, SchemaError):
        return "the model's description cannot be read"
    if isinstance(error, HookError):
        return "the hooks cannot be loaded"
    if isinstance(error, FileNotFoundError):
        return "a file of the model is missing"
    if isinstance(error, ImportError):
        return "a Python package that the model needs is missing"
    if isinstance(error, MemoryError):
        return "there is not enough memory to load the model"
    return "the model could not be loaded"
