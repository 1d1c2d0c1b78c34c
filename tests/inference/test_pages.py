"""The pages for people: what they show, that what they show works, and that they load nothing else."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import parts
from tests.inference.conftest import Serve, wait_until
from tests.inference.process import is_ready, served

MODELS = ["orders", "types", "tensors", "bare", "unknown", "envelope", "labels", "two-outputs", "numbered"]


def text_of(client: Any, path: str) -> str:
    """The page as a reader sees it."""
    page = re.sub(r"<(script|style).*?</\1>", "", client.get(path).text, flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]*>", " ", page))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("path", ["/", "/docs"])
def test_nothing_is_loaded_from_elsewhere(client: Serve, path: str, model: str) -> None:
    answer = client(model).get(path)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", answer.text)
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for tag in ("script", "style"):
        found = re.findall(rf"<{tag}>(.*?)</{tag}>", answer.text, flags=re.DOTALL)
        digests = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in found]
        assert [f"{tag}-src 'sha256-{digest}'" in policy for digest in digests] == [True]


def test_home_says_what_it_is(client: Serve) -> None:
    found = " ".join(text_of(client("orders", digest="sha256:" + "0" * 64), "/").split())
    for words in (
        "shop 1.2.3 ready",
        "a double",
        "b long",
        "note string may be left out",
        "MLflow run run-1",
        "Commit " + "c" * 40,
        "Data hash not known",
        "Image digest sha256:" + "0" * 64,
    ):
        assert words in found


def test_the_command_works(client: Serve) -> None:
    shown = re.search(r"<pre>(.*?)</pre>", client("orders").get("/").text, flags=re.DOTALL)
    assert shown
    program, _, header, _, body, url = shlex.split(html.unescape(shown[1]))
    assert (program, url) == ("curl", "http://testserver/predict")
    answer = client("orders").post(url, content=body, headers=dict([header.split(": ")]))
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (
            "types",
            ["array list of double", "object object with k: long", "map object of long", "datetime datetime"],
        ),
        ("tensors", ["x float32 -1 x 2", "y int64 -1"]),
        ("bare", ["rows of 2 values, by position", '"no" , "yes"']),
        ("unknown", ["rows, by position: this model knows no columns"]),
        ("names-only", ["a unknown", "Not checked: types: the model was logged without a signature"]),
        ("labels", ["a double", 'It answers one of "no" , "yes"']),
    ],
)
def test_docs_show_what_a_model_takes(client: Serve, model: str, words: list[str]) -> None:
    found = " ".join(text_of(client(model), "/docs").split())
    assert [word for word in words if word not in found] == []


@pytest.mark.parametrize("model", MODELS)
def test_every_form_on_the_page_can_be_sent(client: Serve, model: str) -> None:
    data = re.search(r'<script type="application/json" id="forms">(.*?)</script>', client(model).get("/docs").text)
    assert data
    forms = json.loads(data[1])
    assert bool(forms) == (model != "unknown")
    for form in forms:
        answer = client(model).post(form["path"], content=form["text"], headers={"Content-Type": form["media"]})
        assert answer.status_code == 200, (form, answer.text)


def test_the_paths_are_those_of_the_document(client: Serve) -> None:
    found = " ".join(text_of(client("orders"), "/docs").split())
    paths = client("orders").get("/openapi.json").json()["paths"]
    missing = [
        path for path, methods in paths.items() for method in methods if f"{method.upper()} {path} " not in found
    ]
    assert missing == []


@pytest.mark.e2e
def test_a_browser_runs_the_page(saved: Callable[[str], Path], tmp_path: Path) -> None:
    """The policy lets the page's own script run, and that fills in the example and its command."""
    browser = parts.need_program("chromium", "install Debian's chromium")
    with served(saved("orders"), log=subprocess.DEVNULL) as (_, port):
        wait_until(lambda: is_ready(port))
        done = subprocess.run(
            [
                *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000"),
                *("--dump-dom", f"http://127.0.0.1:{port}/docs"),
            ],
            env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
    command = re.search(r'<pre id="curl">(.*?)</pre>', done.stdout, flags=re.DOTALL)
    assert command
    words = shlex.split(html.unescape(command[1]))
    assert words[-1] == f"http://127.0.0.1:{port}/predict"
    assert json.loads(words[-2]) == {"instances": [{"a": 0.5, "b": 1, "note": "text"}]}
