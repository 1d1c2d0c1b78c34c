"""Whether metrics pass the thresholds of model.yaml, and what serves now: the gate asks, and so do promotions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from generator.artifacts import Check, Metrics
from generator.config.schema import Gate, Threshold
from generator.ledger import Entry, Ledger

Kind = Literal["min", "max", "champion-min", "champion-max"]


@dataclass(frozen=True)
class Verdict:
    """What was passed, and each reason against."""

    checks: tuple[Check, ...]
    failures: tuple[str, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """What was passed, in words."""
        return tuple(_sentence(check) for check in self.checks)


def judge(
    version: str, metrics: Metrics, gate: Gate, ledger: Ledger, *, model_file: str, say: Callable[[str], None]
) -> Verdict:
    """Judges `metrics` of `version` for the environment of `ledger`; `say` hears what was not compared."""
    judging = _Judge(metrics, model_file)
    for name, threshold in gate.metrics.items():
        judging.threshold(name, threshold)
    champion, compared = ledger.current, champion_metric(gate)
    if compared is None:
        say("no thresholds in gate.metrics: every model passes")
    elif champion is None:
        say(f"{ledger.environment} has no release yet, so there is no champion to compare with")
    elif champion.version != version:
        tolerance = gate.champion.tolerance if gate.champion is not None else 0.0
        judging.champion(compared, gate.metrics[compared], champion, tolerance, say)
    return Verdict(tuple(judging.checks), tuple(judging.failures))


def champion_metric(gate: Gate) -> str | None:
    """The metric that is compared with the champion's: the one named, else the first with a threshold."""
    if gate.champion is not None and gate.champion.metric is not None:
        return gate.champion.metric
    return next(iter(gate.metrics), None)


class _Judge:
    """Collects checks that were passed, and failures."""

    def __init__(self, metrics: Metrics, model_file: str) -> None:
        self.metrics, self.model_file = metrics, model_file
        self.checks: list[Check] = []
        self.failures: list[str] = []

    def threshold(self, metric: str, threshold: Threshold) -> None:
        value = self._value(metric)
        if value is None:
            return
        for kind, bound in _bounds(threshold):
            if (value >= bound) if kind == "min" else (value <= bound):
                self.checks.append(Check(metric=metric, value=value, bound=bound, kind=kind))
            else:
                word = "below" if kind == "min" else "above"
                self.failures.append(
                    f"{metric} is {value:g}, {word} the {kind}imum {bound:g} of gate.metrics.{metric}.{kind} in "
                    f"{self.model_file}: improve the model, or change the threshold"
                )

    def champion(
        self, metric: str, threshold: Threshold, champion: Entry, tolerance: float, say: Callable[[str], None]
    ) -> None:
        """Compares with the release that serves. One without this metric is passed over, and that is said."""
        ours, theirs = self.metrics.get(metric), champion.metrics.get(metric)
        if not isinstance(ours, float) or not math.isfinite(ours):
            return  # its threshold has failed already
        if not isinstance(theirs, float) or not math.isfinite(theirs):
            say(f"the champion {champion.version} has no usable {metric} in the ledger: not compared")
            return
        higher = threshold.min is not None
        bound = theirs - tolerance if higher else theirs + tolerance
        if (ours >= bound) if higher else (ours <= bound):
            kind: Kind = "champion-min" if higher else "champion-max"
            self.checks.append(Check(metric=metric, value=ours, bound=bound, kind=kind))
            return
        self.failures.append(
            f"{metric} is {ours:g}, {'lower' if higher else 'higher'} than {theirs:g} of {champion.version}, "
            f"which serves now (tolerance {tolerance:g}): improve the model, or raise gate.champion.tolerance in "
            f"{self.model_file}"
        )

    def _value(self, metric: str) -> float | None:
        """The finite value of a metric; None, with a failure, where there is none."""
        value = self.metrics.get(metric)
        if value is None:
            logged = ", ".join(sorted(self.metrics)[:20]) or "none"
            self.failures.append(
                f"{metric} was not logged (logged: {logged}): add mlflow.log_metric({metric!r}, …) to the script, "
                f"or correct its name in gate.metrics of {self.model_file}"
            )
        elif isinstance(value, str) or not math.isfinite(value):
            self.failures.append(
                f"{metric} is {value}, which passes no gate: look into the evaluation for a division by zero, an "
                "empty test set or a diverged training"
            )
        else:
            return value
        return None


def _bounds(threshold: Threshold) -> Iterator[tuple[Kind, float]]:
    if threshold.min is not None:
        yield "min", threshold.min
    if threshold.max is not None:
        yield "max", threshold.max


def _sentence(check: Check) -> str:
    sign = ">=" if check.kind.endswith("min") else "<="
    whose = "the champion's " if check.kind.startswith("champion") else ""
    return f"{check.metric} {check.value:g} {sign} {whose}{check.bound:g}"
