"""HTTP itself: what is refused before the model is asked, ids, pages, figures and the documents."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from inference.observability.logs import JsonFormatter
from tests.inference.conftest import Serve

GOOD = {"instances": [[1, 2, "x"]]}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/zzz", 404, "not_found"),
        ("POST", "/zzz", 404, "not_found"),
        ("GET", "/predict/", 404, "not_found"),
        ("GET", "/%00", 404, "not_found"),
        ("GET", "/predict", 405, "method_not_allowed"),
        ("DELETE", "/predict", 405, "method_not_allowed"),
        ("POST", "/health", 405, "method_not_allowed"),
        ("PATCH", "/v2", 405, "method_not_allowed"),
        ("BREW", "/invocations", 405, "method_not_allowed"),
    ],
)
def test_unknown_paths_and_methods(client: Serve, method: str, path: str, status: int, code: str) -> None:
    answer = client("orders").request(method, path)
    assert answer.status_code == status
    found = answer.json()
    assert (found["code"] if path == "/v2" else found["error"]["code"]) == code
    if status == 405:
        assert answer.headers["Allow"]


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        (b"", "empty"),
        (b"nonsense", ""),
        (b'{"instances": [[1, 2, "x"]', ""),
        (b'{"instances": [[NaN, 2, "x"]]}', "use null"),
        (b'{"instances": [[Infinity, 2, "x"]]}', "use null"),
        (b'{"instances": [[-Infinity, 2, "x"]]}', "use null"),
        (b'{"instances": [[1e999, 2, "x"]]}', ""),
        (b'{"instances": [[1, 2, "\xff"]]}', ""),
        (b'\xef\xbb\xbf{"instances": [[1, 2, "x"]]}', ""),
        (json.dumps(GOOD).encode("utf-16"), ""),
        (b'{"instances": [[1, 2, "\\ud800"]]}', ""),
        (b"[" * 100_000, ""),
        (b'{"a":' * 100_000, ""),
        (b"[" * 2000 + b"]" * 2000, ""),
        (b'{"instances": [[1, 2, "x"]]} {}', ""),
    ],
)
def test_bodies_that_are_no_json(client: Serve, body: bytes, hint: str) -> None:
    for path in ("/predict", "/invocations", "/v2/models/shop/infer"):
        answer = client("orders").post(path, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400
        error = answer.json() if path.startswith("/v2") else answer.json()["error"]
        assert error["code"] == "invalid_json"
        assert hint in error.get("message", error.get("error"))


def test_deep_but_valid_json(client: Serve) -> None:
    deep = b"[" * 1000 + b"]" * 1000
    for body in (
        deep,
        b'{"instances": %s}' % deep,
        b'{"a": %s, "b": 1}' % deep,
        b'{"instances": [[1, 2, %s]]}' % deep,
    ):
        assert client("orders").post("/predict", content=body).status_code == 400
        assert client("tensor").post("/predict", content=body).status_code == 400
        assert client("unknown").post("/predict", content=body).status_code == 400
    with_params = b'{"instances": [["params"]], "params": {"t": %s}}' % deep
    assert client("moody").post("/predict", content=with_params).status_code == 400
    for column in ("array", "object", "map", "any"):
        body = b'{"dataframe_records": [{"%s": %s}]}' % (column.encode(), deep)
        assert client("types").post("/predict", content=body).status_code == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/json"}, 200),
        ({"Content-Type": "Application/JSON; charset=UTF-8"}, 200),
        ({}, 200),
        ({"Content-Type": "application/json; charset=latin-1"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, 415),
    ],
)
def test_content_types(client: Serve, headers: dict[str, str], status: int) -> None:
    answer = client("orders").post("/predict", content=json.dumps(GOOD), headers=headers)
    assert answer.status_code == status
    if status == 415:
        assert answer.json()["error"]["code"] == "unsupported_media_type"


def test_too_large_a_body(client: Serve) -> None:
    small = client("orders", max_body_bytes=100)
    assert small.post("/predict", json=GOOD).status_code == 200
    declared = small.post("/predict", content=b" " * 101)
    assert (declared.status_code, declared.json()["error"]["code"]) == (413, "body_too_large")
    streamed = small.post("/predict", content=iter([b" " * 60, b" " * 60]))
    assert streamed.status_code == 413


def test_messages_do_not_grow_with_the_request(client: Serve) -> None:
    name = "n" * 100_000
    for body in (
        {name: 1},
        {"inputs": 1, name: 1},
        {"instances": [{"a": name, "b": 1}]},
        GOOD | {"model_version": name},
    ):
        for strict in (False, True):
            answer = client("orders", strict=strict).post("/predict", json=body)
            assert answer.status_code in (400, 409)
            assert len(answer.content) < 1500


def test_request_ids(client: Serve) -> None:
    served = client("orders")
    assert served.get("/livez", headers={"X-Request-ID": "abc-1"}).headers["X-Request-ID"] == "abc-1"
    for harmful in ("a b", "x" * 200, 'a"b', "<script>"):
        made = served.get("/livez", headers={"X-Request-ID": harmful}).headers["X-Request-ID"]
        assert re.fullmatch("[0-9a-f]{32}", made)


def test_metadata(client: Serve) -> None:
    found = client("orders", digest="sha256:" + "0" * 64).get("/metadata").json()
    signature = found.pop("signature")
    assert [column["name"] for column in signature["inputs"]] == ["a", "b", "note"]
    assert found == {
        "name": "shop",
        "version": "1.2.3",
        "run_id": "run-1",
        "commit": "c" * 40,
        "data_hash": None,
        "digest": "sha256:" + "0" * 64,
        "registered_version": None,
        "created": None,
        "flavors": ["python_function", "sklearn"],
        "server_version": "0.1.0",
    }


def test_model_info_says_what_it_cannot_check(client: Serve) -> None:
    assert client("orders").get("/model/info").json()["unchecked"] == []
    assert len(client("unknown").get("/model/info").json()["unchecked"]) == 3
    assert client("labels").get("/model/info").json()["classes"] == ["no", "yes"]


def test_metrics(client: Serve) -> None:
    served = client("integers", max_rows=3)
    served.post("/predict", json={"instances": [[1, 2], [3, 4]]})
    served.post("/predict", json={"instances": [[1]]})
    text = served.get("/metrics").text
    for line in (
        'prediction_requests_total{endpoint="predict",status="200"} 1.0',
        'prediction_requests_total{endpoint="predict",status="400"} 1.0',
        'prediction_latency_seconds_count{endpoint="predict"} 2.0',
        "ml_predictions_total 2.0",
        "ml_prediction_duration_seconds_count 1.0",
        'ml_prediction_errors_total{code="wrong_width"} 1.0',
        'active_model_version{name="shop",version="1.2.3"} 1.0',
    ):
        assert line in text.splitlines()
    assert "model_load_time_seconds " in text


def test_a_slow_prediction_does_not_hold_up_the_probes(client: Serve, tmp_path: Path) -> None:
    """It ends when a probe has been answered, and not before."""
    import httpx

    app, answered = client("moody").app, tmp_path / "answered"

    async def both() -> int:
        transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            slow = asyncio.create_task(http.post("/predict", json={"mood": f"until {answered}"}, timeout=None))
            while not app.state.service.in_flight:  # type: ignore[attr-defined]
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.1)
            assert (await http.get("/readyz")).status_code == 200
            assert not slow.done()
            answered.touch()
            return (await slow).status_code

    assert asyncio.run(both()) == 200


def test_log_lines_are_json_without_payloads(client: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(JsonFormatter().format(record))

    served = client("moody")
    capsys.readouterr()  # what MLflow printed when the model was saved
    handler, logger = Keep(), logging.getLogger("inference")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        served.post("/predict", json={"mood": "a secret"}, headers={"X-Request-ID": "abc"})
        served.post("/predict", json={"mood": "break a secret"}, headers={"X-Request-ID": "def"})
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    lines += capsys.readouterr().err.splitlines()
    found: list[dict[str, Any]] = [json.loads(line) for line in lines]
    assert "a secret" not in "".join(lines)
    requests = [line for line in found if line["message"] == "request"]
    assert [(line["request_id"], line["path"], line["status"]) for line in requests] == [
        ("abc", "/predict", 200),
        ("def", "/predict", 500),
    ]
    (told,) = [line["exception"] for line in found if line["request_id"] == "def" and "exception" in line]
    assert "RuntimeError" in told
    assert "in predict" in told, "where it happened"
