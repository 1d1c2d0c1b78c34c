"""Keys and limits as a client meets them, in both forms of errors; and what a stranger is shown."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from inference.access.gate import PAGES, PROBES, Gate, client_address
from inference.access.keys import LOOK_SECONDS, Keys
from inference.access.rate import Limiter
from inference.app import create_app
from inference.errors import RequestError
from inference.settings import Rate, Settings
from tests.inference.access.mounted import KEY, OTHER, Clock, MountedSecret, hashed
from tests.inference.conftest import RELEASE, wait_until

GOOD = {"instances": [[1, 2, "x"]]}
V2 = {"inputs": [{"name": "a", "shape": [1, 1], "datatype": "FP64", "data": [1.0]}]}
Start = Callable[..., TestClient]


@pytest.fixture
def start(saved: Callable[[str], Path]) -> Iterator[Start]:
    """A server of its own, since buckets remember: `start(api_keys=…, rate_limit=…)`."""
    with ExitStack() as stack:

        def serve(**given: Any) -> TestClient:
            app = create_app(Settings(model=saved("orders"), release=RELEASE, **given))
            client = stack.enter_context(TestClient(app, raise_server_exceptions=False))
            if not given.get("api_keys") or given["api_keys"].exists():
                wait_until(lambda: client.get("/readyz").status_code == 200)
            return client

        yield serve


@pytest.fixture
def secret(tmp_path: Path) -> MountedSecret:
    return MountedSecret(tmp_path / "keys", {"app": hashed(KEY), "other": hashed(OTHER)})


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer  {KEY}"},
        {"X-API-Key": KEY},
        {"X-API-Key": KEY, "Authorization": "Basic cHJveHk6cGFzcw=="},
        {"X-API-Key": KEY, "Authorization": "Bearer a proxy's own"},
    ],
)
def test_a_key_opens(start: Start, secret: MountedSecret, headers: dict[str, str]) -> None:
    answer = start(api_keys=secret.folder).post("/predict", json=GOOD, headers=headers)
    assert (answer.status_code, answer.json()["predictions"]) == (200, [12.0])


STRANGERS: list[dict[str, str]] = [
    {},
    {"Authorization": ""},
    {"Authorization": "Bearer"},
    {"Authorization": "Bearer "},
    {"Authorization": KEY},
    {"Authorization": f"Basic {KEY}"},
    {"Authorization": f"Bearer {KEY}x"},
    {"Authorization": f"Bearer {KEY},{OTHER}"},
    {"Authorization": f"Bearer {hashed(KEY)}"},
    {"X-API-Key": ""},
    {"X-API-Key": KEY[:-1]},
    {"X-API-Key": f"Bearer {KEY}"},
    {"X-API-Key": "app"},
    {"X-API-Key": "x" * 8000},
    {"X-API-Key": "nope", "Authorization": f"Bearer {KEY}"},
    {"X-Api-Key-Name": "app", "Cookie": f"key={KEY}"},
]


def test_no_key_and_a_wrong_one_get_the_same_answer(start: Start, secret: MountedSecret) -> None:
    served = start(api_keys=secret.folder)
    bodies = set()
    for headers in STRANGERS:
        answer = served.post("/predict", json=GOOD, headers=headers)
        assert answer.status_code == 401, headers
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        bodies.add(answer.content)
    assert [json.loads(body) for body in bodies] == [
        {
            "error": {
                "code": "unauthorized",
                "message": "send a valid API key, as `Authorization: Bearer <key>` or `X-API-Key: <key>`",
                "column": None,
                "row": None,
            }
        }
    ]
    assert served.post("/predict", json=GOOD, params={"key": KEY, "api_key": KEY}).status_code == 401


def test_everything_but_probes_and_pages_wants_a_key(start: Start, secret: MountedSecret) -> None:
    served = start(api_keys=secret.folder)
    open_paths = set()
    for path in [*served.get("/openapi.json", headers={"X-API-Key": KEY}).json()["paths"], "/", "/docs"]:
        for method in ("GET", "POST", "OPTIONS"):
            if served.request(method, path).status_code != 401:
                open_paths.add(path)
    assert open_paths == PROBES | PAGES
    assert served.get("/zzz").status_code == 401, "a stranger is not told what there is"
    assert served.get("/zzz", headers={"X-API-Key": KEY}).status_code == 404


@pytest.mark.parametrize(
    "path",
    ["//livez", "/livez/", "/LIVEZ", "/livez;x", "/docs/../predict", "/docs/", "", "livez", "/v2/health/live/../../v2",
     "/\u0000livez", "/livez\n"],
)  # fmt: skip
def test_a_path_that_only_looks_open_is_not(secret: MountedSecret, path: str) -> None:
    """As the server hands it on: decoded, and not made simpler."""
    gate = Gate(Keys(secret.folder), None)
    with pytest.raises(RequestError) as refused:
        gate.admit({"path": path, "headers": [], "state": {}})
    assert refused.value.status == 401


def test_v2_errors_have_v2s_form(start: Start, secret: MountedSecret) -> None:
    served = start(api_keys=secret.folder, rate_limit=Rate(1, 3600, 1))
    path = "/v2/models/shop/infer"
    refused = served.post(path, json=V2)
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
    assert refused.json()["error"].startswith("send a valid API key")
    served.post(path, json=V2, headers={"X-API-Key": KEY})
    limited = served.post(path, json=V2, headers={"X-API-Key": KEY})
    assert (limited.status_code, limited.json()["code"]) == (429, "rate_limited")
    assert limited.json()["error"] == "more than 1 requests per hour; try again in 3600 s"


def test_a_refused_body_is_not_read(start: Start, secret: MountedSecret) -> None:
    served = start(api_keys=secret.folder, max_body_bytes=100)
    assert served.post("/predict", content=b"[" * 10_000_000).status_code == 401


def test_a_swapped_secret_counts_while_the_server_runs(
    saved: Callable[[str], Path], secret: MountedSecret
) -> None:
    clock = Clock()
    keys = Keys(secret.folder, clock)
    gate = Gate(keys, None)

    def may_enter(key: str) -> bool:
        scope = {"path": "/predict", "headers": [(b"x-api-key", key.encode())], "state": {}}
        try:
            gate.admit(scope)
        except RequestError as error:
            assert error.status == 401
            return False
        return True

    assert (may_enter(KEY), may_enter("new")) == (True, False)
    secret.write({"app": hashed("new")})
    clock.now += LOOK_SECONDS
    assert (may_enter(KEY), may_enter("new")) == (False, True)


def test_without_its_keys_a_server_that_should_have_some_is_not_ready(start: Start, tmp_path: Path) -> None:
    served = start(api_keys=tmp_path / "keys")
    wait_until(lambda: "active_model_version{" in served.get("/metrics").text)
    for path in ("/readyz", "/health", "/ping", "/predict", "/docs", "/metadata"):
        answer = served.get(path, headers={"X-API-Key": KEY})
        assert answer.status_code == 503, path
        assert answer.json()["error"]["code"] == "no_api_keys"
        assert "the server's log says why" in answer.json()["error"]["message"]
        assert str(tmp_path) not in answer.text
    assert served.get("/v2/health/ready").json()["code"] == "no_api_keys"
    assert (served.get("/livez").status_code, served.get("/v2/health/live").status_code) == (200, 200)
    MountedSecret(tmp_path / "keys", {"app": hashed(KEY)})
    wait_until(lambda: served.get("/readyz").status_code == 200)
    assert served.post("/predict", json=GOOD).status_code == 401
    assert served.post("/predict", json=GOOD, headers={"X-API-Key": KEY}).status_code == 200


def test_the_keys_name_is_in_the_log_line_and_the_key_is_not(
    start: Start, secret: MountedSecret, capfd: pytest.CaptureFixture[str]
) -> None:
    served, logger = start(api_keys=secret.folder), logging.getLogger("inference")
    logger.setLevel(logging.INFO)
    try:
        served.post("/predict", json=GOOD, headers={"Authorization": f"Bearer {KEY}", "X-Request-ID": "known"})
        served.post("/predict", json=GOOD, headers={"X-API-Key": "a guess", "X-Request-ID": "stranger"})
    finally:
        logger.setLevel(logging.NOTSET)
    written = capfd.readouterr().err
    lines = [json.loads(line) for line in written.splitlines() if line.startswith("{")]
    found = {line["request_id"]: (line["status"], line.get("api_key")) for line in lines if "request_id" in line}
    assert found == {"known": (200, "app"), "stranger": (401, None)}
    assert KEY not in written and "a guess" not in written


def test_refusals_are_counted(start: Start, secret: MountedSecret) -> None:
    served = start(api_keys=secret.folder, rate_limit=Rate(1, 3600, 2))
    for headers in ({}, {"X-API-Key": KEY}, {"X-API-Key": KEY}, {"X-API-Key": KEY}):
        served.post("/predict", json=GOOD, headers=headers)
    served.get("/metadata")
    served.post("/v2/models/shop/infer", json=V2)
    lines = served.get("/metrics").text.splitlines()
    for line in (
        'prediction_requests_total{endpoint="predict",status="401"} 1.0',
        'prediction_requests_total{endpoint="predict",status="429"} 1.0',
        'prediction_requests_total{endpoint="predict",status="200"} 2.0',
        'prediction_requests_total{endpoint="v2",status="401"} 1.0',
        'ml_prediction_errors_total{code="unauthorized"} 2.0',
        'ml_prediction_errors_total{code="rate_limited"} 1.0',
    ):
        assert line in lines


def test_a_limit_answers_429_with_what_a_client_needs(start: Start) -> None:
    for _ in range(20):
        served = start(rate_limit=Rate(60, 60, 2))
        began = time.monotonic()
        answers = [served.post("/predict", json=GOOD) for _ in range(3)]
        if time.monotonic() - began < 1:  # a second later there is room for one more
            break
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert {answer.headers["RateLimit-Policy"] for answer in answers} == {'"default";q=60;w=60;tagship-burst=2'}
    assert [answer.headers["RateLimit"] for answer in answers] == [
        '"default";r=1;t=1',
        '"default";r=0;t=1',
        '"default";r=0;t=1',
    ]
    assert answers[2].headers["Retry-After"] == "1"
    assert answers[2].headers["X-Request-ID"]
    assert answers[2].json()["error"] == {
        "code": "rate_limited",
        "message": "more than 60 requests per minute; try again in 1 s",
        "column": None,
        "row": None,
    }
    for path in PROBES:
        assert "RateLimit" not in served.get(path).headers, "probes are not counted"
        assert served.get(path).status_code == 200


def test_errors_and_unknown_paths_count_and_carry_the_limit(start: Start) -> None:
    served = start(rate_limit=Rate(100, 1, 100))
    for answer in (
        served.get("/zzz"),
        served.post("/predict", content=b"{"),
        served.get("/"),
        served.get("/predict"),
    ):
        assert answer.headers["RateLimit-Policy"] == '"default";q=100;w=1'
        assert answer.headers["RateLimit"].startswith('"default";r=9')


def test_each_key_has_its_own_bucket_and_a_stranger_empties_none(start: Start, secret: MountedSecret) -> None:
    served = start(api_keys=secret.folder, rate_limit=Rate(1, 3600, 2))
    for _ in range(5):
        assert served.post("/predict", json=GOOD, headers={"X-API-Key": "guess"}).status_code == 401
    mine = [served.get("/metadata", headers={"X-API-Key": KEY}).status_code for _ in range(3)]
    other = [served.get("/metadata", headers={"X-API-Key": OTHER}).status_code for _ in range(3)]
    assert mine == other == [200, 200, 429]
    pages = [served.get("/").status_code for _ in range(3)]
    assert pages == [200, 200, 429], "who has no key is counted by address"


def test_a_key_named_like_an_address_shares_nothing_with_it(tmp_path: Path) -> None:
    secret = MountedSecret(tmp_path / "keys", {"10.0.0.1": hashed(KEY)})
    gate = Gate(Keys(secret.folder), Limiter(Rate(1, 3600, 1)))
    scope = {"path": "/", "client": ("10.0.0.1", 5), "state": {}}
    gate.admit({**scope, "headers": [(b"x-api-key", KEY.encode())]})
    gate.admit({**scope, "headers": []})
    with pytest.raises(RequestError) as refused:
        gate.admit({**scope, "headers": []})
    assert refused.value.status == 429


@pytest.mark.parametrize(
    ("peer", "forwarded", "proxies", "client"),
    [
        ("192.0.2.1", [], 0, "192.0.2.1"),
        ("192.0.2.1", ["203.0.113.9"], 0, "192.0.2.1"),  # nobody said that there is a proxy
        ("192.0.2.1", ["203.0.113.9"], 1, "203.0.113.9"),
        ("192.0.2.1", ["10.1.1.1, 203.0.113.9"], 1, "203.0.113.9"),  # the client wrote the first
        ("192.0.2.1", ["10.1.1.1", "203.0.113.9"], 1, "203.0.113.9"),
        ("192.0.2.1", ["10.1.1.1,203.0.113.9 , 198.51.100.7"], 2, "203.0.113.9"),
        ("192.0.2.1", ["203.0.113.9"], 2, "192.0.2.1"),  # it came around a proxy
        ("192.0.2.1", [], 1, "192.0.2.1"),
        ("192.0.2.1", ["unknown"], 1, "192.0.2.1"),
        ("192.0.2.1", ["203.0.113.9, "], 1, "192.0.2.1"),
        ("192.0.2.1", ["'; drop table"], 1, "192.0.2.1"),
        ("192.0.2.1", ["\xff" * 5000], 1, "192.0.2.1"),
        ("192.0.2.1", ["," * 5000], 3, "192.0.2.1"),
        ("::ffff:192.0.2.1", [], 0, "192.0.2.1"),
        ("2001:db8::1", [], 0, "2001:db8::/64"),
        ("2001:db8::ffff:1:2:3", [], 0, "2001:db8::/64"),
        ("2001:db8:0:1::1", [], 0, "2001:db8:0:1::/64"),
        ("192.0.2.1", ["2001:db8::5"], 1, "2001:db8::/64"),
        (None, [], 0, "unknown"),
        ("testclient", [], 0, "unknown"),
    ],
)
def test_whose_address_counts(peer: str | None, forwarded: list[str], proxies: int, client: str) -> None:
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    assert client_address({"client": peer and (peer, 1), "headers": headers}, proxies) == client


def test_invented_addresses_do_not_get_around_the_limit(start: Start) -> None:
    served = start(rate_limit=Rate(1, 3600, 3))
    statuses = [
        served.get("/metadata", headers={"X-Forwarded-For": f"203.0.113.{i}", "X-Real-IP": f"203.0.113.{i}",
                                         "Forwarded": f"for=203.0.113.{i}"}).status_code
        for i in range(5)
    ]  # fmt: skip
    assert statuses == [200, 200, 200, 429, 429]


def test_pages_show_a_stranger_nothing_of_the_model(start: Start, secret: MountedSecret) -> None:
    served = start(api_keys=secret.folder)
    stranger, friend = served.get("/docs").text, served.get("/docs", headers={"X-API-Key": KEY}).text
    assert "note" in friend and "note" not in stranger, "a column of the model"
    for page in (stranger, friend):
        assert '<input id="key" type="password" autocomplete="off">' in page
        assert KEY not in page
    assert "'X-API-Key':at('key').value" in stranger
    home = served.get("/").text
    assert "-H &quot;X-API-Key: $API_KEY&quot;" in home
    assert "note" not in home
    open_page = start().get("/docs").text
    assert 'id="key"' not in open_page and "note" in open_page


def test_the_document_says_what_is_asked(start: Start, secret: MountedSecret) -> None:
    served = start(api_keys=secret.folder, rate_limit=Rate(100, 1, 100))
    document = served.get("/openapi.json", headers={"X-API-Key": KEY}).json()
    assert document["components"]["securitySchemes"] == {
        "bearer": {"type": "http", "scheme": "bearer", "description": "an API key"},
        "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    assert document["security"] == [{"bearer": []}, {"header": []}]
    predict = document["paths"]["/predict"]["post"]
    assert "security" not in predict and {"401", "429"} <= predict["responses"].keys()
    assert predict["responses"]["429"]["description"] == "more than 100 requests per second"
    live = document["paths"]["/livez"]["get"]
    assert live["security"] == [] and not {"401", "429"} & live["responses"].keys()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            asked = operation.get("security", document["security"]) != []
            refused = served.request(method, path).status_code == 401
            assert asked == refused, f"{method} {path}"
    plain = start().get("/openapi.json").json()
    assert "security" not in plain and "securitySchemes" not in plain["components"]
    assert not {"401", "429"} & plain["paths"]["/predict"]["post"]["responses"].keys()
