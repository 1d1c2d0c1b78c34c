"""Which runtime serves a model: what model.yaml wants, what the server found, and how that compares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from generator.artifacts import RuntimeName, Served, TrainedModel
from generator.errors import GeneratorError
from generator.image.converted import GAPS, is_converted, outcome
from generator.ports import Parity, Replay

_NATIVE: tuple[RuntimeName, ...] = ("sklearn", "xgboost", "lightgbm", "onnx")


@dataclass(frozen=True)
class Choice:
    """A runtime, and whether the server must be told: it finds its model's native one by itself."""

    served: Served
    told: bool = False

    @property
    def facts(self) -> dict[str, str | None]:
        """What release.json says of it."""
        runtime, reason = self.served.runtime, self.served.reason
        return {"runtime": runtime if self.told else None, "runtime_reason": reason if self.told else None}

    @property
    def compared(self) -> bool:
        """Whether a native runtime will most likely serve, so that its predictions are compared with pyfunc's."""
        return not self.told and not self.served.converted and self.served.runtime != "pyfunc"


def expected(wanted: str, trained: TrainedModel) -> Choice:
    """What will most likely serve; the image is built for that first."""
    made = trained.converted
    if made is not None and is_converted(trained):
        reason, difference = GAPS if made.refuses_gaps else None, made.largest_difference
        return Choice(
            Served(runtime="onnx", reason=reason, converted=True, rows=made.rows, largest_difference=difference)
        )
    if wanted == "pyfunc":
        return Choice(Served(runtime="pyfunc", reason="serve.runtime in model.yaml asks for it"), told=True)
    native = next((name for name in _NATIVE if name in trained.flavors), None)
    return Choice(Served(runtime=native or "pyfunc", reason=_unconverted(trained)))


def settled(first: Choice, trained: TrainedModel, replayed: Replay, compare: Callable[[], Parity]) -> Choice:
    """What is to serve, given how the image of `first` answered: a native runtime only where it predicts the same.

    Raises GeneratorError where the image did not do as it was told.
    """
    if first.told or first.served.converted:
        if replayed.runtime != first.served.runtime:
            raise GeneratorError(
                f"the image is to serve with {first.served.runtime}, but served with {replayed.runtime}"
                + (f": {replayed.reason}" if replayed.reason else "")
            )
        return first
    if replayed.runtime == "pyfunc":
        return Choice(Served(runtime="pyfunc", reason=_joined(_unconverted(trained), replayed.reason)))
    parity = compare()
    if parity.reason is not None:
        differs = f"{replayed.runtime} itself does not predict what pyfunc predicts: {parity.reason}"
        return Choice(Served(runtime="pyfunc", reason=_joined(_unconverted(trained), differs)), told=True)
    return Choice(
        Served(
            runtime=replayed.runtime,
            reason=_unconverted(trained),
            rows=parity.rows,
            largest_difference=parity.largest_difference,
        )
    )


def _unconverted(trained: TrainedModel) -> str | None:
    return outcome(trained.converted) if trained.converted and trained.converted.reason else None


def _joined(*reasons: str | None) -> str | None:
    return "; ".join(reason for reason in reasons if reason)[:1000] or None
