"""Compares a native runtime with MLflow's pyfunc, on golden rows and on thousands that are made up.

Packaging asks for it before an image may be published, and falls back to pyfunc on the first difference.
Both get the same parsed batches. That both refuse a row counts as the same answer.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from inference import outputs
from inference.errors import RequestError
from inference.requests import forms
from inference.requests.batch import Rules
from inference.requests.tables import Batch
from inference.requests.values import Array
from inference.runtimes import made_up
from inference.runtimes.base import Result, Runtime
from inference.schema import Schema

TOLERANCE = 1e-12
"""Largest relative difference of two floats; a converted model needs about 1e-5."""


@dataclass(frozen=True)
class Report:
    """What the comparison found."""

    rows: int
    """Rows that both answered."""

    refused: int
    """Rows that both refused."""

    largest_difference: float
    """Of all floats, relative to the value or to the output's median, whichever is larger."""

    reason: str | None
    """Why the native runtime may not be used, for people; None: it gives what pyfunc gives."""


class _Different(Exception):
    """The two answers differ by more than a rounding; the message says how."""


def check(
    native: Runtime,
    pyfunc: Runtime,
    schema: Schema,
    bodies: Sequence[Any] = (),
    *,
    rows: int = 5000,
    tolerance: float = TOLERANCE,
) -> Report:
    """Ask both for the golden `bodies` (as for /predict) and for about `rows` made-up rows, always the same.

    `schema` is what the model itself takes. Bodies that are no request for it are left out.
    """
    comparison = _Comparison(native, pyfunc)
    given = list(_read(bodies, schema))
    try:
        if native.classes != pyfunc.classes:
            raise _Different(f"its classes are {native.classes!r:.200}, pyfunc's are {pyfunc.classes!r:.200}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # extreme values make libraries talk
            for batch in (*given, *made_up.batches(schema, bodies, _thresholds(native, pyfunc), rows)):
                comparison.ask(batch)
        largest = comparison.largest()
    except _Different as difference:
        return Report(comparison.rows, comparison.refused, float("inf"), str(difference))
    reason = None
    if not comparison.rows:
        reason = "not one row was answered, so nothing could be compared; golden rows would help"
    elif largest > tolerance:
        reason = f"numbers differ by up to {largest:.2g}, more than {tolerance:g}"
    return Report(comparison.rows, comparison.refused, largest, reason)


def _read(bodies: Sequence[Any], schema: Schema) -> Iterator[Batch]:
    for body in bodies:
        try:
            yield forms.read(body, schema, Rules(version="")).batch
        except RequestError:
            continue


def _thresholds(*runtimes: Runtime) -> list[Array] | None:
    for runtime in runtimes:
        ask = getattr(runtime, "thresholds", None)
        found: list[Array] | None = ask() if ask else None
        if found:
            return found
    return None


@dataclass
class _Comparison:
    native: Runtime
    pyfunc: Runtime
    rows: int = 0
    refused: int = 0
    pairs: dict[str, list[tuple[Array, Array]]] = field(default_factory=dict)

    def ask(self, batch: Batch) -> None:
        """Ask both, and keep the numbers; _Different when it is more than a number that differs."""
        mine, theirs = self._answer(self.native, batch), self._answer(self.pyfunc, batch)
        if isinstance(mine, Exception) and isinstance(theirs, Exception):
            self.refused += batch.rows
        elif isinstance(mine, Exception):
            raise _Different(f"it refuses what pyfunc answers: {type(mine).__name__}: {mine!s:.200}")
        elif isinstance(theirs, Exception):
            raise _Different(f"it answers what pyfunc refuses: {type(theirs).__name__}: {theirs!s:.200}")
        else:
            self.rows += batch.rows
            self._match("predictions", mine.predictions, theirs.predictions)
            self._match("probabilities", mine.probabilities, theirs.probabilities)

    def _answer(self, runtime: Runtime, batch: Batch) -> Result | Exception:
        try:
            return runtime.ask(batch, probabilities=self.native.classes is not None)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no answer
            return error

    def _match(self, name: str, mine: Any, theirs: Any) -> None:
        mine, theirs = _plain(mine), _plain(theirs)
        if isinstance(mine, Mapping) and isinstance(theirs, Mapping) and list(mine) == list(theirs):
            for key in mine:
                self._match(f"{name} {key}", mine[key], theirs[key])
            return
        one, other = np.asarray(mine), np.asarray(theirs)
        if one.shape != other.shape:
            raise _Different(f"{name} have the shape {one.shape}, pyfunc's have {other.shape}")
        if one.dtype.kind == other.dtype.kind == "f":
            self.pairs.setdefault(name, []).append((one, other))
        elif (one.dtype.kind == "f") != (other.dtype.kind == "f"):
            raise _Different(f"{name} are of the type {one.dtype}, pyfunc's are {other.dtype}")
        else:
            _expect_same(name, one, other)

    def largest(self) -> float:
        """The largest difference of two numbers; infinite where only one is one."""
        found = 0.0
        for pairs in self.pairs.values():
            one, other = (np.concatenate([pair[side].ravel() for pair in pairs]) for side in (0, 1))
            one, other = one.astype(np.float64), other.astype(np.float64)
            same = (one == other) | (np.isnan(one) & np.isnan(other))
            finite = np.abs(other[np.isfinite(other)])
            if same.all():
                continue
            size = np.maximum(np.abs(other[~same]), np.median(finite) if finite.size else 0.0)
            with np.errstate(invalid="ignore", divide="ignore"):
                differences = np.abs(one[~same] - other[~same]) / size
            found = max(found, float(np.nan_to_num(differences, nan=np.inf).max()))
        return found


def _plain(found: Any) -> Any:
    """A frame as arrays by column, outputs of several kinds by position, anything else as it is."""
    if hasattr(found, "columns") and hasattr(found, "to_dict"):
        return {str(name): np.asarray(found[name]) for name in found.columns}
    if isinstance(found, list) and found and isinstance(found[0], np.ndarray):
        return dict(enumerate(found))
    return found.toarray() if hasattr(found, "toarray") else found


def _expect_same(name: str, one: Array, other: Array) -> None:
    mine, theirs = (outputs.jsonable(side) for side in (one, other))
    if outputs.dumps(mine) == outputs.dumps(theirs):
        return
    pairs = list(zip(mine, theirs, strict=True)) if isinstance(mine, list) else [(mine, theirs)]
    different = [(left, right) for left, right in pairs if outputs.dumps(left) != outputs.dumps(right)]
    left, right = different[0]
    raise _Different(f"{len(different)} {name} differ, one is {left!r:.80} where pyfunc says {right!r:.80}")
