"""The JSON of `generator status`, `--chain` and `--live` is what docs/watching.md says it is."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import pytest

from generator.chain.link import Link
from generator.chain.link import Standing as LinkStanding
from generator.ledger import Entry
from generator.watching.standing import Standing, State
from tests.generator.repositories import commit_all, git
from tests.generator.test_cli import generator
from tests.generator.workspaces import write

PAGE = (Path(__file__).parents[2] / "docs/watching.md").read_text()


def told(section: str) -> dict[str, str]:
    """The keys that a section's table has, and what it says of each."""
    text = PAGE.partition(f"\n### {section}\n")[2].partition("\n### ")[0]
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| (.*) \|$", text, re.MULTILINE)
    return {key: what for keys, what in rows for key in re.findall(r"`(\w+)`", keys)}


def test_the_ledgers_keys(tmp_path: Path) -> None:
    write(tmp_path)
    done = generator("status", "--json", cwd=tmp_path)
    (row, *_) = json.loads(done.stdout)
    page = told("`generator status --json`")
    assert list(page) == [*row, *Entry.model_fields]


def test_where_each_stands_has_its_keys() -> None:
    row = Standing("churn", "production", "", State.EMPTY).record(datetime(2026, 11, 22, tzinfo=UTC))
    assert list(told("`generator status --live --json`")) == list(row)


def test_the_chain_s_keys(tmp_path: Path, origin: Path) -> None:
    done = generator("status", "--chain", "--json", cwd=origin, KUBECONFIG="/dev/null")
    assert done.returncode == 0, done.stderr
    (row, *_) = json.loads(done.stdout)
    page = told("`generator status --chain --json`")
    assert list(page) == [*row, *(field.name for field in fields(Link))]
    assert re.findall(r"\*(\w+)\*", page["standing"]) == [str(one) for one in LinkStanding]


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """A workspace whose remote is a clone of its own; nothing was released."""
    root = tmp_path / "here"
    root.mkdir()
    write(root)
    git(root, "init", "--quiet", "--initial-branch=main")
    commit_all(root, "First")
    git(tmp_path, "clone", "--quiet", "--bare", str(root), "origin.git")
    git(root, "remote", "add", "origin", str(tmp_path / "origin.git"))
    return root
