"""How one stage's artifact meets the next: what is done already, and what counts as not done."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from generator.artifacts import GateReport
from generator.plan.pipeline import Stage
from generator.wiring import World, run_stage
from tests.generator.packaged import Report, ingredients, lay_out


def test_a_stage_that_is_done_stays_done(tmp_path: Path) -> None:
    release = lay_out(tmp_path)
    release.store.write(Stage.TRAIN, ingredients(release).trained)
    first, report = run_stage(Stage.GATE, release, World(Report())), Report()
    assert run_stage(Stage.GATE, release, World(report)) == first
    assert report.said == ["done already, from the same artifact; --again does it again"]


@pytest.mark.parametrize("change", [{"commit": "0" * 40}, {"schema_version": 0}, {"surprise": True}])
def test_a_stages_own_artifact_that_is_refused_is_made_anew(tmp_path: Path, change: dict[str, Any]) -> None:
    """A tag that was moved, or a newer version of the command: running the stage again is what its error says."""
    release = lay_out(tmp_path)
    release.store.write(Stage.TRAIN, ingredients(release).trained)
    run_stage(Stage.GATE, release, World(Report()))
    path = release.store.path(Stage.GATE)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    report = Report()
    made = run_stage(Stage.GATE, release, World(report))
    assert isinstance(made, GateReport)
    assert release.read(Stage.GATE, GateReport) == made
    assert report.said[0].startswith("gate.json: ")


def test_an_artifact_of_another_release_is_not_taken_over(tmp_path: Path) -> None:
    release = lay_out(tmp_path)
    release.store.write(Stage.TRAIN, ingredients(release).trained)
    run_stage(Stage.GATE, release, World(Report()))
    moved = replace(release, commit="1" * 40)
    release.store.write(Stage.TRAIN, ingredients(moved).trained)
    assert run_stage(Stage.GATE, moved, World(Report())).commit == "1" * 40
