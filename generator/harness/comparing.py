"""Whether a converted model predicts what the original predicts.

Labels must be equal. Numbers may differ by the tolerance, relative to the number itself or to 1, whichever is
larger. One thread computes, as in the server: with more the order of sums is left to chance.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .original import Original, Refused

ALONE = 200  # rows that are asked one by one: a library may compute few rows in another way than many
TOGETHER = 500


@dataclass(frozen=True)
class Converted:
    """A graph, and what converted.json says of it."""

    graph: bytes
    description: dict[str, Any]

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = settings.inter_op_num_threads = 1
        settings.log_severity_level = 3
        return onnxruntime.InferenceSession(self.graph, settings, providers=["CPUExecutionProvider"])

    def answer(self, rows: Any) -> list[Any]:
        """Labels, or a regressor's numbers, and probabilities where there are any."""
        import numpy

        names = [name for name in self.description["output"].values() if name]
        given = numpy.ascontiguousarray(rows, dtype=self.description["dtype"])
        found = self._session.run(names, {self.description["input"]: given})
        if self.description["labels"] == "position":
            found[0] = numpy.array(self.description["classes"]).take(found[0])
        if found[0].ndim == 2 and found[0].shape[1] == 1:
            found[0] = found[0][:, 0]
        return list(found)


def compare(model: Original, converted: Converted, rows: Any, tolerance: float) -> float:
    """The largest difference of two numbers. Raises Refused where answers differ by more than is allowed."""
    import numpy

    ends = [*range(1, ALONE), *range(ALONE, len(rows), TOGETHER)]
    answers = [converted.answer(batch) for batch in numpy.split(rows, ends) if len(batch)]
    found = [numpy.concatenate(parts) for parts in zip(*answers, strict=True)]
    expected = model.predict(rows)
    if not _same(expected, model.predict(rows)):
        raise Refused("it answers differently when it is asked twice")
    largest = 0.0
    if model.classes is None:
        largest = _difference("predictions", expected, found[0], tolerance)
    elif not _same(expected, found[0]):
        raise Refused(_labels(expected, found[0]))
    if model.gives_probabilities:
        largest = _difference("probabilities", model.probabilities(rows), found[1], tolerance)
    return largest


def _same(one: Any, other: Any) -> bool:
    return bool(one.shape == other.shape and one.tolist() == other.tolist())


def _labels(expected: Any, found: Any) -> str:
    if expected.shape != found.shape:
        return f"converted, it answers with the shape {found.shape} instead of {expected.shape}"
    pairs = [pair for pair in zip(expected.tolist(), found.tolist(), strict=True) if pair[0] != pair[1]]
    return (
        f"converted, it gives {len(pairs)} of {len(expected)} rows another label, "
        f"such as {pairs[0][1]!r:.50} instead of {pairs[0][0]!r:.50}"
    )


def _difference(what: str, expected: Any, found: Any, tolerance: float) -> float:
    import numpy

    one, other = numpy.asarray(expected, dtype="float64"), found.astype("float64")
    if one.shape != other.shape:
        raise Refused(f"converted, its {what} have the shape {other.shape} instead of {one.shape}")
    size = numpy.maximum(numpy.maximum(numpy.abs(one), numpy.abs(other)), 1.0)
    with numpy.errstate(invalid="ignore"):
        differences = numpy.where(
            (one == other) | (numpy.isnan(one) & numpy.isnan(other)), 0.0, abs(one - other) / size
        )
    largest = float(numpy.nan_to_num(differences, nan=numpy.inf).max())
    if largest > tolerance:
        raise Refused(f"converted, its {what} differ by up to {largest:.2g}, more than {tolerance:g}")
    return largest
