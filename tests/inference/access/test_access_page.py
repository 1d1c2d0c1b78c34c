"""docs/access.md: its files are read by who they are for, and what it says is open is open."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from generator.config.workspace import load
from inference.access.gate import PAGES, PROBES
from inference.access.keys import MOST_KEYS, Keys
from inference.access.rate import MOST_BUCKETS
from tests.generator.workspaces import model_yaml, write

PAGE = (Path(__file__).parents[3] / "docs/access.md").read_text()
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_what_it_puts_into_model_yaml_is_understood(tmp_path: Path) -> None:
    first, _, second, third = BLOCKS
    write(tmp_path, model_yaml(first))
    serve = load(tmp_path).model(None).config.serve
    assert serve.api_keys == "churn-api-keys"
    assert serve.rate_limit and serve.rate_limit.requests == "100/s"
    write(tmp_path, model_yaml(second))
    limit = load(tmp_path).model(None).config.serve.rate_limit
    assert limit and (limit.requests, limit.burst, limit.proxies) == ("6000/m", 200, 1)
    write(tmp_path, model_yaml(third))
    callers = load(tmp_path).model(None).config.serve.callers
    assert callers and (callers.namespaces, callers.prometheus) == (("shop", "ingress-nginx"), "monitoring")


def test_the_server_takes_the_secret_that_it_shows(tmp_path: Path) -> None:
    for name, content in yaml.safe_load(BLOCKS[1])["stringData"].items():
        (tmp_path / name).write_text(content)
    keys = Keys(tmp_path)
    keys.refresh()
    assert not keys.missing


def test_it_names_what_is_open_and_what_is_bounded() -> None:
    opened = re.search(r"\*\*Open without a key\*\*(.*?)\n- ", PAGE, re.DOTALL)
    assert opened
    named = set(re.findall(r"`(/[\w/]*)`", opened[1]))
    assert named == PROBES | PAGES
    assert f"At most {MOST_KEYS} keys" in PAGE
    assert f"most {MOST_BUCKETS:,} clients" in PAGE
