"""Several models at one origin: what is wrong with one is its own, and nobody is asked more often than needed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from generator.errors import GeneratorError
from generator.watching.sources import Ledgers
from tests.generator.repositories import commit_all, git, publish
from tests.generator.test_cli import generator
from tests.generator.workspaces import model_yaml, write_many

DEPLOY = "deploy: {engine: none, environments: {production: }}\n"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models a and c are at origin, c with a ledger of a; b is here alone."""
    folder = tmp_path_factory.mktemp("several")
    root = folder / "repo"
    root.mkdir()
    workspace = write_many(root, dict.fromkeys("ac", DEPLOY))
    publish(workspace, folder / "origin.git")
    for model in workspace:
        ledger = {"model": "a", "environment": "production", "current": None}
        (root / model.overlay("production") / "release.yaml").write_text(json.dumps(ledger))
    commit_all(root, "Edit ledgers by hand")
    git(root, "push", "--quiet", "origin", "main")
    (root / "models/b").mkdir()
    for file in ("train.py", "requirements.txt"):
        (root / "models/b" / file).write_text((root / "models/a" / file).read_text())
    (root / "models/b/model.yaml").write_text(model_yaml(DEPLOY, name="b"))
    return root


def rows(checkout: Path, *flags: str, code: int) -> dict[str, Any]:
    done = generator("status", *flags, "--json", cwd=checkout, KUBECONFIG="/dev/null", GH_TOKEN="")
    assert done.returncode == code, done.stderr
    return {row["model"]: row for row in json.loads(done.stdout)}


def test_a_model_that_origin_does_not_have_and_a_broken_ledger_have_rows(checkout: Path) -> None:
    found = rows(checkout, "--live", code=0)
    assert [(name, row["state"]) for name, row in found.items()] == [
        ("a", "never released"),
        ("b", "never released"),
        ("c", "unseen"),
    ]
    assert found["b"]["detail"] == "origin does not have this model yet"
    assert "is the ledger of a in production" in found["c"]["detail"]


def test_they_do_not_end_what_is_followed_of_others(checkout: Path) -> None:
    found = rows(checkout, "--chain", code=1)
    assert [name for name, row in found.items() if not row["links"]] == ["a", "b"]
    (link,) = found["c"]["links"]
    assert (link["name"], link["standing"]) == ("ledger", "broken")
    assert "is the ledger of a in production" in link["why"]


def test_a_branch_is_fetched_once_for_all_models_of_it(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledgers = Ledgers(checkout, tmp_path / "clones", ["a", "b", "c"])
    ledgers.read()
    for number, missing in enumerate((False, True)):
        trace = tmp_path / f"trace-{number}"
        with monkeypatch.context() as patch:
            patch.setenv("GIT_TRACE", str(trace))
            if missing:
                patch.setenv("GIT_CONFIG_COUNT", "1")
                patch.setenv("GIT_CONFIG_KEY_0", f"url.file://{tmp_path}/nowhere.insteadOf")
                patch.setenv("GIT_CONFIG_VALUE_0", str(checkout.parent / "origin.git"))
                with pytest.raises(GeneratorError):
                    ledgers.read()
            else:
                ledgers.read()
        built_in = [line for line in trace.read_text().splitlines() if "built-in: git fetch" in line]
        assert len(built_in) == 1, built_in


def test_a_clone_s_models_are_read_once_a_look(checkout: Path, tmp_path: Path) -> None:
    ledgers = Ledgers(checkout, tmp_path / "clones", ["a", "b", "c"])
    ledgers.read()
    opened: list[str] = []

    def count(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and str(arguments[0]).startswith(str(tmp_path)):
            opened.append(str(arguments[0]))

    sys.addaudithook(count)
    ledgers.read()
    assert sum(path.endswith("models/a/model.yaml") for path in opened) == 1, opened


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (("--chain", "--live"), "give one of them"),
        (("--live", "--watch"), "give one of them"),
        (("--every", "3"), "--every is for --watch"),
        (("--chain", "--every", "3"), "--every is for --watch"),
        (("--live", "--every", "5"), "--every is for --watch"),
    ],
)
def test_ways_to_look_that_exclude_each_other_are_refused(
    tmp_path: Path, flags: tuple[str, ...], why: str
) -> None:
    done = generator("status", *flags, cwd=tmp_path)
    assert done.returncode == 2, done.stdout
    assert why in done.stderr
