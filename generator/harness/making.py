"""Rows made up where a model came without an example: varied, always the same, within the types."""

import math
import random
from collections.abc import Callable
from typing import Any

from .bodies import BodyError
from .inputs import Inputs

ROWS = 8
SEED = 20_240_501
SCALES = (1, 1, 10, 10, 100, 100, 1000, 1000)
WORDS = ("a", "b", "c", "d")
LIST_LENGTH = 3
MOST_NUMBERS = 200_000


def from_signature(inputs: Inputs) -> dict[str, Any]:
    """A body for the signature. Raises BodyError for types that nothing can be made up for."""
    chance = random.Random(SEED)  # noqa: S311  (no secret)
    if inputs.tensor:
        return {"instances": _tensors(inputs.schema, chance)}
    specs = inputs.columns
    rows = [[_value(spec.type, spec.name, scale, chance) for spec in specs] for scale in SCALES]
    if inputs.names is None:
        return {"instances": rows}
    return {"dataframe_split": {"columns": list(inputs.names), "data": rows}}


def from_features(inputs: Inputs) -> dict[str, Any]:
    """A body of numbers for a model that says only how many features it has, or their names."""
    if inputs.width is None:
        raise BodyError("the model does not say which features it was fitted on")
    chance = random.Random(SEED)  # noqa: S311
    rows = [[_number(scale, chance) for _ in range(inputs.width)] for scale in SCALES]
    if inputs.names is None:
        return {"instances": rows}
    return {"dataframe_split": {"columns": list(inputs.names), "data": rows}}


def _value(kind: Any, name: str | None, scale: int, chance: random.Random) -> Any:
    makers: dict[str, Callable[[], Any]] = {
        "double": lambda: _number(scale, chance),
        "float": lambda: _number(scale, chance),
        "long": lambda: chance.randint(0, scale),
        "integer": lambda: chance.randint(0, scale),
        "boolean": lambda: chance.random() < 0.5,
        "string": lambda: chance.choice(WORDS),
        "datetime": lambda: f"2024-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}T12:00:00",
    }
    type_name = getattr(kind, "name", "")
    if type_name in makers:
        return makers[type_name]()
    if type(kind).__name__ == "Array":
        return [_value(kind.dtype, name, scale, chance) for _ in range(LIST_LENGTH)]
    raise BodyError(f"nothing can be made up for {name or 'a column'} of type {kind}")


def _number(scale: int, chance: random.Random) -> float:
    # Sixteenths are exact in float32 as well as in float64.
    return round(chance.uniform(-scale / 4, scale) * 16) / 16


def _tensors(schema: Any, chance: random.Random) -> Any:
    made = {spec.name: _tensor(spec, chance) for spec in schema.inputs}
    return made.get(None, made)


def _tensor(spec: Any, chance: random.Random) -> Any:
    inner = [2 if size == -1 else int(size) for size in spec.shape[1:]]
    rows = int(spec.shape[0])
    if rows == -1:
        rows = max(1, min(ROWS, MOST_NUMBERS // max(1, math.prod(inner))))
    if rows * math.prod(inner) > MOST_NUMBERS:
        raise BodyError(f"a tensor of {rows * math.prod(inner)} numbers is too large to make up")
    return [_block(spec.type, inner, SCALES[row % ROWS], chance) for row in range(rows)]


def _block(kind: Any, shape: list[int], scale: int, chance: random.Random) -> Any:
    if shape:
        return [_block(kind, shape[1:], scale, chance) for _ in range(shape[0])]
    if kind.kind == "f":
        return _number(scale, chance)
    if kind.kind in "iu":
        return chance.randint(0, min(scale, 100))
    if kind.kind == "b":
        return chance.random() < 0.5
    raise BodyError(f"nothing can be made up for a tensor of type {kind}")
