"""Trace context in logs and answers, and spans at a real receiver of OTLP over HTTP."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from inference.observability import telemetry
from inference.observability.trace import read_traceparent
from inference.settings import Release
from tests.inference.conftest import Serve, wait_until
from tests.inference.process import ask, environment, is_ready, served
from tests.inference.test_workers import log_of, workers

ROOT = Path(__file__).parents[2]
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{CALLER}-01"
RELEASE = Release(name="shop", version="1.2.3")


@pytest.mark.parametrize(
    ("header", "known"),
    [
        (PARENT, True),
        (f"00-{TRACE}-{CALLER}-00", True),
        (f"cc-{TRACE}-{CALLER}-01", True),
        (f"cc-{TRACE}-{CALLER}-01-what-comes-later", True),
        (f"00-{TRACE}-{CALLER}-01-extra", False),
        (f"00-{TRACE}-{CALLER}-01-", False),
        (f"ff-{TRACE}-{CALLER}-01", False),
        (f"00-{TRACE.upper()}-{CALLER}-01", False),
        (f"00-{'0' * 32}-{CALLER}-01", False),
        (f"00-{TRACE}-{'0' * 16}-01", False),
        (f"00-{TRACE[1:]}-{CALLER}-01", False),
        (f"00-{TRACE}-{CALLER}", False),
        (f" 00-{TRACE}-{CALLER}-01", False),
        ("", False),
        ("nonsense", False),
    ],
)
def test_traceparent(header: str, known: bool) -> None:
    found = read_traceparent(header.encode())
    assert (found is not None) == known
    if found:
        assert (found.trace_id, found.span_id) == (TRACE, CALLER)


def test_the_callers_trace_is_in_the_answer(client: Serve) -> None:
    answer = client("orders").get("/metadata", headers={"traceparent": PARENT})
    assert answer.headers["traceresponse"] == PARENT
    assert "traceresponse" not in client("orders").get("/metadata").headers
    assert "traceresponse" not in client("orders").get("/metadata", headers={"traceparent": "zzz"}).headers
    assert client("orders").get("/zzz", headers={"traceparent": PARENT}).headers["traceresponse"] == PARENT


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({}, None),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:1"}, None),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:1"}, None),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER is 'zipkin'; use otlp, or none"),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "OTEL_EXPORTER_OTLP_PROTOCOL is 'grpc'; use http/protobuf",
        ),
    ],
)
def test_no_spans(variables: dict[str, str], says: str | None, caplog: pytest.LogCaptureFixture) -> None:
    assert telemetry.start(variables, RELEASE) is None
    assert [record.getMessage() for record in caplog.records] == ([f"no spans are sent: {says}"] if says else [])


WITHOUT_PACKAGES = """
import sys
sys.modules["opentelemetry.sdk"] = sys.modules["opentelemetry.exporter"] = None
from inference.observability import logs, telemetry
from inference.settings import Release
logs.configure("INFO")
print(telemetry.start({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:1"}, Release("shop", "1.2.3")))
"""
OFF = """
import sys
from inference.observability import telemetry
from inference.app import create_app
from inference.settings import Release, Settings
create_app(Settings(), tracing=telemetry.start({}, Release("shop", "1.2.3")))
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""


def python(code: str) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip(), done.stderr


def test_without_the_packages_one_line_says_so() -> None:
    found, errors = python(WITHOUT_PACKAGES)
    assert found == "None"
    (line,) = [json.loads(line) for line in errors.splitlines()]
    assert line["message"].startswith("no spans are sent: the package of opentelemetry.")
    assert "serve.tracing" in line["message"]


def test_switched_off_nothing_is_imported() -> None:
    assert python(OFF)[0] == "[]"


class Collector:
    """Receives spans as an OpenTelemetry collector does."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                if self.path == "/v1/traces":
                    collector.requests.append(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.end_headers()
                self.wfile.write(ExportTraceServiceResponse().SerializeToString())

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def listening(self) -> Iterator[Collector]:
        thread = threading.Thread(target=self._server.serve_forever)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    @property
    def spans(self) -> list[Any]:
        scopes = [scope for one in self.requests for found in one.resource_spans for scope in found.scope_spans]
        return [span for scope in scopes for span in scope.spans]

    @property
    def resource(self) -> dict[str, Any]:
        return values(self.requests[0].resource_spans[0].resource.attributes)


def values(attributes: Any) -> dict[str, Any]:
    return {
        one.key: getattr(one.value, kind)
        for one in attributes
        if (kind := one.value.WhichOneof("value")) != "array_value"
    }


def test_spans_of_a_request(saved: Callable[[str], Path]) -> None:
    with Collector().listening() as collector:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "60000"}
        with served(saved("moody"), **settings) as (process, port):
            wait_until(lambda: is_ready(port))
            url = f"http://127.0.0.1:{port}/predict"
            headers = {"traceparent": PARENT, "User-Agent": "tester"}
            answer = httpx.post(url, json={"mood": "a secret"}, headers=headers)
            assert answer.status_code == 200
            assert httpx.post(url, json={"mood": "break"}).status_code == 500
            assert httpx.post(url, content=b"nonsense").status_code == 400
            assert ask(port, "POST", "/zzz")[0] == 404
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=60)
            assert process.returncode == 0
        by_id = {span.span_id.hex(): span for span in collector.spans}
        root = by_id[answer.headers["traceresponse"].split("-")[2]]
        assert (root.name, root.kind) == ("POST /predict", 2)  # 2: a server's
        assert (root.trace_id.hex(), root.parent_span_id.hex()) == (TRACE, CALLER)
        assert values(root.attributes) == {
            "http.request.method": "POST",
            "http.route": "/predict",
            "url.path": "/predict",
            "url.scheme": "http",
            "network.protocol.version": "1.1",
            "http.response.status_code": 200,
            "server.address": "127.0.0.1",
            "server.port": port,
            "user_agent.original": "tester",
        }
        parts = [span for span in by_id.values() if span.parent_span_id == root.span_id]
        read, queue, model = sorted(parts, key=lambda span: span.start_time_unix_nano)
        assert [read.name, queue.name, model.name] == ["read", "queue", "model"]
        assert values(model.attributes) == {"tagship.batch_requests": 1, "tagship.batch_rows": 1}
        moments = [moment for span in (read, queue, model) for moment in times(span)]
        assert moments == sorted(moments)
        assert root.start_time_unix_nano <= moments[0]
        assert moments[-1] <= root.end_time_unix_nano
        assert collector.resource["service.name"] == "model"
        assert collector.resource["service.version"] == "0.0.0"
        roots = {values(span.attributes)["http.response.status_code"]: span for span in servers(by_id)}
        assert sorted(roots) == [200, 400, 404, 500]
        assert {status: span.status.code for status, span in roots.items()} == {200: 0, 400: 0, 404: 0, 500: 2}
        assert roots[404].name == "POST"
        assert values(roots[500].attributes)["error.type"] == "500"
        assert "a secret" not in str(collector.requests)
        lines = {line.get("status"): line for line in map(json.loads, log.splitlines())}
        for status, span in roots.items():
            assert lines[status]["trace_id"] == span.trace_id.hex()
            assert lines[status]["span_id"] == span.span_id.hex()


def times(span: Any) -> tuple[int, int]:
    return span.start_time_unix_nano, span.end_time_unix_nano


def servers(by_id: dict[str, Any]) -> list[Any]:
    return [span for span in by_id.values() if span.kind == 2]


def test_of_several_workers_one_says_why_no_spans_are_sent(saved: Callable[[str], Path], tmp_path: Path) -> None:
    with workers(2, saved("moody"), tmp_path / "scratch", OTEL_TRACES_EXPORTER="zipkin") as (process, port):
        wait_until(lambda: is_ready(port))
        process.send_signal(signal.SIGTERM)
        lines = [line for line in log_of(process) if "no spans are sent" in line["message"]]
        assert [line["worker"] for line in lines] == [0]


def test_every_worker_sends_its_spans(saved: Callable[[str], Path], tmp_path: Path) -> None:
    with Collector().listening() as collector:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "60000"}
        with workers(2, saved("moody"), tmp_path / "scratch", **settings) as (process, port):
            wait_until(lambda: is_ready(port))
            slow = [
                threading.Thread(target=ask, args=(port, "POST", "/predict", {"mood": "sleep 0.2"}))
                for _ in range(8)
            ]
            for thread in slow:
                thread.start()
            for thread in slow:
                thread.join()
            process.send_signal(signal.SIGTERM)
            requests = [line for line in log_of(process) if line["message"] == "request"]
        assert {line["worker"] for line in requests} == {0, 1}
        sent = {span.span_id.hex() for span in collector.spans}
        assert {line["span_id"] for line in requests} <= sent


def test_a_collector_that_is_gone_costs_no_request(saved: Callable[[str], Path]) -> None:
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SERVICE_NAME": "other"}
    with served(saved("moody"), **settings) as (process, port):
        wait_until(lambda: is_ready(port))
        assert ask(port, "POST", "/predict", {"mood": "well"})[0] == 200
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        assert process.returncode == 0
