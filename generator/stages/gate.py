"""gate: compares a trained model's metrics with the thresholds, and with the release that serves now."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

from generator.artifacts import Check, GateReport, TrainedModel
from generator.config.schema import Threshold
from generator.errors import GeneratorError
from generator.ledger import Entry, Ledger
from generator.ports import Reporter
from generator.release import Release

Kind = Literal["min", "max", "champion-min", "champion-max"]


class GateFailed(GeneratorError):
    """A model that must not be released, with every reason."""


def gate(release: Release, trained: TrainedModel, ledger: Ledger, reporter: Reporter) -> GateReport:
    """Checks `trained` for the environment of `ledger`. Raises GateFailed with all that it misses at once."""
    model, config = release.model, release.model.config.gate
    judge = _Judge(trained, model.shown)
    for name, threshold in config.metrics.items():
        judge.threshold(name, threshold)
    champion = ledger.current
    compared = _champion_metric(release)
    if compared is None:
        reporter.say("no thresholds in gate.metrics: every model passes")
    elif champion is None:
        reporter.say(f"{ledger.environment} has no release yet, so there is no champion to compare with")
    elif champion.version != trained.version:
        judge.champion(compared, config.metrics[compared], champion, _tolerance(release), reporter)
    if judge.failures:
        failures = "\n".join(f"  {failure}" for failure in judge.failures)
        raise GateFailed(f"{release.id} does not pass the gate of {ledger.environment}:\n{failures}")
    for check in judge.checks:
        reporter.say(_sentence(check))
    return GateReport(
        **release.identity,
        environment=ledger.environment,
        run_id=trained.run_id,
        model_sha256=trained.model_sha256,
        checks=tuple(judge.checks),
        champion=champion.version if champion else None,
    )


def _champion_metric(release: Release) -> str | None:
    """The metric that is compared with the champion's: the one named, else the first with a threshold."""
    config = release.model.config.gate
    if config.champion is not None and config.champion.metric is not None:
        return config.champion.metric
    return next(iter(config.metrics), None)


def _tolerance(release: Release) -> float:
    champion = release.model.config.gate.champion
    return champion.tolerance if champion is not None else 0.0


class _Judge:
    """Collects checks that were passed, and failures."""

    def __init__(self, trained: TrainedModel, model_file: str) -> None:
        self.trained, self.model_file = trained, model_file
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
        self, metric: str, threshold: Threshold, champion: Entry, tolerance: float, reporter: Reporter
    ) -> None:
        """Compares with the release that serves. One without this metric is passed over, and that is said."""
        ours, theirs = self.trained.metrics.get(metric), champion.metrics.get(metric)
        if not isinstance(ours, float) or not math.isfinite(ours):
            return  # its threshold has failed already
        if not isinstance(theirs, float) or not math.isfinite(theirs):
            reporter.say(f"the champion {champion.version} has no usable {metric} in the ledger: not compared")
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
        value = self.trained.metrics.get(metric)
        if value is None:
            logged = ", ".join(sorted(self.trained.metrics)[:20]) or "none"
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
