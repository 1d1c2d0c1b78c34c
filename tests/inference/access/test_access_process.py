"""Keys and a limit in the real process, over real connections."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inference.settings import Rate, SettingsError, from_environment
from tests.inference.access.mounted import KEY, OTHER, MountedSecret, hashed
from tests.inference.conftest import wait_until
from tests.inference.process import is_ready, served

GOOD = json.dumps({"instances": [[1, 2, "x"]]})
Saved = Callable[[str], Path]


def post(port: int, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", "/predict", GOOD, {name.replace("_", "-"): text for name, text in headers.items()})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def test_a_secret_is_swapped_under_two_running_workers(saved: Saved, tmp_path: Path) -> None:
    secret = MountedSecret(tmp_path / "keys", {"app": hashed(KEY)})
    settings = {"TAGSHIP_API_KEYS": str(secret.folder), "TAGSHIP_WORKERS": "2"}
    with served(saved("orders"), **settings) as (process, port):
        wait_until(lambda: is_ready(port))
        assert [post(port, X_API_Key=one).status for one in (KEY, OTHER)] == [200, 401]
        secret.write({"new-app": hashed(OTHER)})
        # Every worker looks for itself; each is met sooner or later.
        wait_until(lambda: all(post(port, X_API_Key=KEY).status == 401 for _ in range(20)))
        wait_until(lambda: all(post(port, Authorization=f"Bearer {OTHER}").status == 200 for _ in range(20)))
        process.terminate()
        _, written = process.communicate(timeout=60)
    lines = [json.loads(line) for line in written.splitlines()]
    names = {(line["status"], line.get("api_key")) for line in lines if line["message"] == "request"}
    assert names == {(200, "app"), (401, None), (200, "new-app")}
    assert not re.search(f"{KEY}|{OTHER}|{hashed(KEY)[7:]}|{hashed(OTHER)[7:]}", written)


def test_a_header_from_loopback_is_no_more_believed_than_others(saved: Saved) -> None:
    """Web servers often trust X-Forwarded-For from 127.0.0.1, where a sidecar's requests come from."""
    with served(saved("orders"), TAGSHIP_RATE_LIMIT="1/h", TAGSHIP_RATE_BURST="3") as (_, port):
        wait_until(lambda: is_ready(port))
        began = time.monotonic()
        answers = [post(port, X_Forwarded_For=f"203.0.113.{number}") for number in range(4)]
        assert [answer.status for answer in answers] == [200, 200, 200, 429]
        wait = int(answers[3].headers["Retry-After"])
        assert 3600 - (time.monotonic() - began) <= wait <= 3600
        assert answers[3].headers["RateLimit"] == f'"default";r=0;t={wait}'
        assert is_ready(port), "probes are never counted"


def test_behind_a_proxy_each_client_has_a_bucket(saved: Saved) -> None:
    settings = {"TAGSHIP_RATE_LIMIT": "1/h", "TAGSHIP_TRUSTED_PROXIES": "1"}
    with served(saved("orders"), **settings) as (_, port):
        wait_until(lambda: is_ready(port))
        given = ["203.0.113.1", "203.0.113.2", "203.0.113.1", "192.0.2.7, 203.0.113.1"]
        assert [post(port, X_Forwarded_For=one).status for one in given] == [200, 200, 429, 429]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"TAGSHIP_API_KEYS": "/keys"}, {"api_keys": Path("/keys")}),
        ({"TAGSHIP_RATE_LIMIT": "100/s"}, {"rate_limit": Rate(100, 1, 100)}),
        ({"TAGSHIP_RATE_LIMIT": " 6000/m ", "TAGSHIP_RATE_BURST": "50"}, {"rate_limit": Rate(6000, 60, 50)}),
        ({"TAGSHIP_RATE_LIMIT": "1/h", "TAGSHIP_TRUSTED_PROXIES": "2"}, {"rate_limit": Rate(1, 3600, 1), "trusted_proxies": 2}),
        ({"TAGSHIP_RATE_LIMIT": ""}, {"rate_limit": None}),
    ],
)  # fmt: skip
def test_settings(given: dict[str, str], expected: dict[str, Any]) -> None:
    found = from_environment(given)
    assert {name: getattr(found, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("TAGSHIP_API_KEYS", {"TAGSHIP_API_KEYS": ""}),  # a variable that somebody forgot to set
        ("TAGSHIP_RATE_LIMIT", {"TAGSHIP_RATE_LIMIT": "100"}),
        ("TAGSHIP_RATE_LIMIT", {"TAGSHIP_RATE_LIMIT": "0/s"}),
        ("TAGSHIP_RATE_LIMIT", {"TAGSHIP_RATE_LIMIT": "100/d"}),
        ("TAGSHIP_RATE_LIMIT", {"TAGSHIP_RATE_LIMIT": "1e3/s"}),
        ("TAGSHIP_RATE_LIMIT", {"TAGSHIP_RATE_LIMIT": "-1/s"}),
        ("TAGSHIP_RATE_BURST", {"TAGSHIP_RATE_LIMIT": "1/s", "TAGSHIP_RATE_BURST": "0"}),
        ("TAGSHIP_TRUSTED_PROXIES", {"TAGSHIP_TRUSTED_PROXIES": "-1"}),
    ],
)
def test_bad_settings_name_the_variable(name: str, more: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=name):
        from_environment(more)
