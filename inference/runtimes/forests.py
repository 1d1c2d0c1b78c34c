"""scikit-learn's decision trees and forests, summed tree by tree in its own order.

The same arithmetic as `predict` and `predict_proba`, without their checks and threads: labels and
probabilities come from one pass. What needs a check's verdict (a gap, an infinity) is left to scikit-learn.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from inference.requests.values import Array
from inference.runtimes.base import Result

_KINDS = frozenset(
    f"{kind}{task}"
    for kind in ("DecisionTree", "ExtraTree", "RandomForest", "ExtraTrees")
    for task in ("Classifier", "Regressor")
)
_FEW_ROWS = 8
"""Up to here all trees are walked at once, a level a step; with more rows tree by tree is faster."""

_LARGEST = 32 * 1024 * 1024
"""Bytes that the nodes of all trees in one piece may take."""


class Forest:
    """A tree, or the mean of several."""

    def __init__(self, estimator: Any) -> None:
        self._trees = [one.tree_ for one in getattr(estimator, "estimators_", [estimator])]
        self._single = not hasattr(estimator, "estimators_")
        self._sum_of = [tree.predict for tree in self._trees]
        self._width = int(estimator.n_features_in_)
        self._outputs = int(estimator.n_outputs_)
        self._classes = getattr(estimator, "classes_", None)
        self._flat = _Flat(self._trees) if _Flat.size(self._trees) <= _LARGEST else None
        self._gaps = _takes_gaps(estimator)

    def __call__(self, rows: Array, probabilities: bool) -> Result | None:  # noqa: ARG002 - they cost nothing
        """None for rows that scikit-learn has to judge."""
        with np.errstate(over="ignore"):
            rows = np.ascontiguousarray(rows, dtype=np.float32)
        if rows.ndim != 2 or rows.shape[1] != self._width:
            return None
        full = bool(np.isfinite(rows).all())
        if not full and (not self._gaps or np.isinf(rows).any()):
            return None
        means = self._means(rows, full)
        if self._classes is None:
            return Result(means[:, 0] if self._outputs == 1 else means[:, :, 0])
        if self._outputs == 1:
            return Result(self._classes.take(means.argmax(axis=1), axis=0), means)
        return self._several(means)

    def _means(self, rows: Array, full: bool) -> Array:
        """Of the trees' values, shape (rows, classes), of several outputs (rows, outputs, classes)."""
        if self._single:
            found: Array = self._sum_of[0](rows)
            return found
        if self._flat and full and len(rows) <= _FEW_ROWS:
            found = self._flat.sums(rows)
        else:
            found = np.zeros_like(self._sum_of[0](rows))
            for values in self._sum_of:
                found += values(rows)
        found /= len(self._trees)
        return found

    def _several(self, means: Array) -> Result:
        assert self._classes is not None
        # scikit-learn takes the first output's type for all, which may cut longer strings of the others.
        labels = np.empty(means.shape[:2], dtype=self._classes[0].dtype)
        found = []
        for output, classes in enumerate(self._classes):
            found.append(means[:, output, : len(classes)])
            labels[:, output] = classes.take(found[-1].argmax(axis=1), axis=0)
        return Result(labels, found)


class _Flat:
    """The nodes of all trees in one piece, numbered through; a leaf leads to itself."""

    def __init__(self, trees: list[Any]) -> None:
        counts = [tree.node_count for tree in trees]
        self._roots = np.cumsum([0, *counts[:-1]])
        first = np.repeat(self._roots, counts)
        left = np.concatenate([tree.children_left for tree in trees])
        right = np.concatenate([tree.children_right for tree in trees])
        leaf, itself = left < 0, np.arange(len(left))
        # Children in pairs, so that the outcome of a comparison is the way: right 0, left 1.
        self._next = np.stack(
            [np.where(leaf, itself, right + first), np.where(leaf, itself, left + first)], 1
        ).ravel()
        self._column = np.where(leaf, 0, np.concatenate([tree.feature for tree in trees]))
        self._threshold = np.concatenate([tree.threshold for tree in trees])
        self._values = np.concatenate([tree.value for tree in trees])
        self._values = self._values[:, 0, :] if self._values.shape[1] == 1 else self._values
        self._depth = max(tree.max_depth for tree in trees)

    @staticmethod
    def size(trees: list[Any]) -> int:
        """Bytes that this would take."""
        return int(sum(tree.node_count for tree in trees) * (4 + trees[0].value[0].size) * 8)

    def sums(self, rows: Array) -> Array:
        """The trees' values for a few rows, summed in the order of the trees."""
        count, width = rows.shape
        cells = rows.astype(np.float64).ravel()  # thresholds have 64 bits
        node = np.repeat(self._roots[:, None], count, axis=1) if count > 1 else self._roots
        start = np.arange(count) * width
        for _ in range(self._depth):
            cell = self._column.take(node)
            if count > 1:
                cell += start
            node = self._next.take(2 * node + (cells.take(cell) <= self._threshold.take(node)))
        values: Array = self._values.take(node, axis=0)
        values = values if count > 1 else values[:, None]
        # A sum over one number a tree alone would be pairwise, and differ in its last bits.
        sums: Array = values.sum(axis=0) if values[0].size > 1 else np.add.accumulate(values)[-1]
        return sums


def _takes_gaps(estimator: Any) -> bool:
    """Whether missing values are allowed, which depends on settings and on scikit-learn's version."""
    try:
        estimator.predict(np.full((1, int(estimator.n_features_in_)), np.nan))
    except ValueError:
        return False
    return True


def direct(estimator: Any) -> Forest | None:
    """The estimator's own arithmetic; None where it is no tree or forest of scikit-learn's own class."""
    kind = type(estimator)
    if kind.__module__.split(".")[0] != "sklearn" or kind.__name__ not in _KINDS:
        return None
    return Forest(estimator)


def thresholds(estimator: Any) -> list[Array]:
    """The numbers that the trees compare each column with."""
    found: list[list[Array]] = [[] for _ in range(int(estimator.n_features_in_))]
    for one in getattr(estimator, "estimators_", [estimator]):
        tree = one.tree_
        for column in np.unique(tree.feature[tree.feature >= 0]):
            found[column].append(tree.threshold[tree.feature == column])
    return [np.unique(np.concatenate([np.empty(0), *parts])) for parts in found]
