"""What `python -m inference replay`, `parity` and `hooks` wrote, read with suspicion: they run strangers' code."""

from __future__ import annotations

import contextlib
import json
import re
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from generator.adapters.shell import ProcessFailed
from generator.artifacts import Part, RuntimeName
from generator.errors import GeneratorError
from generator.ports import Hooked, Parity, Replay

_NUMBER = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Answered(Part):
    """The part of a replay's answer that is not the model's own."""

    runtime: RuntimeName
    runtime_reason: str | None = None
    load_seconds: _NUMBER


class _Compared(Part):
    """A comparison of two runtimes."""

    rows: Annotated[int, Field(ge=0)]
    largest_difference: _NUMBER | None  # None: not a number, as of two labels
    reason: str | None = None


def read_replay(output: str, *, failure: ProcessFailed | None = None) -> Replay:
    """The server's answer to the golden request. Raises GeneratorError where there is none at all."""
    answer = _last_line(output)
    if (error := _error(answer)) is not None:
        return Replay(None, 0.0, error)
    if answer is None or failure is not None or "predictions" not in answer:
        raise _silent(output, failure)
    try:
        found = _ANSWERED.validate_python({key: answer.get(key) for key in _Answered.model_fields})
    except ValidationError as error:
        raise GeneratorError(f"what the server in the image answered is not understood: {error}") from error
    return Replay(answer["predictions"], found.load_seconds, None, found.runtime, _line(found.runtime_reason))


def read_parity(output: str, *, failure: ProcessFailed | None = None) -> Parity:
    """How the runtimes compare; a model that fails in one of them differs. Raises GeneratorError for no answer."""
    answer = _last_line(output)
    if (error := _error(answer)) is not None:
        return Parity(0, 0.0, _line(error))
    if answer is None or failure is not None:
        raise _silent(output, failure)
    try:
        found = _COMPARED.validate_python({key: answer.get(key) for key in _Compared.model_fields})
    except ValidationError as error:
        raise GeneratorError(f"what the server in the image compared is not understood: {error}") from error
    return Parity(found.rows, found.largest_difference or 0.0, _line(found.reason))


def read_hooked(output: str, *, failure: ProcessFailed | None = None) -> Hooked:
    """What hooks and model answered. Raises GeneratorError where there is no answer at all."""
    answer = _last_line(output)
    if (error := _error(answer)) is not None:
        return Hooked(None, _line(error))
    if answer is None or failure is not None or "predictions" not in answer:
        raise _silent(output, failure)
    return Hooked(answer["predictions"])


_ANSWERED = TypeAdapter(_Answered)
_COMPARED = TypeAdapter(_Compared)


def _last_line(output: str) -> dict[str, Any] | None:
    with contextlib.suppress(ValueError, IndexError):
        answer = json.loads(output.strip().splitlines()[-1])
        return answer if isinstance(answer, dict) else None
    return None


def _error(answer: dict[str, Any] | None) -> str | None:
    error = (answer or {}).get("error")
    return str(error.get("message")) if isinstance(error, dict) else None


def _silent(output: str, failure: ProcessFailed | None) -> GeneratorError:
    reason = failure.stderr.strip()[-2000:] if failure else output[-500:]
    return GeneratorError(f"the server in the image did not answer: {reason or 'it printed nothing'}")


def _line(text: str | None) -> str | None:
    """A reason in one bounded line: it may be a message of the model's."""
    return None if text is None else re.sub(r"[\s\x00-\x1f\x7f\u2028\u2029]+", " ", text).strip()[:500]
