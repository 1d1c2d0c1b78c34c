"""Which runtime an image serves with: a native one only where it predicts what pyfunc predicts, and never silently."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from generator.artifacts import BuiltImage
from generator.image.archive import read_archive
from generator.image.labels import read_labels
from generator.ports import Parity, Replay
from generator.release import Release
from generator.stages.package import Packager, package
from tests.generator.packaged import Report, ingredients, lay_out
from tests.generator.test_package import GOLDEN, Locks, OneLayer, refusal
from tests.generator.workspaces import SMALLEST

DIFFERS = Parity(4096, 0.25, "row 17: pyfunc gives 1, sklearn gives 0")


@dataclass(frozen=True)
class Packaged:
    release: Release
    built: BuiltImage
    engine: OneLayer
    said: list[str]

    @property
    def told(self) -> dict[str, Any]:
        """The release.json of the image that was stored."""
        found = json.loads((self.engine.built[-1]["context"] / "release.json").read_text())
        return {key: found[key] for key in ("runtime", "runtime_reason")}


def packaged(root: Path, engine: OneLayer, serve: str = "") -> Packaged:
    release = lay_out(root, model_yaml=SMALLEST + (f"serve: {{runtime: {serve}}}\n" if serve else ""))
    report = Report()
    built = package(release, ingredients(release, GOLDEN), Packager(engine, Locks(), report))
    image = read_archive(release.store.folder / "image.tar")
    assert read_labels(image.labels, "image.tar").record.runtime == built.served.runtime == built.record.runtime
    return Packaged(release, built, engine, report.said)


def test_a_native_runtime_that_predicts_the_same_serves(tmp_path: Path) -> None:
    found = packaged(tmp_path, OneLayer([0, 1, 1], parity_found=Parity(4096, 2e-16)))
    assert found.built.served.summary == "served by sklearn (4096 rows compared, largest difference 2e-16)"
    assert found.built.served.summary in found.built.summary
    assert found.built.served.summary in found.said
    assert found.told == {"runtime": None, "runtime_reason": None}
    assert len(found.engine.built) == 1


def test_one_that_predicts_otherwise_gives_way_to_pyfunc_and_it_is_said(tmp_path: Path) -> None:
    found = packaged(tmp_path, OneLayer([0, 1, 1], parity_found=DIFFERS))
    why = "sklearn itself does not predict what pyfunc predicts: row 17: pyfunc gives 1, sklearn gives 0"
    assert (found.built.served.runtime, found.built.served.reason) == ("pyfunc", why)
    assert found.told == {"runtime": "pyfunc", "runtime_reason": why}
    assert f"building the image again, to be served by pyfunc ({why})" in found.said
    assert why in found.built.summary
    assert (len(found.engine.built), len(found.engine.replayed)) == (2, 2), "what is stored was not tried"


def test_a_model_without_a_native_runtime_says_so(tmp_path: Path) -> None:
    found = packaged(tmp_path, OneLayer([0, 1, 1], native="pyfunc"))
    assert found.built.served.summary == "served by pyfunc (no native one)"
    assert found.told == {"runtime": None, "runtime_reason": None}, "the server finds that by itself"
    assert found.engine.compared == []


def test_pyfunc_may_be_asked_for(tmp_path: Path) -> None:
    found = packaged(tmp_path, OneLayer([0, 1, 1], parity_found=DIFFERS), serve="pyfunc")
    assert found.told == {"runtime": "pyfunc", "runtime_reason": "serve.runtime in model.yaml asks for it"}
    assert (found.engine.compared, len(found.engine.built)) == ([], 1)


class Deaf(OneLayer):
    """An image whose server does not do as it is told."""

    def replay(self, tag: str, golden: str, *, memory: int) -> Replay:
        return Replay(self.answers, 1.0, None, "sklearn")


@pytest.mark.parametrize("serve", ["pyfunc", "auto"])
def test_an_image_that_serves_otherwise_than_it_is_told_is_refused(tmp_path: Path, serve: str) -> None:
    release = lay_out(tmp_path, model_yaml=SMALLEST + f"serve: {{runtime: {serve}}}\n")
    message = refusal(release, ingredients(release, GOLDEN), Deaf([0, 1, 1], parity_found=DIFFERS))
    assert "is to serve with pyfunc, but served with sklearn" in message


def test_golden_rows_decide_as_well(tmp_path: Path) -> None:
    release = lay_out(tmp_path)
    assert "row 1: recorded 1" in refusal(release, ingredients(release, GOLDEN), OneLayer([0, 0, 1]))
