"""Where a key stands in model.yaml, for messages that are made long after it was read."""

from __future__ import annotations

from pathlib import Path

from generator.config.model import Model
from generator.errors import InvalidInput, Problem
from generator.yamlio import Path_, read


def config_problem(model: Model, root: Path, path: Path_, message: str) -> Problem:
    """A problem at `path` of the model's file, or at the nearest place above it that the file has."""
    try:
        return read(root / model.shown, model.shown).problem(path, message)
    except InvalidInput:
        return Problem(model.shown, 0, 0, message)


def place(model: Model, root: Path, path: Path_) -> str:
    """Such as `model.yaml:12:5`."""
    return str(config_problem(model, root, path, "")).removesuffix(": ")
