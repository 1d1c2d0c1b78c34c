"""Runs all contenders in turns and collects what was measured."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.serving import client, environments, process
from benchmarks.serving.cases import BODIES, Case
from benchmarks.serving.client import Address, Figures, Question
from benchmarks.serving.contenders import Contender, Place
from benchmarks.serving.process import Failed, Server

Say = Callable[[str], None]
Found = dict[tuple[str, str], "Measured"]
"""By model and contender."""


@dataclass(frozen=True)
class Plan:
    """What a run does."""

    contenders: Sequence[Contender]
    models: Sequence[str]
    cases: Sequence[Case]
    cores: tuple[int, int]  # of the server, of the client
    rounds: int = 3
    seconds: int = 2  # of each case in each round


@dataclass
class Measured:
    """One contender with one model over all rounds; `failure` says why there is no more."""

    starts: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    cases: dict[str, list[Figures]] = field(default_factory=dict)
    failure: str | None = None


def train(python: Path, trees: int = 100) -> Path:
    """The folder of the trained models, made by the script beside this one when it is not there yet."""
    script = Path(__file__).parent / "train.py"
    folder = (
        environments.cache() / f"models-{trees}-{environments.fingerprint(python.as_posix(), script.read_text())}"
    )
    if not (folder / "data.json").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        done = subprocess.run(
            [python, script, folder, str(trees)], cwd=folder, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Failed(f"training failed: {done.stderr.strip()[-1500:]}")
    return folder


def run(plan: Plan, models: Path, python_of: Callable[[str], Path], say: Say) -> Found:
    """Every round starts each contender once; one that failed is left out from then on."""
    data = json.loads((models / "data.json").read_text())
    pairs = [(model, one) for model in plan.models for one in plan.contenders if model in one.models]
    found: Found = {(model, one.name): Measured() for model, one in pairs}
    for number in range(plan.rounds):
        for model, contender in pairs:
            measured = found[model, contender.name]
            if measured.failure:
                continue
            say(f"round {number + 1} of {plan.rounds}: {model}, {contender.name}")
            try:
                _measure(plan, contender, models / model, Sent(data, model, contender), python_of, measured)
            except (Failed, OSError, RuntimeError, subprocess.SubprocessError) as error:
                measured.failure = str(error)
                say(f"  failed: {error}")
    return found


class Sent:
    """The questions for one contender about one model."""

    def __init__(self, data: dict[str, Any], model: str, contender: Contender) -> None:
        self._data = data
        self._labels = data["labels"][model]
        self._contender = contender

    def questions(self, rows: int) -> list[Question]:
        """As many as BODIES says, each of `rows` rows."""
        starts = [number * rows for number in range(BODIES[rows])]
        return [self._question(self._data["rows"][start : start + rows], start) for start in starts]

    def _question(self, rows: list[list[float]], start: int) -> Question:
        body = json.dumps(self._contender.body(rows, self._data["columns"]), separators=(",", ":"))
        labels = self._labels[start : start + len(rows)] if self._contender.works else [0] * len(rows)
        return Question(body.encode(), labels)

    def write(self, rows: int, folder: Path) -> Path:
        """A file with a body a line."""
        path = folder / f"bodies-{rows}"
        path.write_bytes(b"\n".join(question.body for question in self.questions(rows)))
        return path


def _measure(
    plan: Plan,
    contender: Contender,
    model: Path,
    sent: Sent,
    python_of: Callable[[str], Path],
    measured: Measured,
) -> None:
    server_core, client_core = plan.cores
    with tempfile.TemporaryDirectory(prefix="serving-", ignore_cleanup_errors=True) as name:
        place = Place(python_of(contender.environment), model, process.free_port(), Path(name))
        contender.prepare(place)
        address = Address(place.port, contender.path, contender.labels)
        questions = {rows: sent.questions(rows) for rows in sorted({case.rows for case in plan.cases})}
        first = next(iter(questions.values()))[0]
        with process.running(
            contender.command(place), contender.variables(place), Path(name), server_core
        ) as server:
            measured.starts.append(server.wait(lambda: address.is_right(first)))
            for some in questions.values():
                address.check_all(some)
            bodies = {rows: sent.write(rows, Path(name)) for rows in questions}
            _drive(plan, server, address, bodies, client_core, measured)
            measured.memory.append(server.memory())


def _drive(
    plan: Plan, server: Server, address: Address, bodies: dict[int, Path], core: int, measured: Measured
) -> None:
    # The busiest first, after a second of it that does not count: some adapt to what they meet.
    order = sorted(plan.cases, key=lambda case: (case.rows, -case.clients))
    busiest = order[0]
    client.drive(address, bodies[busiest.rows], clients=busiest.clients, seconds=1, core=core)
    for case in order:
        server.settle()
        for seconds in (plan.seconds, 5 * plan.seconds):  # the slowest may take longer for its first answer
            figures = client.drive(address, bodies[case.rows], clients=case.clients, seconds=seconds, core=core)
            if figures.per_second:
                break
        if figures.refused or figures.broken:
            raise Failed(f"{case.name}: {figures.refused} requests refused, {figures.broken} without an answer")
        if not figures.per_second:
            raise Failed(f"{case.name}: no answer within {5 * plan.seconds} s")
        measured.cases.setdefault(case.name, []).append(figures)


def summary(found: Found) -> list[dict[str, Any]]:
    """Medians over the rounds, as they go into the result file."""
    rows = []
    for (model, name), measured in found.items():
        cases = {case: _medians(figures) for case, figures in measured.cases.items()}
        rows.append(
            {
                "model": model,
                "contender": name,
                "start_seconds": _median(measured.starts, 2),
                "memory_mb": _median(measured.memory, 0),
                "cases": cases,
                "failure": measured.failure,
            }
        )
    return rows


def _medians(figures: Sequence[Figures]) -> dict[str, Any]:
    samples = [round(one.per_second, 1) for one in figures]
    return {
        "per_second": _median(samples, 1),
        "p50_ms": _median((one.p50 for one in figures), 2),
        "p99_ms": _median((one.p99 for one in figures), 2),
        "samples": samples,
    }


def _median(values: Iterable[float], digits: int) -> float | None:
    known = list(values)
    return round(statistics.median(known), digits) if known else None


def plan_as_json(plan: Plan) -> dict[str, Any]:
    """What of a plan the result file keeps."""
    return {"rounds": plan.rounds, "seconds": plan.seconds, "cases": [asdict(case) for case in plan.cases]}
