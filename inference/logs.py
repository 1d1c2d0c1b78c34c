"""Log lines as JSON objects on standard error, one a line; never a request's content."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

import orjson

_FIELDS = ("request_id", "method", "path", "status", "seconds", "rows", "code", "model", "model_version")


class JsonFormatter(logging.Formatter):
    """A record with the fields that were given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{moment}.{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update({key: record.__dict__[key] for key in _FIELDS if key in record.__dict__})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def configure(level: str) -> None:
    """Send every logger's lines, uvicorn's and MLflow's too, and warnings, through the formatter."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)
    # It warns of type hints in MLflow's own code on every start.
    logging.getLogger("mlflow.types").setLevel(logging.ERROR)
    for chatty in ("uvicorn", "mlflow", "matplotlib"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLevelName(level)))
