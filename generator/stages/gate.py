"""gate: compares a trained model's metrics with the thresholds, and with the release that serves now."""

from __future__ import annotations

from generator.artifacts import GateReport, TrainedModel
from generator.errors import GeneratorError
from generator.judging import judge
from generator.ledger import Ledger
from generator.ports import Reporter
from generator.release import Release


class GateFailed(GeneratorError):
    """A model that must not be released, with every reason."""


def gate(release: Release, trained: TrainedModel, ledger: Ledger, reporter: Reporter) -> GateReport:
    """Checks `trained` for the environment of `ledger`. Raises GateFailed with all that it misses at once."""
    model = release.model
    verdict = judge(
        trained.version,
        trained.metrics,
        model.config.gate,
        ledger,
        model_file=model.shown,
        say=reporter.say,
    )
    if verdict.failures:
        failures = "\n".join(f"  {failure}" for failure in verdict.failures)
        raise GateFailed(f"{release.id} does not pass the gate of {ledger.environment}:\n{failures}")
    for sentence in verdict.sentences:
        reporter.say(sentence)
    return GateReport(
        **release.identity,
        environment=ledger.environment,
        run_id=trained.run_id,
        model_sha256=trained.model_sha256,
        checks=verdict.checks,
        champion=ledger.current.version if ledger.current else None,
    )
