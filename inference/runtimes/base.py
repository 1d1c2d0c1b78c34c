"""What a runtime is: a loaded model that answers a batch. Each other module of this folder is one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from inference.errors import RequestError
from inference.requests.tables import Batch


class Unfit(Exception):
    """This runtime cannot give exactly what pyfunc gives for this model; the message says why."""


def refused(reason: str) -> RequestError:
    """The answer to a value that the model does not take, where its library would not say so itself."""
    return RequestError("refused_by_model", f"the model refuses this input: {reason}")


@dataclass(frozen=True)
class Result:
    """What the model returned for a batch, as it came.

    `probabilities` is None unless asked for: an array of shape (rows, classes), or for several outputs a list
    of such arrays.
    """

    predictions: Any
    probabilities: Any = None

    def rows(self, start: int, stop: int) -> Result:
        """The part that belongs to these rows of the batch."""
        found = self.probabilities
        several = isinstance(found, list)
        part = [output[start:stop] for output in found] if several else _rows(found, start, stop)
        return Result(_rows(self.predictions, start, stop), part)


class Runtime(Protocol):
    """A loaded model. Asked by one thread at a time, since few libraries promise more."""

    name: str
    """Shown to people: pyfunc, sklearn, xgboost, lightgbm or onnx."""

    library: str | None
    """Package of the estimator underneath, None for a custom model; tells a refused value from a bug."""

    independent: bool
    """Whether a row's prediction depends on that row alone, so that requests may share one call. True only of
    libraries' own estimators that are known to be so: somebody's own class or function may look at the rows
    beside it, and so does a random answer that is drawn in the order of the rows. The last bits of a sum may
    still depend on how many rows share the call."""

    classes: list[Any] | None
    """Labels that the probabilities belong to; None where there are none."""

    def columns(self) -> tuple[list[str] | None, int | None]:
        """Names and number of the columns that the model itself knows, None for each that it does not."""

    def ask(self, batch: Batch, params: Mapping[str, Any] | None = None, *, probabilities: bool = False) -> Result:
        """Predict; `params` are those of the signature, `probabilities` only where `classes` is not None."""


def _rows(found: Any, start: int, stop: int) -> Any:
    """Rows of an array, a frame, a list of one item a row, or of each column of a mapping."""
    if found is None:
        return None
    if isinstance(found, Mapping):
        return {key: value[start:stop] for key, value in found.items()}
    if hasattr(found, "iloc"):
        return found.iloc[start:stop]
    return found[start:stop]
