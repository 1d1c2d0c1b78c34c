"""Which runtime an image serves with: a native one only where it predicts what pyfunc predicts, and never silently."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from generator.artifacts import BuiltImage, Conversion
from generator.disk import folder_sha256
from generator.errors import GeneratorError
from generator.image.archive import read_archive
from generator.image.labels import read_labels
from generator.ports import Parity, Replay
from generator.release import Release
from generator.stages.package import Ingredients, Packager, package
from tests.generator.packaged import Predicted, Report, ingredients, lay_out
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
    found = packaged(tmp_path, OneLayer([0, 1, 1], native="pyfunc", parity_found=DIFFERS))
    assert found.built.served.summary == "served by pyfunc (no native one)"
    assert found.told == {"runtime": None, "runtime_reason": None}, "the server finds that by itself"


def test_what_can_only_be_served_by_pyfunc_is_not_compared(tmp_path: Path) -> None:
    release, engine = lay_out(tmp_path), OneLayer([0, 1, 1], native="pyfunc")
    given = ingredients(release, GOLDEN)
    given = replace(given, trained=given.trained.model_copy(update={"flavors": ("python_function",)}))
    package(release, given, Packager(engine, Locks(), Report()))
    assert (engine.compared, len(engine.replayed)) == ([], 1)


class Together(OneLayer):
    """An image that is replayed and compared in the same moment, or in none."""

    both = threading.Barrier(2, timeout=120)

    def replay(self, tag: str, golden: str, *, memory: int, environment: Mapping[str, str] = {}) -> Replay:
        self.both.wait()
        return super().replay(tag, golden, memory=memory, environment=environment)

    def parity(self, tag: str, golden: str, *, environment: Mapping[str, str] = {}) -> Parity:
        self.both.wait()
        return super().parity(tag, golden, environment=environment)


def test_replay_and_comparison_do_not_wait_for_each_other(tmp_path: Path) -> None:
    assert packaged(tmp_path, Together([0, 1, 1])).built.served.rows == 4096


def test_what_the_replay_says_is_told_before_what_the_comparison_says(tmp_path: Path) -> None:
    class Broken(OneLayer):
        def parity(self, tag: str, golden: str, *, environment: Mapping[str, str] = {}) -> Parity:
            raise GeneratorError("the comparison failed as well")

    release = lay_out(tmp_path)
    message = refusal(release, ingredients(release, GOLDEN), Broken(error="no module named wheat"))
    assert message == "the image cannot serve this model: no module named wheat"


def test_pyfunc_may_be_asked_for(tmp_path: Path) -> None:
    found = packaged(tmp_path, OneLayer([0, 1, 1], parity_found=DIFFERS), serve="pyfunc")
    assert found.told == {"runtime": "pyfunc", "runtime_reason": "serve.runtime in model.yaml asks for it"}
    assert (found.engine.compared, len(found.engine.built)) == ([], 1)


class Deaf(OneLayer):
    """An image whose server does not do as it is told."""

    def replay(self, tag: str, golden: str, *, memory: int, environment: Mapping[str, str] = {}) -> Replay:
        return Replay(self.answers, 1.0, None, "sklearn")


@pytest.mark.parametrize("serve", ["pyfunc", "auto"])
def test_an_image_that_serves_otherwise_than_it_is_told_is_refused(tmp_path: Path, serve: str) -> None:
    release = lay_out(tmp_path, model_yaml=SMALLEST + f"serve: {{runtime: {serve}}}\n")
    message = refusal(release, ingredients(release, GOLDEN), Deaf([0, 1, 1], parity_found=DIFFERS))
    assert "is to serve with pyfunc, but served with sklearn" in message


def test_golden_rows_decide_as_well(tmp_path: Path) -> None:
    release = lay_out(tmp_path)
    assert "row 1: recorded 1" in refusal(release, ingredients(release, GOLDEN), OneLayer([0, 0, 1]))


ONNX = SMALLEST + "serve: {runtime: onnx}\n"


def converted(
    root: Path, *, reason: str | None = None, refuses_gaps: bool = False, model_yaml: str = ONNX
) -> tuple[Release, Ingredients]:
    """A release whose model the training job converted, or could not convert."""
    release = lay_out(root, model_yaml=model_yaml)
    model, folder = release.store.folder / "model", release.store.folder / "onnx"
    (model / "model.pkl").write_text("a pickle")
    (model / "input_example.json").write_text("{}")
    made = Conversion(reason=reason)
    if reason is None:
        folder.mkdir()
        for name in ("converted.onnx", "converted.json"):
            (folder / name).write_text(name)
        made = Conversion(
            sha256=folder_sha256(folder), rows=5020, largest_difference=3e-7, refuses_gaps=refuses_gaps
        )
    given = ingredients(release, GOLDEN)
    return release, replace(given, trained=given.trained.model_copy(update={"converted": made}))


def test_a_converted_model_is_served_without_what_it_was_trained_with(tmp_path: Path) -> None:
    release, given = converted(tmp_path)
    engine, locks = OneLayer([0, 1, 1], native="onnx"), Locks()
    built = package(release, given, Packager(engine, locks, Report()))
    assert built.served.summary == "served by onnx (5020 rows compared, largest difference 3e-07)"
    assert (built.served.converted, built.record.runtime, engine.compared) == (True, "onnx", [])
    context = engine.built[0]["context"]
    assert {path.name for path in (context / "model").iterdir()} == {
        "MLmodel", "input_example.json", "converted.onnx", "converted.json",
    }  # fmt: skip
    wanted = locks.asked[0]["requirements"].splitlines()
    assert wanted[0] == "onnxruntime"
    assert not [line for line in wanted if line.startswith(("mlflow", "scikit", "pandas"))]
    assert "numpy==2.4.0" in locks.asked[0]["constraints"], "the image computes with other versions"


def test_gaps_that_a_converted_model_refuses_are_said(tmp_path: Path) -> None:
    release, given = converted(tmp_path, refuses_gaps=True)
    built = package(release, given, Packager(OneLayer([0, 1, 1], native="onnx"), Locks(), Report()))
    assert "missing values are refused, which the model itself would answer" in built.summary


def test_a_model_that_could_not_be_converted_goes_on_and_says_why(tmp_path: Path) -> None:
    release, given = converted(tmp_path, reason="its column kind is of type string")
    built = package(release, given, Packager(OneLayer([0, 1, 1]), Locks(), Report()))
    assert built.served.summary == (
        "served by sklearn (not converted to ONNX: its column kind is of type string; "
        "4096 rows compared, largest difference 0)"
    )
    assert not built.served.converted


def test_golden_numbers_of_a_converted_model_have_the_tolerance_of_32_bits(tmp_path: Path) -> None:
    release, given = converted(tmp_path)
    golden = ingredients(release, Predicted(GOLDEN.request, [0.5, 2e5, 1.0])).trained.golden
    given = replace(given, trained=given.trained.model_copy(update={"golden": golden}))
    near, far = [0.500004, 2e5 + 1, 1.0], [0.50002, 2e5, 1.0]
    built = package(release, given, Packager(OneLayer(near, native="onnx"), Locks(), Report()))
    assert built.largest_difference == pytest.approx(5e-6, rel=1e-3)
    with pytest.raises(GeneratorError, match="converted to ONNX, numbers may differ by 1e-05"):
        package(release, given, Packager(OneLayer(far, native="onnx"), Locks(), Report()))


def test_an_image_that_does_not_take_the_converted_model_is_refused(tmp_path: Path) -> None:
    release, given = converted(tmp_path)
    assert "is to serve with onnx, but served with sklearn" in refusal(release, given, OneLayer([0, 1, 1]))


@pytest.mark.parametrize("forgery", ["changed", "added", "missing", "gone"])
def test_a_forged_conversion_is_refused(tmp_path: Path, forgery: str) -> None:
    release, given = converted(tmp_path)
    folder = release.store.folder / "onnx"
    if forgery == "changed":
        (folder / "converted.json").write_text("{}")
    elif forgery == "added":
        (folder / "model.pkl").write_text("a pickle")
    elif forgery == "missing":
        (folder / "converted.onnx").unlink()
    else:
        shutil.rmtree(folder)
    assert "onnx is not what the model was converted to" in refusal(release, given, OneLayer([0, 1, 1]))


def test_more_files_are_refused_even_where_train_json_was_forged_as_well(tmp_path: Path) -> None:
    release, given = converted(tmp_path)
    folder = release.store.folder / "onnx"
    (folder / "model.pkl").write_text("a pickle")
    made = Conversion(sha256=folder_sha256(folder))
    given = replace(given, trained=given.trained.model_copy(update={"converted": made}))
    assert "onnx is not what the model was converted to" in refusal(release, given, OneLayer([0, 1, 1]))


def test_a_conversion_that_nobody_asked_for_is_refused(tmp_path: Path) -> None:
    release, given = converted(tmp_path / "one", model_yaml=SMALLEST)
    assert "train.json speaks of a conversion, but serve.runtime" in refusal(release, given)
    release = lay_out(tmp_path / "two", model_yaml=ONNX)
    assert "train.json does not speak of a conversion" in refusal(release, ingredients(release, GOLDEN))
    release, given = converted(tmp_path / "three", reason="why not")
    (release.store.folder / "onnx").mkdir()
    assert "of which train.json says nothing" in refusal(release, given)
