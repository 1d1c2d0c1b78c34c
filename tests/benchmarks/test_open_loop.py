"""The load generator of the soak against servers that misbehave on purpose."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks.serving import soak
from benchmarks.serving.open_loop import Exchange, Load, Tally, Times
from tests.stillness import again_after_a_standstill

RIGHT = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"
WRONG = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[1]"
LATER = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nretry-after: 1\r\n\r\n"
HASTY = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"


def loaded(answers: list[bytes], rate: float = 200, connections: int = 4) -> Tally:
    """Half a second against a server that gives these answers in turns; an empty one closes the connection."""
    turn = iter(answers * 10_000)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            answer = next(turn)
            # in pieces, as a network may bring them
            for piece in (answer[:20], answer[20:]):
                writer.write(piece)
                await asyncio.sleep(0)
            if not answer:
                break
        writer.close()

    async def both() -> Tally:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        load = Load(server.sockets[0].getsockname()[1], [Exchange(b"GET", b"[]")], rate, connections)
        await load.run(0.5, 0.2)
        server.close()
        await server.wait_closed()
        return load.whole

    return asyncio.run(both())


@again_after_a_standstill(0.1)
def test_answers_are_counted_by_what_they_are() -> None:
    tally = loaded([RIGHT, WRONG, LATER, HASTY])
    assert sum(tally.statuses.values()) + tally.unsent == 100
    assert tally.statuses[200] > 10
    assert tally.accepted.count == tally.statuses[200]
    assert tally.wrong * 2 == pytest.approx(tally.statuses[200], abs=2)
    assert tally.hasty * 2 == pytest.approx(tally.statuses[503], abs=2)
    assert not tally.broken


@again_after_a_standstill(0.1)
def test_a_closed_connection_is_counted_and_replaced() -> None:
    tally = loaded([RIGHT, b""])
    assert tally.broken > 10
    assert tally.statuses[200] > 10


@again_after_a_standstill(0.1)
def test_a_server_that_does_not_answer_gets_one_request_a_connection() -> None:
    async def both() -> Tally:
        async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(hang, "127.0.0.1", 0)
        load = Load(server.sockets[0].getsockname()[1], [Exchange(b"GET", b"")], 200, 4)
        await load.run(0.5, 0)
        server.close()
        await server.wait_closed()
        return load.whole

    tally = asyncio.run(both())
    assert tally.unsent + 4 >= 100  # fewer got out where a connection was late
    assert tally.unsent + tally.broken == 100
    assert not tally.statuses


def test_percentiles_are_kept_to_one_percent() -> None:
    times = Times()
    for number in range(1, 1001):
        times.add(number / 1000)
    assert times.percentile(50) == pytest.approx(0.5, rel=0.011)
    assert times.percentile(99) == pytest.approx(0.99, rel=0.011)
    assert Times().percentile(50) is None


def run(**changed: object) -> dict[str, object]:
    samples = [{"seconds": second, "memory_mb": 50 if second < 60 else 100} for second in range(0, 600, 5)]
    found: dict[str, object] = {
        "date": "2026-01-31",
        "machine": "2 cores",
        "model": "forest",
        "seconds": 600,
        "connections": 1500,
        "capacity": 1000,
        "statuses": {"200": 5000, "503": 7000},
        "without_retry_after": 0,
        "wrong": 0,
        "broken": 0,
        "unsent": 3,
        "p50_ms": 10,
        "p99_ms": 20,
        "samples": samples,
    }
    return found | changed


def test_a_soak_is_judged() -> None:
    assert all(soak.verdicts(run()).values())
    assert not all(soak.verdicts(run(statuses={"503": 5}, p99_ms=None)).values())


@pytest.mark.parametrize(
    ("fault", "failed"),
    [
        ({"statuses": {"200": 5, "500": 1}}, "no error but the overload answer"),
        ({"broken": 1}, "no error but the overload answer"),
        ({"without_retry_after": 1}, "every refusal says when to come again"),
        ({"wrong": 1}, "every accepted request got its own right answer"),
        ({"p99_ms": 400_000}, "p99 at most twice a turn of all connections"),
        (
            {"samples": [{"seconds": s, "memory_mb": 100 + s / 60} for s in range(0, 600, 5)]},
            "memory within 5% after the warm-up",
        ),
    ],
)
def test_a_fault_of_a_soak_is_seen(fault: dict[str, object], failed: str) -> None:
    assert [what for what, met in soak.verdicts(run(**fault)).items() if not met] == [failed]
