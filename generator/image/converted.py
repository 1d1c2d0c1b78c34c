"""A model that the training job converted to ONNX, as an image holds it: no pickle, and nothing that unpickles."""

from __future__ import annotations

import shutil
from pathlib import Path

from generator.artifacts import Conversion, TrainedModel
from generator.disk import folder_sha256
from generator.errors import GeneratorError

CONVERTED = "onnx"  # the folder beside model/
FILES = frozenset({"converted.onnx", "converted.json"})
KEPT = ("MLmodel", "input_example.json")  # of the model: what it takes, and a request to show
RUNTIME = "onnxruntime"
GAPS = "missing values are refused, which the model itself would answer"


def outcome(converted: Conversion) -> str:
    """What became of a conversion, in a line."""
    if converted.reason is not None:
        return f"not converted to ONNX: {converted.reason}"
    agree = f"{converted.rows} rows agree, largest difference {converted.largest_difference:.2g}"
    return f"converted to ONNX: {agree}{f'; {GAPS}' if converted.refuses_gaps else ''}"


def is_converted(trained: TrainedModel) -> bool:
    """Whether the image is to hold the converted model."""
    return trained.converted is not None and trained.converted.sha256 is not None


def requirements(*, hooks: bool) -> str:
    """What a converted model needs, as the text of a requirements file; hooks get frames."""
    return f"{RUNTIME}\npandas\n" if hooks else f"{RUNTIME}\n"


def check_converted(folder: Path, trained: TrainedModel, wanted: str) -> None:
    """Raises GeneratorError where `folder` is not what the training recorded, or model.yaml does not want it."""
    recorded = trained.converted.sha256 if trained.converted else None
    if (trained.converted is not None) != (wanted == "onnx"):
        raise GeneratorError(
            f"train.json {'speaks' if trained.converted else 'does not speak'} of a conversion, but serve.runtime "
            f"in model.yaml is {wanted}: run `generator stage train` again"
        )
    if recorded is None:
        if folder.exists():
            raise GeneratorError(f"there is a {folder}, of which train.json says nothing: it is refused")
        return
    found = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if found != FILES or folder_sha256(folder) != recorded:
        raise GeneratorError(f"{folder} is not what the model was converted to: run `generator stage train` again")


def lay_out(target: Path, model: Path, converted: Path) -> Path:
    """A model folder in `target` with the converted model in place of the original."""
    if target.exists():
        shutil.rmtree(target)
    target.mkdir(parents=True)
    sources = [*(converted / name for name in sorted(FILES)), *(model / name for name in KEPT)]
    for path in sources:
        if path.is_file():
            shutil.copyfile(path, target / path.name)
    return target
