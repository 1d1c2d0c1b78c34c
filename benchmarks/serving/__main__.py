"""Compares the servers: prints tables, keeps the result; with --docs the pages that are made from it."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.serving import chart, client, compare, environments, process, report
from benchmarks.serving.cases import CASES, MODELS, Case
from benchmarks.serving.compare import Plan
from benchmarks.serving.contenders import CONTENDERS, Contender
from benchmarks.serving.process import Failed

RESULT = Path(__file__).parent / "result.json"
CHART = environments.ROOT / "docs" / "serving.svg"
PAGE = environments.ROOT / "docs" / "benchmarks.md"


def main(arguments: list[str]) -> int:
    """The exit code: 1 when nothing could be run. A contender that fails is reported, and no failure."""
    asked = _parser().parse_args(arguments)
    try:
        plan = plan_of(asked)
        client.need_wrk()
        # This process asks too, while it waits and checks: on the clients' core.
        os.sched_setaffinity(0, {plan.cores[1]})
        trained = compare.train(environments.python_of("mlflow"))
        result = describe(plan, compare.run(plan, trained, environments.python_of, _say))
    except (Failed, RuntimeError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    report.show(result)
    asked.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    _say(f"written: {asked.out}")
    if asked.docs:
        write_docs(result)
    return 0


def write_docs(result: dict[str, Any]) -> None:
    """The chart, and the section of the benchmarks page."""
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    CHART.write_text(chart.draw(result), encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(report.insert(page, "serving", report.section(result)), encoding="utf-8")
    _say(f"written: {RESULT}, {CHART}, {PAGE}")


def plan_of(asked: argparse.Namespace) -> Plan:
    """What the options ask for; ValueError names a wrong one."""
    contenders: list[Contender] = [known(name, {one.name: one for one in CONTENDERS}) for name in asked.peers]
    cases: list[Case] = [known(name, {f"{one.rows}x{one.clients}": one for one in CASES}) for name in asked.cases]
    models = [known(name, {model: model for model in MODELS}) for name in asked.models]
    rounds, seconds = (1, 1) if asked.quick else (asked.rounds, asked.seconds)
    return Plan(contenders or CONTENDERS, models or list(MODELS), cases or CASES, process.cores(), rounds, seconds)


def known(name: str, names: dict[str, Any]) -> Any:
    """What `name` stands for; ValueError with all names."""
    if name not in names:
        raise ValueError(f"{name!r} is none of: {', '.join(names)}")
    return names[name]


def describe(plan: Plan, found: compare.Found) -> dict[str, Any]:
    """The result file's content."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": machine(),
        "versions": sorted(
            {
                pin.replace("==", " ")
                for name in ("mlflow", "mlserver", "bentoml", "litserve", "tagship")
                for pin in environments.PINS[name]
                if "skl2onnx" not in pin
            }
        ),
        "plan": compare.plan_as_json(plan),
        "rows": compare.summary(found),
    }


def machine() -> str:
    """Processor, cores and Python."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return f"{os.cpu_count()} cores of {model or platform.machine()}, Python {environments.PYTHON}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round, one second a case: to see that all works")
    names = ", ".join(one.name for one in CONTENDERS)
    parser.add_argument("--peers", type=_list, default=[], metavar="A,B", help=f"only these of: {names}")
    parser.add_argument("--cases", type=_list, default=[], metavar="1x64,1000x8", help="rows x clients")
    parser.add_argument("--models", type=_list, default=[], metavar="forest,linear")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2, help="of each case in each round")
    parser.add_argument("--out", type=Path, default=Path("serving.json"), help="the result file")
    parser.add_argument(
        "--docs", action="store_true", help="also write the chart and the page that are made from it"
    )
    return parser


def _list(text: str) -> Sequence[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
