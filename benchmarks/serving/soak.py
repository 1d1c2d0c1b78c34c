"""Keeps this server at twice its capacity, and looks whether memory stays flat and answers stay right.

The capacity is what wrk gets from it with 64 clients; twice as many requests a second then come whatever it
does. What it does not take it must refuse with 429 or 503 and Retry-After, and with nothing else.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import http.client
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import table
from benchmarks.serving import client, compare, environments, process
from benchmarks.serving.__main__ import PAGE, machine
from benchmarks.serving.cases import MODELS
from benchmarks.serving.client import Address
from benchmarks.serving.compare import Sent
from benchmarks.serving.contenders import CONTENDERS, OURS, Contender, Place
from benchmarks.serving.open_loop import Exchange, Load, Tally
from benchmarks.serving.process import Failed, Server
from benchmarks.serving.report import insert

RESULT = Path(__file__).parent / "soak.json"
CONNECTIONS = 1500
SAMPLE_SECONDS = 5.0
PATIENCE = 10.0  # seconds for the last answers
FLAT = 0.05  # of the memory after the warm-up
_OVERLOAD = {"200", "429", "503"}


@dataclass(frozen=True)
class Soak:
    """What is asked for."""

    model: str
    seconds: float
    connections: int
    cores: tuple[int, int]  # of the server, of the client
    capacity_seconds: int = 10


def main(arguments: list[str]) -> int:
    """The exit code: 1 when the server failed, or could not be tried."""
    asked = _parser().parse_args(arguments)
    try:
        client.need_wrk()
        soak = Soak(asked.model, asked.minutes * 60, asked.connections, process.cores())
        os.sched_setaffinity(0, {soak.cores[1]})
        result = measure(soak, compare.train(environments.python_of("mlflow")), environments.python_of, _say)
    except (Failed, RuntimeError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    table(f"{asked.minutes:g} minutes at twice the capacity", ("", ""), list(facts(result).items()))
    found = verdicts(result)
    table("Verdict", ("", ""), [(what, "yes" if met else "NO") for what, met in found.items()])
    asked.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if asked.docs:
        RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(insert(page, "soak", section(result)), encoding="utf-8")
    return 0 if all(found.values()) else 1


def measure(
    soak: Soak, models: Path, python_of: Callable[[str], Path], say: Callable[[str], None]
) -> dict[str, Any]:
    """Start, check, measure the capacity, then the soak itself; the result file's content."""
    contender = next(one for one in CONTENDERS if one.name == OURS)
    data = json.loads((models / "data.json").read_text())
    sent = Sent(data, soak.model, contender)
    with tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True) as name:
        place = Place(python_of(contender.environment), models / soak.model, process.free_port(), Path(name))
        command, variables = contender.command(place), contender.variables(place)
        with process.running(command, variables, Path(name), soak.cores[0]) as server:
            address = Address(place.port, contender.path, contender.labels)
            questions = sent.questions(1)
            server.wait(lambda: address.is_right(questions[0]))
            address.check_all(questions)
            found = client.drive(
                address, sent.write(1, Path(name)), clients=64, seconds=soak.capacity_seconds, core=soak.cores[1]
            )
            say(f"capacity: {found.per_second:,.0f} requests/s with 64 clients, p99 {found.p99:.0f} ms")
            exchanges = [_exchange(contender, place.port, question.body) for question in questions]
            load = Load(place.port, exchanges, 2 * found.per_second, soak.connections)
            samples = _run(load, server, soak.seconds, say)
            return _result(soak, found.per_second, load.whole, samples)


