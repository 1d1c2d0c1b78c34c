"""Draws docs/dashboard.svg: two real servers under load, a real Prometheus, the generated dashboard.

Needs kustomize, and Debian's prometheus on the PATH; takes some five minutes.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.dashboard.chart import Line, draw, named
from benchmarks.dashboard.load import Phase, send
from benchmarks.dashboard.prometheus import Object, Prometheus, board_of, scraping
from generator.adapters.kustomize import Kustomize
from generator.config.workspace import load
from tests.generator.workspaces import model_yaml, write
from tests.inference.conftest import wait_until
from tests.inference.models import SAVE
from tests.inference.process import is_ready, served
from tests.templates.manifests import generate, release_all

PICTURE = Path(__file__).parents[2] / "docs/dashboard.svg"
QUICK, SLOW = ("text", "frame", "sleep 0.004", "sleep 0.01"), ("sleep 0.01", "sleep 0.03", "text")
PHASES = (
    Phase(60, 4, 0.2, QUICK),
    Phase(60, 12, 0.1, QUICK),
    Phase(60, 24, 0.02, SLOW),  # more than it can do
    Phase(40, 6, 0.1, (*QUICK * 3, "break", "value")),
    Phase(50, 4, 0.2, QUICK),
)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        scratch = Path(folder)
        objects = _overlay(scratch / "repository")
        SAVE["moody"](scratch / "model")
        trained = datetime.now(UTC) - timedelta(days=12, hours=4)
        told = scratch / "release.json"
        told.write_text(json.dumps({"name": "churn", "version": "1.4.0", "created": trained.isoformat()}))
        settings = {"TAGSHIP_RELEASE": str(told), "TAGSHIP_MAX_QUEUE": "8"}
        pods = {}
        for pod in ("churn-inference-6d9f-7kq2x", "churn-inference-6d9f-w8m4t"):
            server = served(scratch / "model", log=subprocess.DEVNULL, **settings)
            pods[pod] = stack.enter_context(server)[1]
        for port in pods.values():
            wait_until(lambda port=port: is_ready(port))
        prometheus = stack.enter_context(scraping(objects, pods, scratch))
        time.sleep(3)
        began = time.time() + 5
        send([*pods.values()], PHASES)
        board = board_of(objects)
        answers = [_lines(prometheus, panel, began, time.time()) for panel in board["panels"]]
        PICTURE.write_text(draw(board, answers, time.time() - began))
    print(f"wrote {PICTURE}")


def _overlay(root: Path) -> list[Object]:
    root.mkdir()
    write(root, model_yaml("serve: {monitoring: true}\n"))
    generate(root)
    release_all(root)
    return Kustomize().build(root / load(root).model(None).overlay("production"))


def _lines(prometheus: Prometheus, panel: Object, start: float, end: float) -> list[Line]:
    """Each query's series; what is no number is left out."""
    return [
        (
            named(target["legendFormat"], series["metric"]),
            [(float(at) - start, float(value)) for at, value in series["values"] if value != "NaN"],
        )
        for target in panel["targets"]
        for series in prometheus.over(target["expr"], start, end, 2)
    ]


if __name__ == "__main__":
    main()
