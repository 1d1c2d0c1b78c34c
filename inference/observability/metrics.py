"""The figures at /metrics, in a registry of their own so that two servers can live in one process.

With several workers each keeps its figures in files that all can read, and whichever is asked adds them up.
`docs/operations.md` lists every figure.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, values
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from inference.group import Group, Member
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

    def __init__(self, member: Member | None = None) -> None:
        """With `member` the figures are the whole group's."""
        self.registry = CollectorRegistry()
        PlatformCollector(registry=self.registry)
        self._own: CollectorRegistry | None = self.registry
        if member is None:
            ProcessCollector(registry=self.registry)
            GCCollector(registry=self.registry)
        else:
            self._own = None  # a figure of this process alone must not stand beside everybody's
            _share(member, self.registry)
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
        self.load_time = self._gauge("model_load_time_seconds", "Time that loading the model took", "livemax")
        self.active = self._gauge(
            "active_model_version", "1 for the version that is served", "livemax", "name", "version"
        )
        self.created = self._gauge(
            "model_created_timestamp_seconds", "When the model was trained", "livemax", "name", "version"
        )
        self.queue = self._gauge("prediction_queue_length", "Requests that wait for the model", "livesum")
        self.in_flight = self._gauge("http_requests_in_flight", "Requests whose answer is not complete", "livesum")
        self._watched: tuple[tuple[Gauge, Callable[[], int]], ...] = ()
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
        self._watched = ((self.queue, queue), (self.in_flight, in_flight))
        if self._own is not None:
            for gauge, function in self._watched:
                gauge.set_function(function)

    def refresh(self) -> None:
        """Bring what `watch` named up to date, for whichever worker is asked."""
        if self._own is None:
            for gauge, function in self._watched:
                gauge.set(function())

    def loaded(self, release: Release, seconds: float) -> None:
        """The model is there."""
        self.load_time.set(seconds)
        self.active.labels(release.name, release.version).set(1)
        if (created := _timestamp(release.created)) is not None:
            self.created.labels(release.name, release.version).set(created)

    def render(self) -> bytes:
        """Prometheus' text format."""
        self.refresh()
        return generate_latest(self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self._own)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, text, labels, registry=self._own, buckets=buckets)

    def _gauge(self, name: str, text: str, mode: Literal["livemax", "livesum"], *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self._own, multiprocess_mode=mode)


def _timestamp(text: str | None) -> float | None:
    """Seconds since 1970; None where the release file says nothing that is a time."""
    try:
        return datetime.fromisoformat((text or "").replace("Z", "+00:00")).timestamp()
    except ValueError:
        return None


def _share(member: Member, registry: CollectorRegistry) -> None:
    """From now on keep this process's figures in files, and read all workers' files when asked.

    The files bear the worker's number instead of its process id: one that is started again goes on counting
    where the dead one stopped, so sums never fall, and there are never more files than workers.
    """
    from prometheus_client.multiprocess import MultiProcessCollector

    folder = str(member.group.folder)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder  # where prometheus_client looks
    values.ValueClass = values.MultiProcessValue(lambda: member.index)  # type: ignore[no-untyped-call]
    MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
    registry.register(_Processes(member.group))


class _Processes(Collector):
    """What the system says of each worker and the supervisor; the usual figures, told apart by a label."""

    def __init__(self, group: Group) -> None:
        self._group = group

    def collect(self) -> Iterator[Metric]:
        group = self._group
        pids = {str(index): group.pid(index) for index in range(group.size)}
        running = sum(pid is not None for pid in pids.values())
        yield GaugeMetricFamily("inference_workers", "Worker processes that run", running)
        restarts = CounterMetricFamily("inference_worker_restarts", "Workers started again", labels=["worker"])
        for index in range(group.size):
            restarts.add_metric([str(index)], group.restarts(index))
        yield restarts
        found: dict[str, Metric] = {}
        for name, pid in {**pids, "supervisor": group.supervisor}.items():
            if pid is not None:
                for metric in _process(pid):
                    whole = found.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
                    whole.samples += [one._replace(labels={"worker": name}) for one in metric.samples]
        yield from found.values()


def _process(pid: int) -> list[Metric]:
    return list(ProcessCollector(pid=lambda: pid, registry=None).collect())
