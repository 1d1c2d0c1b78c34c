"""scikit-learn's linear models: one matrix product, and the step from scores to labels and probabilities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from inference.requests.values import Array
from inference.runtimes.base import Result

_CLASSIFIERS = {
    "LogisticRegression",
    "LogisticRegressionCV",
    "SGDClassifier",
    "LinearSVC",
    "Perceptron",
    "PassiveAggressiveClassifier",
    "RidgeClassifier",
    "RidgeClassifierCV",
}
Link = Callable[[Array], Array]


class Linear:
    """Scores are rows times coefficients plus intercept, in the order that scikit-learn computes them."""

    def __init__(self, estimator: Any, link: Link | None = None) -> None:
        self._coef = estimator.coef_ if estimator.coef_.ndim == 1 else estimator.coef_.T
        self._intercept = estimator.intercept_
        self._flat = type(estimator).__name__ in _CLASSIFIERS or estimator.coef_.ndim == 1
        self._classes = getattr(estimator, "classes_", None) if type(estimator).__name__ in _CLASSIFIERS else None
        self._link = link

    def __call__(self, rows: Array, probabilities: bool) -> Result | None:
        """None for rows that scikit-learn has to judge."""
        if rows.ndim != 2 or rows.shape[1] != self._coef.shape[0] or not np.isfinite(rows).all():
            return None
        scores = rows @ self._coef + self._intercept
        if self._flat and scores.ndim > 1 and scores.shape[1] == 1:
            scores = scores.ravel()
        if self._classes is None:
            return Result(scores)
        found = (scores > 0).astype(np.intp) if scores.ndim == 1 else scores.argmax(axis=1)
        labels = self._classes.take(found, axis=0)
        return Result(labels, self._link(scores) if probabilities and self._link else None)


def _logistic(scores: Array) -> Array:
    """One class against the rest, normalised where there are several."""
    from scipy.special import expit

    found: Array = expit(scores)
    if found.ndim == 1:
        return np.stack([1 - found, found], axis=1)
    sums = found.sum(axis=1)
    nowhere = sums == 0
    if nowhere.any():
        found[nowhere], sums[nowhere] = 1, found.shape[1]
    found /= sums[:, None]
    return found


def _softmax(scores: Array) -> Array:
    """All classes at once. (Two classes have one score, which stands against its opposite.)"""
    scores = np.stack([-scores, scores], axis=1) if scores.ndim == 1 else scores
    found: Array = np.exp(scores - scores.max(axis=1, keepdims=True))
    found /= found.sum(axis=1, keepdims=True)
    return found


def direct(estimator: Any) -> list[Linear]:
    """Ways to compute what the estimator does, one of which may be exactly its own; which one differs by its
    settings and by scikit-learn's version. Empty where it is no linear model of scikit-learn's own class."""
    kind = type(estimator)
    regressor = kind.__module__.startswith("sklearn.linear_model.") and not hasattr(estimator, "classes_")
    known = regressor or kind.__name__ in _CLASSIFIERS or kind.__name__ == "LinearSVR"
    if not known or not kind.__module__.startswith("sklearn."):
        return []
    if not isinstance(getattr(estimator, "coef_", None), np.ndarray):
        return []
    links: list[Link | None] = [_logistic, _softmax] if hasattr(estimator, "predict_proba") else [None]
    return [Linear(estimator, link) for link in links]
