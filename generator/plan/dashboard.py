"""A model's Grafana dashboard, as data: its panels, and the JSON that Grafana reads."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from generator.config.model import Model, Target
from generator.plan.alerts import series_of

_COLUMNS = 24  # of Grafana's grid
_SOURCE = {"type": "prometheus", "uid": "$datasource"}


@dataclass(frozen=True)
class Panel:
    """A picture of some queries, each with its legend. `%(of)s` picks the model's own series."""

    title: str
    unit: str  # Grafana's name of it
    queries: tuple[tuple[str, str], ...]
    kind: str = "timeseries"
    meaning: str = ""
    width: int = 8
    height: int = 7


def _rate(series: str, more: str = "") -> str:
    return f"rate({series}{{%(of)s{more}}}[$__rate_interval])"


def _quantile(share: float, series: str) -> str:
    return f"histogram_quantile({share}, sum by (le) ({_rate(series + '_bucket')}))"


PANELS = (
    Panel(
        "Version",
        "none",
        (("sum by (version) (active_model_version{%(of)s})", "{{version}}"),),
        "stat",
        "Pods by the version that they serve.",
        width=6,
        height=4,
    ),
    Panel(
        "Age of the model",
        "s",
        (("time() - max(model_created_timestamp_seconds{%(of)s})", "since its training"),),
        "stat",
        width=6,
        height=4,
    ),
    Panel(
        "Predictions",
        "short",
        ((f"sum({_rate('ml_predictions_total')})", "rows a second"),),
        "stat",
        width=6,
        height=4,
    ),
    Panel(
        "Loading",
        "s",
        (("max(model_load_time_seconds{%(of)s})", "longest"),),
        "stat",
        "How long a pod needed to load the model.",
        width=6,
        height=4,
    ),
    Panel(
        "Requests by status",
        "reqps",
        ((f"sum by (status) ({_rate('prediction_requests_total')})", "{{status}}"),),
    ),
    Panel(
        "Failed and refused requests",
        "reqps",
        ((f"sum by (code) ({_rate('ml_prediction_errors_total')})", "{{code}}"),),
        meaning="By the code that the answer named.",
    ),
    Panel(
        "Latency",
        "s",
        tuple(
            (_quantile(share, "prediction_latency_seconds"), f"p{share * 100:g}") for share in (0.5, 0.95, 0.99)
        ),
        meaning="From a request's head to its whole answer.",
    ),
    Panel(
        "The model's own time",
        "s",
        tuple((_quantile(share, "ml_prediction_duration_seconds"), f"p{share * 100:g}") for share in (0.5, 0.99)),
        meaning="Of one call, which several requests may share.",
        width=6,
    ),
    Panel(
        "The model is busy",
        "percentunit",
        (
            (
                f"sum({_rate('ml_prediction_duration_seconds_sum')}) / "
                "sum(inference_workers{%(of)s} or up{%(of)s})",
                "of its time",
            ),
        ),
        meaning="One process asks the model one call at a time: at 100 % only more pods or workers help.",
        width=6,
    ),
    Panel(
        "Requests that wait",
        "short",
        (
            ("max(prediction_queue_length{%(of)s})", "longest queue of a pod"),
            ("sum(http_requests_in_flight{%(of)s})", "in flight, all pods"),
        ),
        width=6,
    ),
    Panel(
        "Sharing of calls",
        "short",
        (
            (
                f"sum({_rate('prediction_batch_requests_sum')}) / sum({_rate('prediction_batch_requests_count')})",
                "requests in a call",
            ),
            (
                f"sum({_rate('prediction_batch_rows_sum')}) / sum({_rate('prediction_batch_rows_count')})",
                "rows in a call",
            ),
        ),
        width=6,
    ),
    Panel(
        "CPU",
        "short",
        ((f"sum by (pod) ({_rate('process_cpu_seconds_total')})", "{{pod}}"),),
        meaning="CPUs in use.",
    ),
    Panel("Memory", "bytes", (("sum by (pod) (process_resident_memory_bytes{%(of)s})", "{{pod}}"),)),
    Panel(
        "Starts",
        "short",
        (("sum by (pod) (changes(process_start_time_seconds{%(of)s}[30m]))", "{{pod}}"),),
        meaning="How often a server was started again in half an hour.",
    ),
)


def dashboard(model: Model, target: Target) -> str:
    """The JSON of a model's dashboard in one environment."""
    panels: list[dict[str, Any]] = []
    x = y = 0
    for number, panel in enumerate(PANELS, 1):
        if x + panel.width > _COLUMNS:
            x, y = 0, y + panels[-1]["gridPos"]["h"]
        panels.append(
            _panel(number, panel, {"h": panel.height, "w": panel.width, "x": x, "y": y}, series_of(model, target))
        )
        x += panel.width
    whole = {
        "uid": hashlib.sha256(file_name(model, target).encode()).hexdigest()[:16],
        # Grafana takes no two of one title in a folder, and then none at all.
        "title": f"{model.name} in {target.name} ({target.namespace})",
        "tags": ["tagship"],
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "schemaVersion": 39,
        "templating": {
            "list": [{"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]
        },
        "panels": panels,
    }
    return json.dumps(whole, indent=2)


def file_name(model: Model, target: Target) -> str:
    """Grafana's sidecar puts the dashboards of all namespaces into one folder."""
    return f"{target.namespace}.{model.name}.json"


def _panel(number: int, panel: Panel, place: dict[str, int], of: str) -> dict[str, Any]:
    # A figure is that of now: the last one of six hours may be of a version that has gone.
    now = {"instant": True, "range": False} if panel.kind == "stat" else {}
    targets = [
        {
            "refId": chr(ord("A") + index),
            "datasource": _SOURCE,
            "expr": query % {"of": of},
            "legendFormat": legend,
            **now,
        }
        for index, (query, legend) in enumerate(panel.queries)
    ]
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.meaning,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"textMode": "value_and_name"} if panel.kind == "stat" else {},
        "targets": targets,
    }
