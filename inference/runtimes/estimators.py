"""What a loaded estimator or booster says of itself: its columns and its classes."""

from __future__ import annotations

import re
from typing import Any

_NO_NAMES = re.compile(r"Column_\d+")  # what LightGBM makes up for bare arrays


def columns_of(raw: Any) -> tuple[list[str] | None, int | None]:
    """Names (None: trained on bare arrays) and number of the columns that a loaded estimator knows."""
    names = _ask(raw, "feature_names_in_", "feature_names", "feature_name")
    width = _ask(raw, "n_features_in_", "num_features", "num_feature")
    names = None if names is None else [str(name) for name in names]
    if not names or all(_NO_NAMES.fullmatch(name) for name in names):
        names = None
    return names, None if width is None else int(width)


def classes_of(raw: Any) -> Any:
    """`classes_` of a classifier that gives probabilities, else None."""
    return getattr(raw, "classes_", None) if hasattr(raw, "predict_proba") else None


def _ask(raw: Any, *attributes: str) -> Any:
    """The first attribute that is there, called where it is a method."""
    for attribute in attributes:
        # Estimators raise AttributeError or their own NotFittedError from these properties.
        found = getattr(raw, attribute, None)
        found = found() if callable(found) else found
        if found is not None:
            return found
    return None
