"""Rows that a converted model is compared on: the golden ones, and made-up ones around them; always the same."""

from typing import Any

MADE_UP = 5000
SEED = 20_240_501
SCALES = (0.1, 1.0, 30.0, 1000.0)
GAPS = 0.03  # share of values, where the model takes missing ones
LARGEST_WHOLE = 2**24  # beyond, 32 bits do not hold every whole number


def golden_rows(golden: dict[str, Any], width: int) -> Any:
    """The rows of a golden.json, shape (rows, width); a gap is NaN."""
    import numpy

    request = golden.get("request") or {}
    rows = request.get("dataframe_split", {}).get("data") or request.get("instances") or []
    return numpy.array(rows, dtype="float64").reshape(-1, width)


def any_gap(rows: Any) -> bool:
    import numpy

    return bool(numpy.isnan(rows).any())


def made_up(golden: Any, dtypes: tuple[str, ...], *, gaps: bool) -> Any:
    """The golden rows, and MADE_UP more: near the golden values or anywhere, half of them round numbers.

    Round ones are what people send, and where a split of a tree meets its threshold in few digits.
    """
    import numpy

    chance = numpy.random.default_rng(SEED)
    shape = (MADE_UP, len(dtypes))
    values = chance.standard_normal(shape) * chance.choice(SCALES, shape)
    if len(golden):
        picked = numpy.take_along_axis(numpy.nan_to_num(golden), chance.integers(len(golden), size=shape), axis=0)
        spread = numpy.maximum(numpy.abs(picked), 1.0) * chance.choice([0.0, 0.01, 0.3, 3.0], shape)
        near = picked + chance.standard_normal(shape) * spread
        values = numpy.where(chance.random(shape) < 0.75, near, values)
    digits = chance.integers(3, size=MADE_UP)
    for count in range(3):
        at = (digits == count) & (chance.random(MADE_UP) < 0.5)
        values[at] = numpy.round(values[at], count)
    for place, dtype in enumerate(dtypes):
        values[:, place] = _typed(values[:, place], dtype)
    if gaps:
        real = numpy.array([dtype.startswith("float") for dtype in dtypes])
        values[(chance.random(shape) < GAPS) & real] = numpy.nan
    return numpy.concatenate([golden, values])


def _typed(values: Any, dtype: str) -> Any:
    """Numbers that a column of this type holds."""
    import numpy

    if dtype == "bool":
        return values > 0
    if dtype.startswith("int"):
        return numpy.clip(numpy.rint(values), -LARGEST_WHOLE, LARGEST_WHOLE)
    return values.astype(dtype)
