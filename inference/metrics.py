"""The figures at /metrics, in a registry of their own so that two servers can live in one process.

With several workers each keeps its figures in files that all can read, and whichever is asked adds them up.
`docs/metrics.md` lists every figure.
"""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from inference.settings import Release

CONTENT_TYPE = CONTENT_TYPE_LATEST
ENDPOINTS = ("predict", "invocations", "v2")
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_ROWS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000)
_REQUESTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)

disable_created_metrics()  # type: ignore[no-untyped-call] # a time beside each counter: twice the text, and nobody's question


class Metrics:
    """Every figure of one server. `endpoint` is one of ENDPOINTS, `status` the HTTP status.

    Labels are looked up once and kept: in prometheus_client that costs more than counting.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self.requests = self._counter(
            "prediction_requests_total", "Prediction requests answered", "endpoint", "status"
        )
        self.latency = self._histogram(
            "prediction_latency_seconds", "From a request's head to its whole answer", _SECONDS, "endpoint"
        )
        self.predictions = self._counter("ml_predictions_total", "Rows predicted")
        self.duration = self._histogram(
            "ml_prediction_duration_seconds", "The model's own time for a batch", _SECONDS
        )
        self.errors = self._counter("ml_prediction_errors_total", "Prediction requests that failed", "code")
        self.batch_rows = self._histogram("prediction_batch_rows", "Rows of a batch", _ROWS)
        self.batch_requests = self._histogram(
            "prediction_batch_requests", "Requests that shared one call of the model", _REQUESTS
        )
        self.load_time = self._gauge("model_load_time_seconds", "Time that loading the model took")
        self.active = self._gauge("active_model_version", "1 for the version that is served", "name", "version")
        self.queue = self._gauge("prediction_queue_length", "Requests that wait for the model")
        self.in_flight = self._gauge("http_requests_in_flight", "Requests whose answer is not complete")
        self._latencies = {endpoint: self.latency.labels(endpoint) for endpoint in ENDPOINTS}
        # A rate needs a first sample.
        self._answered = {(one, 200): self.requests.labels(one, "200") for one in ENDPOINTS}

    def request(self, endpoint: str, status: int, seconds: float, code: str = "") -> None:
        """A prediction request was answered; `code` is its error's, if it failed."""
        counter = self._answered.get((endpoint, status))
        if counter is None:
            counter = self._answered[endpoint, status] = self.requests.labels(endpoint, str(status))
        counter.inc()
        self._latencies[endpoint].observe(seconds)
        if code:
            self.errors.labels(code).inc()

    def batch(self, requests: int, rows: int, seconds: float) -> None:
        """The model was asked once: for so many rows of so many requests. Rows are those that went in, whatever
        the shape of what came out."""
        self.batch_requests.observe(requests)
        self.batch_rows.observe(rows)
        self.duration.observe(seconds)
        self.predictions.inc(rows)

    def watch(self, *, queue: Callable[[], int], in_flight: Callable[[], int]) -> None:
        """Where the two figures that go up and down are read when somebody asks."""
        self.queue.set_function(queue)
        self.in_flight.set_function(in_flight)

    def loaded(self, release: Release, seconds: float) -> None:
        """The model is there."""
        self.load_time.set(seconds)
        self.active.labels(release.name, release.version).set(1)

    def render(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, text, labels, registry=self.registry, buckets=buckets)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)
