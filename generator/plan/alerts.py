"""The alerts of a model, as data. Each has its section in docs/runbook.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from generator.config.model import Model, Target, workload
from generator.plan.runbook import runbook


@dataclass(frozen=True)
class Rule:
    """An alert. In its texts `%(of)s` picks the model's own series; `limit` is the threshold's key, if any."""

    name: str
    severity: str
    wait: str  # how long it must be so
    limit: str
    expr: str
    summary: str
    description: str


RULES = (
    Rule(
        "ModelDown",
        "critical",
        "5m",
        "",
        """\
absent(
  active_model_version{%(of)s} == 1
)""",
        "%(title)s does not serve",
        "For five minutes no pod that Prometheus reaches has had the model loaded.",
    ),
    Rule(
        "ModelPodsMissing",
        "warning",
        "15m",
        "pods",
        """\
count(
  active_model_version{%(of)s} == 1
) < %(limit)s""",
        "%(title)s has too few pods",
        "Pods that serve the model: {{ $value }}. At least %(limit)s are meant to.",
    ),
    Rule(
        "ModelErrors",
        "critical",
        "10m",
        "errors",
        """\
(
  (sum(rate(
    prediction_requests_total{%(of)s,status=~"5.."}[5m]
  )) or vector(0))
  + (sum(rate(
    ml_prediction_errors_total{%(of)s,code="refused_by_model"}[5m]
  )) or vector(0))
) / sum(
  rate(prediction_requests_total{%(of)s}[5m])
) > %(limit)s""",
        "%(title)s fails",
        "{{ $value | humanizePercentage }} of the prediction requests fail.",
    ),
    Rule(
        "ModelSlow",
        "warning",
        "10m",
        "latency",
        """\
histogram_quantile(0.99, sum by (le) (
  rate(prediction_latency_seconds_bucket{%(of)s}[5m])
)) > %(limit)s""",
        "%(title)s is slow",
        "One of a hundred predictions takes {{ $value | humanizeDuration }} or longer.",
    ),
    Rule(
        "ModelRefuses",
        "warning",
        "5m",
        "refused",
        """\
sum(
  rate(ml_prediction_errors_total{%(of)s,code=~"overloaded|timeout"}[5m])
) / sum(
  rate(prediction_requests_total{%(of)s}[5m])
) > %(limit)s""",
        "%(title)s turns requests away",
        "{{ $value | humanizePercentage }} of the prediction requests get 503, since too many wait.",
    ),
    Rule(
        "ModelQueue",
        "warning",
        "10m",
        "queue",
        """\
max(
  avg_over_time(prediction_queue_length{%(of)s}[5m])
) > %(limit)s""",
        "%(title)s has a long queue",
        "In one pod {{ $value | humanize }} requests wait for the model.",
    ),
    Rule(
        "ModelBusy",
        "warning",
        "15m",
        "busy",
        """\
sum(
  rate(ml_prediction_duration_seconds_sum{%(of)s}[5m])
) / sum(
  inference_workers{%(of)s}
  or up{%(of)s}
) > %(limit)s""",
        "%(title)s is close to what it can do",
        "The model is busy {{ $value | humanizePercentage }} of its time.",
    ),
    Rule(
        "ModelRestarts",
        "warning",
        "0m",
        "restarts",
        """\
max by (pod) (
  changes(process_start_time_seconds{%(of)s}[30m])
) >= %(limit)s""",
        "%(title)s starts again and again",
        "The server in {{ $labels.pod }} was started {{ $value }} times more in half an hour.",
    ),
    Rule(
        "ModelOld",
        "warning",
        "1h",
        "age",
        """\
time() - max(
  model_created_timestamp_seconds{%(of)s}
) > %(limit)s""",
        "%(title)s is old",
        "The model that serves was trained {{ $value | humanizeDuration }} ago.",
    ),
)


def series_of(model: Model, target: Target) -> str:
    """The labels by which the Prometheus operator's series are this model's here, and no other's."""
    return f'namespace="{target.namespace}",service="{workload(model.name)}"'


def alerts(model: Model, target: Target) -> list[dict[str, Any]]:
    """What the template needs of each alert that is asked for."""
    limits = _limits(target)
    page = target.serve.alerts.runbook or runbook(model)
    return [
        {
            "name": rule.name,
            "severity": rule.severity,
            "wait": rule.wait,
            "runbook": f"{page}#{rule.name.lower()}" if page else None,
            **_texts(rule, model, target, limits[rule.limit]),
        }
        for rule in RULES
        if limits[rule.limit] is not None
    ]


def _texts(rule: Rule, model: Model, target: Target, limit: object) -> dict[str, str]:
    shown = str(limit).removesuffix(".0")
    words = {"of": series_of(model, target), "title": f"{model.name} in {target.name}", "limit": shown}
    return {key: getattr(rule, key) % words for key in ("expr", "summary", "description")}


def _limits(target: Target) -> dict[str, object]:
    """By key; None where somebody wants no such alert, and `` for those that have no threshold."""
    given = target.serve.alerts.model_dump(exclude={"runbook"})
    pods = target.serve.autoscaling.min if target.serve.autoscaling else target.serve.replicas
    # One that is missing of one is ModelDown: a count of nothing is no number.
    return {**given, "age": target.serve.alerts.max_age_seconds, "pods": pods if pods > 1 else None, "": ""}
