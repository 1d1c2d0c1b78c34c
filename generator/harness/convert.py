"""`convert`: the model as ONNX, where that predicts what the model itself predicts; else the reason why not.

Runs in the training environment, which has the converters. Writes `converted.onnx` and `converted.json`, as the
server reads them, into a folder of their own.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from .comparing import Converted, compare
from .original import Original, Refused, original
from .problem import said
from .rows import any_gap, golden_rows, made_up
from .translating import INPUT, translate

DTYPE = "float32"


def convert(request: dict[str, Any]) -> dict[str, Any]:
    """`{"converted": {"rows", "largest_difference", "refuses_gaps"}}`, or `{"converted": None, "reason"}`."""
    output = Path(request["output"])
    shutil.rmtree(output, ignore_errors=True)
    try:
        model = original(Path(request["model"]))
        golden = golden_rows(json.loads(Path(request["golden"]).read_text(encoding="utf-8")), model.width)
        converted, facts = _converted(model, golden, float(request["tolerance"]))
    except Refused as refused:
        return {"converted": None, "reason": str(refused)}
    except Exception as error:  # converters, and models that get rows they do not like, raise anything
        return {"converted": None, "reason": said(error)}
    output.mkdir(parents=True)
    (output / "converted.onnx").write_bytes(converted.graph)
    (output / "converted.json").write_text(json.dumps(converted.description, indent=2) + "\n", encoding="utf-8")
    return {"converted": facts}


def _converted(model: Original, golden: Any, tolerance: float) -> tuple[Converted, dict[str, Any]]:
    """The converted model, which answers as the original does. Raises Refused where there is none.

    Of a model that answers missing values by accident (forests do, fitted without any) the converted one may
    refuse them. One whose golden rows have some must answer them.
    """
    graph, outputs = translate(model.library, model.raw, model.width)
    takes = model.takes_gaps
    for gaps in (True, False) if takes else (False,):
        converted = Converted(graph, description(model, outputs, gaps=gaps))
        rows = made_up(golden, model.dtypes, gaps=gaps)
        try:
            largest = compare(model, converted, rows, tolerance)
        except Refused:
            if not gaps or any_gap(golden):
                raise
            continue
        return converted, {"rows": len(rows), "largest_difference": largest, "refuses_gaps": takes and not gaps}
    raise AssertionError("unreachable: the last try returns or raises")


def description(model: Original, outputs: list[str], *, gaps: bool) -> dict[str, Any]:
    """The content of converted.json; see inference/runtimes/onnx.py, which reads it."""
    return {
        "version": 1,
        "library": model.library,
        "width": model.width,
        "names": model.names,
        "gaps": gaps,
        "input": INPUT,
        "dtype": DTYPE,
        "output": {"labels": outputs[0], "probabilities": outputs[1] if model.gives_probabilities else None},
        "labels": _labels(model.classes),
        "classes": model.classes,
    }


def _labels(classes: list[Any] | None) -> str:
    """What the graph's first output holds. Converters keep labels that are texts or whole numbers."""
    if classes is None:
        return "value"
    kinds = {type(label) for label in classes}
    if kinds in ({str}, {int}):
        return "label"
    if kinds <= {bool, float} and [int(label) for label in classes] == list(range(len(classes))):
        return "position"  # they make whole numbers of true and false, and of 0.0 and 1.0
    raise Refused(f"its labels are neither texts nor whole numbers, but such as {classes[0]!r:.50}")
