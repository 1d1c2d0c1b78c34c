"""The figures at /metrics, in a registry of their own so that two servers can live in one process."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from inference.settings import Release

CONTENT_TYPE = CONTENT_TYPE_LATEST
ENDPOINTS = ("predict", "invocations", "v2")
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """Every figure of one server. `endpoint` is one of ENDPOINTS, `status` the HTTP status."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self.requests = self._counter(
            "prediction_requests_total", "Prediction requests answered", "endpoint", "status"
        )
        self.latency = self._histogram(
            "prediction_latency_seconds", "From a request's head to its whole answer", "endpoint"
        )
        self.predictions = self._counter("ml_predictions_total", "Rows predicted")
        self.duration = self._histogram("ml_prediction_duration_seconds", "The model's own time for a request")
        self.errors = self._counter("ml_prediction_errors_total", "Prediction requests that failed", "code")
        self.load_time = Gauge(
            "model_load_time_seconds", "Time that loading the model took", registry=self.registry
        )
        self.active = Gauge(
            "active_model_version", "1 for the version that is served", ["name", "version"], registry=self.registry
        )
        for endpoint in ENDPOINTS:  # a rate needs a first sample
            self.latency.labels(endpoint)
            self.requests.labels(endpoint, "200")

    def loaded(self, release: Release, seconds: float) -> None:
        """The model is there."""
        self.load_time.set(seconds)
        self.active.labels(release.name, release.version).set(1)

    def render(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(name, text, labels, registry=self.registry, buckets=_SECONDS)
