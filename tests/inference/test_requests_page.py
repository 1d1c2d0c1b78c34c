"""docs/requests.md: every body in its table is answered as it says, and its programs run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.inference.conftest import Serve, wait_until
from tests.inference.process import ROOT, is_ready, served

PAGE = (ROOT / "docs/requests.md").read_text()
ROWS = re.findall(r"^\| `([\[{].*?)` \| `(\{.*?)` \|", PAGE, re.MULTILINE)
PROGRAMS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_page_has_what_is_tested_here() -> None:
    assert (len(ROWS), len(PROGRAMS)) == (10, 2)


@pytest.mark.parametrize(("body", "answer"), ROWS)
def test_bodies(client: Serve, body: str, answer: str) -> None:
    found: dict[str, Any] = client("orders").post("/predict", content=body).json()
    found.pop("latency_ms", None)
    assert found == json.loads(answer)


def test_the_error(client: Serve) -> None:
    shown = re.search(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert shown
    answer = client("orders").post("/predict", json={"inputs": {"a": [1, 1], "b": [2, 2.5]}})
    assert answer.json() == json.loads(shown[1])


def test_programs(saved: Callable[[str], Path]) -> None:
    with served(saved("orders"), log=subprocess.DEVNULL, TAGSHIP_NAME="shop") as (_, port):
        wait_until(lambda: is_ready(port))
        printed = [
            subprocess.run(
                [sys.executable, "-W", "ignore", "-c", program.replace("8080", str(port))],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            for program in PROGRAMS
        ]
    assert [text.split() for text in printed] == [["0", "0", "12.0"], ["[12.", "34.]"]]