def _exchange(contender: Contender, port: int, body: bytes) -> Exchange:
    """The request, and the answer that has just been found right."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", contender.path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse().read()
    connection.close()
    head = (
        f"POST {contender.path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return Exchange(head.encode() + body, answer)


def _run(load: Load, server: Server, seconds: float, say: Callable[[str], None]) -> list[dict[str, Any]]:
    samples: list[dict[str, Any]] = []

    async def watch(began: float) -> None:
        while True:
            await asyncio.sleep(min(SAMPLE_SECONDS, seconds / 4))
            sample = _sample(asyncio.get_running_loop().time() - began, load.take_window(), server.memory())
            samples.append(sample)
            say("  ".join(f"{key} {value}" for key, value in sample.items()))

    async def both() -> None:
        watching = asyncio.create_task(watch(asyncio.get_running_loop().time()))
        await load.run(seconds, PATIENCE)
        watching.cancel()

    import uvloop  # asyncio's own loop cannot send twice of what this server answers

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(both())
    return samples


def _sample(seconds: float, tally: Tally, memory: float) -> dict[str, Any]:
    refused = sum(count for status, count in tally.statuses.items() if status != 200)
    return {
        "seconds": round(seconds, 1),
        "memory_mb": round(memory, 1),
        "accepted": tally.statuses[200],
        "refused": refused,
        "p99_ms": _milliseconds(tally, 99),
    }


def _result(soak: Soak, capacity: float, tally: Tally, samples: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": machine(),
        "model": soak.model,
        "seconds": soak.seconds,
        "connections": soak.connections,
        "capacity": round(capacity),
        "statuses": {str(status): count for status, count in sorted(tally.statuses.items())},
        "without_retry_after": tally.hasty,
        "wrong": tally.wrong,
        "broken": tally.broken,
        "unsent": tally.unsent,
        "p50_ms": _milliseconds(tally, 50),
        "p99_ms": _milliseconds(tally, 99),
        "samples": samples,
    }


def _milliseconds(tally: Tally, percent: float) -> float | None:
    found = tally.accepted.percentile(percent)
    return None if found is None else round(found * 1000, 1)


def memory(result: Mapping[str, Any]) -> tuple[float, float]:
    """MB after the warm-up (a tenth of the time, at most a minute), and by how much of it that varies."""
    after = min(60.0, result["seconds"] / 10)
    values = [sample["memory_mb"] for sample in result["samples"] if sample["seconds"] > after]
    middle = statistics.median(values)
    return middle, (max(values) - min(values)) / middle


def verdicts(result: Mapping[str, Any]) -> dict[str, bool]:
    """What was to be, and whether it was.

    With every connection waiting, a fair server answers each once in connections / accepted-a-second.
    """
    accepted = result["statuses"].get("200", 0)
    fair = result["connections"] * result["seconds"] / max(1, accepted) * 1000
    return {
        f"memory within {FLAT:.0%} after the warm-up": memory(result)[1] <= FLAT,
        "no error but the overload answer": set(result["statuses"]) <= _OVERLOAD and not result["broken"],
        "every refusal says when to come again": not result["without_retry_after"],
        "every accepted request got its own right answer": accepted > 0 and not result["wrong"],
        "p99 at most twice a turn of all connections": accepted > 0 and result["p99_ms"] <= 2 * fair,
    }


def facts(result: Mapping[str, Any]) -> dict[str, str]:
    """The figures, for people."""
    middle, spread = memory(result)
    statuses = ", ".join(f"{count:,} x {status}" for status, count in result["statuses"].items())
    accepted = result["statuses"].get("200", 0) / result["seconds"]
    return {
        "capacity (64 clients), requests/s": f"{result['capacity']:,}",
        "offered, requests/s": f"{2 * result['capacity']:,}",
        "accepted, requests/s": f"{accepted:,.0f}",
        "answers by status": statuses,
        f"not sent, all {result['connections']:,} connections busy": f"{result['unsent']:,}",
        "requests without an answer": f"{result['broken']:,}",
        "p50 / p99 of accepted requests": f"{result['p50_ms']} / {result['p99_ms']} ms",
        "memory after the warm-up": f"{middle:.0f} MB, varies by {spread:.1%}",
    }


def section(result: Mapping[str, Any]) -> str:
    """Markdown for the benchmarks page."""
    minutes = result["seconds"] / 60
    rows = [
        *facts(result).items(),
        *((what, "yes" if met else "**no**") for what, met in verdicts(result).items()),
    ]
    head = f"{MODELS[result['model']]}, {minutes:g} minutes on {result['date']}, {result['machine']}."
    return "\n".join(
        [head, "", "| soak | |", "| --- | ---: |", *(f"| {what} | {found} |" for what, found in rows)]
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--model", choices=list(MODELS), default="forest")
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    parser.add_argument("--out", type=Path, default=Path("soak.json"), help="the result file")
    parser.add_argument("--docs", action="store_true", help="also write the page's section that is made from it")
    return parser


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
