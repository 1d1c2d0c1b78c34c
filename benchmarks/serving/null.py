"""This server with a model that does no work: what is left is HTTP, parsing, checks and the answer.

Started like `python -m inference`; the model folder gives the schema alone.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from inference.app import create_app
from inference.lifecycle import Lifecycle
from inference.observability import logs
from inference.prediction.model import Description, Model
from inference.requests.tables import Batch
from inference.runtimes.base import Result
from inference.server import listen, serve
from inference.settings import from_environment


class Nothing:
    """A runtime that answers 0 for every row; see inference.runtimes.base.Runtime."""

    name = "null"
    library: str | None = None
    independent = True
    classes: list[Any] | None = None

    def columns(self) -> tuple[list[str] | None, int | None]:
        return None, None

    def ask(self, batch: Batch, params: Mapping[str, Any] | None = None, **_: bool) -> Result:  # noqa: ARG002
        return Result(np.zeros(batch.rows, dtype=np.int64))


def _load(description: Description, *_: Any) -> Model:
    model = Model(description, Nothing())
    model.choose_example()
    return model


def main() -> int:
    settings = from_environment(os.environ)
    logs.configure(settings.log_level)
    app = create_app(settings)
    app.state.service.lifecycle = Lifecycle(settings.model, lambda *_: None, load=_load)
    return serve(app, listen(settings))


if __name__ == "__main__":
    sys.exit(main())
