"""The figures at /metrics: those that the page for operators lists, and no others."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from inference.observability.metrics import ENDPOINTS, Metrics
from inference.settings import Release, Settings
from inference.workers import MARGIN_SECONDS
from tests.inference.conftest import Serve, wait_until
from tests.inference.process import ask, is_ready
from tests.inference.test_workers import workers

ROOT = Path(__file__).parents[2]
Figures = dict[str, tuple[str, set[str]]]  # by name: type and labels


def documented(which: str) -> Figures:
    rows = re.findall(
        r"^\| `(\w+)` \| (\w+) \| (.*?) ?\| (one|several|both) \| .+ \|$",
        (ROOT / "docs/operations.md").read_text(),
        re.MULTILINE,
    )
    found = {name: (kind, set(re.findall(r"\w+", labels))) for name, kind, labels, used in rows if used != which}
    if which == "several":  # those of one process
        for _, labels in found.values():
            labels.discard("worker")
    return found


def exposed(text: str) -> Figures:
    found: Figures = {}
    for family in text_string_to_metric_families(text):
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = {label for sample in family.samples for label in sample.labels}
        found[name] = family.type, labels - ({"le"} if family.type == "histogram" else set())
    return found


def test_the_page_lists_the_figures_of_one_process(client: Serve) -> None:
    served = client("integers", max_rows=3, release=Release("shop", "1.2.3", created="2026-01-31T12:00:00Z"))
    assert served.post("/predict", json={"instances": [[1]]}).status_code == 400  # an error has a label
    assert exposed(served.get("/metrics").text) == documented("several")


def test_the_page_lists_the_figures_of_several_workers(saved: Callable[[str], Path], tmp_path: Path) -> None:
    release = tmp_path / "release.json"
    release.write_text('{"name": "shop", "version": "1.2.3", "created": "2026-01-31T12:00:00Z"}')
    with workers(2, saved("moody"), tmp_path / "scratch", TAGSHIP_RELEASE=str(release)) as (_, port):
        wait_until(lambda: is_ready(port))
        assert ask(port, "POST", "/predict", {"mood": "break"})[0] == 500
        assert exposed(ask(port, "GET", "/metrics")[1].decode()) == documented("one")


def sample(metrics: Metrics, figure: str, /, **labels: str) -> Any:
    return metrics.registry.get_sample_value(figure, labels)


def test_a_batch_counts_what_went_in() -> None:
    metrics = Metrics()
    metrics.batch(requests=3, rows=700, seconds=0.02)
    metrics.batch(requests=1, rows=1, seconds=0.5)
    assert sample(metrics, "ml_predictions_total") == 701
    assert sample(metrics, "ml_prediction_duration_seconds_count") == 2
    assert sample(metrics, "prediction_batch_rows_bucket", le="1.0") == 1
    assert sample(metrics, "prediction_batch_rows_bucket", le="1000.0") == 2
    assert sample(metrics, "prediction_batch_requests_bucket", le="2.0") == 1
    assert sample(metrics, "prediction_batch_requests_sum") == 4


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_rate_has_a_first_sample(endpoint: str) -> None:
    metrics = Metrics()
    assert sample(metrics, "prediction_requests_total", endpoint=endpoint, status="200") == 0
    assert sample(metrics, "prediction_latency_seconds_count", endpoint=endpoint) == 0
    metrics.request(endpoint, 503, 0.1, "overloaded")
    assert sample(metrics, "prediction_requests_total", endpoint=endpoint, status="503") == 1
    assert sample(metrics, "ml_prediction_errors_total", code="overloaded") == 1


@pytest.mark.parametrize(
    ("created", "seconds"),
    [
        ("2026-01-31T12:00:00Z", 1769860800),
        ("2026-01-31T13:00:00+01:00", 1769860800),
        ("Saturday", None),
        (None, None),
    ],
)
def test_a_model_has_an_age_where_its_release_says_when(created: str | None, seconds: int | None) -> None:
    metrics = Metrics()
    metrics.loaded(Release("shop", "1.2.3", created=created), 2.5)
    assert sample(metrics, "model_created_timestamp_seconds", name="shop", version="1.2.3") == seconds


def test_two_servers_in_one_process_count_apart() -> None:
    one, other = Metrics(), Metrics()
    one.loaded(Release("shop", "1.2.3"), 2.5)
    one.watch(queue=lambda: 3, in_flight=lambda: 4)
    assert sample(one, "model_load_time_seconds") == 2.5
    assert sample(one, "active_model_version", name="shop", version="1.2.3") == 1
    assert (sample(one, "prediction_queue_length"), sample(one, "http_requests_in_flight")) == (3, 4)
    assert sample(other, "model_load_time_seconds") == sample(other, "prediction_queue_length") == 0


def test_the_pod_outlives_its_requests() -> None:
    text = (ROOT / "k8s/base/deployment.yaml").read_text()
    grace = int(re.findall(r"terminationGracePeriodSeconds: (\d+)", text)[0])
    before = int(re.findall(r"preStop:.*?seconds: (\d+)", text, re.DOTALL)[0])
    assert before + Settings().shutdown_seconds + MARGIN_SECONDS < grace
    page = (ROOT / "docs/operations.md").read_text()
    assert f"`TAGSHIP_SHUTDOWN_SECONDS` ({Settings().shutdown_seconds:.0f})" in page
    assert f"waits {before} seconds before that (`preStop`) and has {grace} in all" in page
