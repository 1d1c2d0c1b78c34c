"""Golden rows: a request, and what this environment's own pyfunc predicts for it.

The image must later answer the same. The user's file comes first, then the model's input example, then
rows made from its signature or from the features it was fitted on.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from . import bodies, making
from .bodies import BodyError
from .casting import as_input
from .inputs import Inputs, inputs_of
from .plain import predictions, same
from .problem import Problem, said

TOLERANCE = 1e-9
MOST_DIFFERENCES = 5


def record(folder: Path, request: dict[str, Any], name: str) -> dict[str, Any]:
    """Writes `golden_output`; answers with its source, number of rows and what was passed over."""
    model, refused = load(folder, name)
    golden: dict[str, Any] = {"source": "none", "request": None, "predictions": None}
    passed_over: list[str] = []
    if model is None:
        passed_over.append(refused)
    elif request.get("golden_file"):
        golden = from_file(model, request)
    else:
        golden, passed_over = first_that_works(model, folder)
    golden = {"deterministic": True, **golden}
    text = json.dumps(golden, allow_nan=False)
    Path(request["golden_output"]).write_text(text + "\n", encoding="utf-8")
    return {
        "source": golden["source"],
        "rows": bodies.count(golden["request"]) if golden["request"] else 0,
        "deterministic": golden["deterministic"],
        "reason": "; ".join(passed_over) or None,
    }


def load(folder: Path, name: str) -> tuple[Any, str]:
    """The model, or why it cannot be asked by pyfunc."""
    import mlflow.pyfunc
    from mlflow.models import Model

    if "python_function" not in Model.load(str(folder)).flavors:
        return None, "the model has no python_function flavor"
    try:
        return mlflow.pyfunc.load_model(str(folder)), ""
    except Exception as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        raise Problem("model-broken", name=name, stage="load", error=said(error), module=missing) from error


def first_that_works(model: Any, folder: Path) -> tuple[dict[str, Any], list[str]]:
    inputs = inputs_of(model)
    passed_over: list[str] = []
    for source, make in sources(model, folder, inputs):
        try:
            body = make()
            if body is not None:
                return {"source": source, **ask_twice(model, bounded(body, inputs), inputs)}, passed_over
        except Exception as error:
            why = str(error) if isinstance(error, BodyError) else said(error)
            passed_over.append(f"{source}: {why}")
    if not passed_over:
        passed_over.append("no input example, no signature, and the model does not say its features")
    return {"source": "none", "request": None, "predictions": None}, passed_over


def sources(model: Any, folder: Path, inputs: Inputs) -> Iterator[tuple[str, Callable[[], dict[str, Any] | None]]]:
    """Where rows can come from, the best first. A source that the model lacks gives None."""

    def example() -> dict[str, Any] | None:
        found = model.metadata.load_input_example(str(folder))
        return None if found is None else bodies.of_example(found, inputs)

    yield "input-example", example
    if inputs.schema is not None:
        yield "signature", lambda: making.from_signature(inputs)
    elif inputs.width is not None:
        yield "features", lambda: making.from_features(inputs)


def bounded(body: dict[str, Any], inputs: Inputs) -> dict[str, Any]:
    """The body within the limits, unless its first axis is fixed and must not be cut."""
    fixed = inputs.tensor and any(spec.shape[0] != -1 for spec in inputs.schema.inputs)
    return body if fixed else bodies.bounded(body)


def ask_twice(model: Any, body: dict[str, Any], inputs: Inputs) -> dict[str, Any]:
    """The body as JSON holds it, its predictions, and whether a second answer was the same."""
    body = as_json(body)
    first, second = (predictions(model.predict(as_input(body, inputs))) for _ in range(2))
    return {"request": body, "predictions": first, "deterministic": first == second}


def as_json(body: dict[str, Any]) -> dict[str, Any]:
    held: dict[str, Any] = json.loads(json.dumps(body, allow_nan=False))
    return held


def from_file(model: Any, request: dict[str, Any]) -> dict[str, Any]:
    """The user's own rows; where the file holds predictions too, they must be what the model says."""
    path, inputs = Path(request["golden_file"]), inputs_of(model)
    try:
        document = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_constant)
        expected = document.pop("predictions", None) if isinstance(document, dict) else None
        body = bodies.parse(document, inputs)
        as_input(as_json(body), inputs)
    except (OSError, ValueError, RecursionError, BodyError) as error:
        raise Problem("golden-invalid", file=path.name, error=str(error)) from error
    try:
        asked = ask_twice(model, body, inputs)
    except Exception as error:  # the model's own, whatever its kind
        raise Problem("golden-refused", file=path.name, error=said(error)) from error
    if expected is not None:
        compare(expected, asked["predictions"], path.name, float(request.get("tolerance") or TOLERANCE))
    kept = bounded(body, inputs)
    if bodies.count(kept) < bodies.count(body):
        asked = ask_twice(model, kept, inputs)
    return {"source": "file", **asked}


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON; use null")


def compare(expected: Any, predicted: Any, file: str, tolerance: float) -> None:
    if same(expected, predicted, tolerance):
        return
    wanted = expected if isinstance(expected, list) else [expected]
    got = predicted if isinstance(predicted, list) else [predicted]
    differing = [
        {"row": row, "expected": one, "predicted": other}
        for row, (one, other) in enumerate(zip(wanted, got, strict=False))
        if not same(one, other, tolerance)
    ]
    raise Problem(
        "golden-mismatch",
        file=file,
        expected_rows=len(wanted),
        predicted_rows=len(got),
        differing=len(differing),
        differences=differing[:MOST_DIFFERENCES],
    )
