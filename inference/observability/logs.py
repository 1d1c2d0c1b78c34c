"""Log lines as JSON objects on standard error, one a line; never a request's content."""

from __future__ import annotations

import functools
import logging
import sys
import time
import traceback
from typing import Any

import orjson

_FIELDS = (
    "request_id",
    "method",
    "path",
    "status",
    "seconds",
    "rows",
    "code",
    "model",
    "model_version",
    "api_key",
    "trace_id",
    "span_id",
    "worker",
    "exception",
)


_everywhere: dict[str, Any] = {}
"""Fields of every line of this process."""


def name_worker(index: int) -> None:
    """From now on every line says which worker wrote it."""
    _everywhere["worker"] = index


def write(logger: str, level: int, message: str, fields: dict[str, Any]) -> None:
    """A line as the formatter makes it, at a tenth of the cost; the caller asks the logger's level first."""
    now = time.time()
    line = {
        "time": f"{_second(int(now))}.{int(now % 1 * 1000):03}Z",
        "level": logging.getLevelName(level).lower(),
        "logger": logger,
        "message": message,
        **_everywhere,
    }
    line.update(fields)
    try:
        stream = sys.stderr.buffer
        stream.write(orjson.dumps(line, default=str, option=orjson.OPT_APPEND_NEWLINE))
        stream.flush()
    except (OSError, ValueError):  # nobody reads the log any more; that is no reason to fail
        pass


@functools.lru_cache(maxsize=2)
def _second(moment: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))


def without_values(error: BaseException | None) -> str:
    """The traceback of an exception and its causes, their types in place of their messages."""
    lines: list[str] = []
    while error is not None:
        lines[:0] = [*traceback.format_tb(error.__traceback__), f"{type(error).__qualname__}\n"]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "".join(lines)


class JsonFormatter(logging.Formatter):
    """A record with the fields that were given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": f"{_second(int(record.created))}.{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_everywhere,
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
