"""`convert`: the model as ONNX, where that predicts what the model itself predicts; else the reason why not.

Runs in the training environment, which has the converters. Writes `converted.onnx` and `converted.json`, as the
server reads them, into a folder of their own.
"""

import itertools
import json
import shutil
from pathlib import Path
from typing import Any

from .comparing import Converted, compare
from .original import Original, Refused, original
from .problem import said
from .rows import any_gap, golden_rows, made_up
from .translating import DTYPES, INPUT, translate


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
    except Exception as error:  # as a model may when it is loaded
        return {"converted": None, "reason": said(error)}
    output.mkdir(parents=True)
    (output / "converted.onnx").write_bytes(converted.graph)
    (output / "converted.json").write_text(json.dumps(converted.description, indent=2) + "\n", encoding="utf-8")
    return {"converted": facts}


def _converted(model: Original, golden: Any, tolerance: float) -> tuple[Converted, dict[str, Any]]:
    """The first converted model that answers as the original does. Raises Refused, with the easiest rows' reason.

    Inputs of 32 bits are tried before those of 64, which few kinds of models have. Of a model that answers
    missing values by accident (forests do, fitted without any) the converted one may refuse them, but not of
    one whose golden rows have some.
    """
    reasons: dict[bool, str] = {}
    for gaps, dtype in itertools.product((True, False), DTYPES[model.library]):
        if (gaps and not model.takes_gaps) or (not gaps and any_gap(golden)):
            continue
        try:
            graph, outputs = translate(model.library, model.raw, model.width, dtype)
            converted = Converted(graph, description(model, outputs, dtype, gaps=gaps))
            rows = made_up(golden, model.dtypes, gaps=gaps)
            largest = compare(model, converted, rows, tolerance)
        except Exception as error:  # converters, and models that get rows they do not like, raise anything
            reasons.setdefault(gaps, str(error) if isinstance(error, Refused) else said(error))
            continue
        refuses_gaps = model.takes_gaps and not gaps
        return converted, {"rows": len(rows), "largest_difference": largest, "refuses_gaps": refuses_gaps}
    raise Refused(reasons[min(reasons)] if reasons else "its golden rows have missing values, which it refuses")


def description(model: Original, outputs: list[str], dtype: str, *, gaps: bool) -> dict[str, Any]:
    """The content of converted.json; see inference/runtimes/onnx.py, which reads it."""
    return {
        "version": 1,
        "library": model.library,
        "width": model.width,
        "names": model.names,
        "gaps": gaps,
        "input": INPUT,
        "dtype": dtype,
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
