"""What this repository promises of itself: generated files are current, sizes are kept, pages are true."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from generator.config.reference import json_schema, reference
from generator.config.workspace import load
from generator.generate import compare_workspace
from generator.plan.pipeline import JOBS, SUMMARY, Stage

ROOT = Path(__file__).parents[1]
MODULES = sorted(path for folder in ("generator", "inference") for path in (ROOT / folder).rglob("*.py"))


def test_workflows_and_overlays_are_what_the_examples_say() -> None:
    comparison = compare_workspace(load(ROOT), install=".")
    assert comparison.clean, [f"{change.kind}: {change.path}" for change in comparison.changes]


def test_the_reference_is_current() -> None:
    assert (ROOT / "docs/model-yaml.md").read_text() == reference(), "run `make generate`"


def test_the_schema_is_current() -> None:
    assert (ROOT / "templates/editor/model.schema.json").read_text() == json_schema(), "run `make generate`"


def test_the_picture_shows_every_job_and_stage_in_order() -> None:
    words = re.findall(r">(?:job )?([a-z]+)</text>", (ROOT / "docs/pipeline.svg").read_text())
    shown = [word for word in words if word in {*Stage, *(job.name for job in JOBS)}]
    assert shown == [word for job in JOBS for word in (job.name, *job.stages)]


def test_every_stage_is_in_one_job_and_has_a_summary() -> None:
    assert [stage for job in JOBS for stage in job.stages] == list(Stage) == list(SUMMARY)


def test_the_architecture_page_names_what_is_there() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    for name in re.findall(r"`((?:generator|inference|templates|k8s|tests)/[\w./-]+)`", page):
        assert "_data" in name or (ROOT / name.rstrip("/")).exists(), f"docs/architecture.md names {name}"
    for path in [*(ROOT / "generator").iterdir(), *(ROOT / "inference").iterdir()]:
        if path.name not in ("__init__.py", "__pycache__", "_data") and not path.name.startswith("."):
            assert path.name.removesuffix(".py") in page, (
                f"docs/architecture.md does not say where {path.name} belongs"
            )


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_are_small_and_say_what_they_are_for(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 300
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "no opening paragraph"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 40, f"{node.name} is over 40 lines"
    if "cli" in path.parts:
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name == "command":
                assert node.body[-1].end_lineno is not None
                assert node.body[-1].end_lineno - node.body[0].lineno < 30, "a command's body is over 30 lines"


def test_no_module_is_called_utils() -> None:
    assert not [path for path in MODULES if path.stem in ("utils", "helpers", "util", "helper", "misc", "common")]
