"""Requests to a model that does what it is told, from many clients at once, for some seconds."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Phase:
    """So many clients for so long, about `pause` seconds between requests, each with one of `moods`."""

    seconds: float
    clients: int
    pause: float
    moods: tuple[str, ...]


def send(ports: Sequence[int], phases: Sequence[Phase]) -> None:
    """All phases, one after another, spread over the servers. Answers are not looked at: some are to fail."""
    for phase in phases:
        until = time.monotonic() + phase.seconds
        clients = [
            threading.Thread(target=_client, args=(ports[number % len(ports)], phase, until, number))
            for number in range(phase.clients)
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join()


def _client(port: int, phase: Phase, until: float, number: int) -> None:
    chance = random.Random(number)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    while time.monotonic() < until:
        body = json.dumps({"mood": chance.choice(phase.moods)})
        path = chance.choice(("/predict", "/predict", "/invocations"))
        if path == "/invocations":
            body = f'{{"dataframe_records": [{body}]}}'
        try:
            connection.request("POST", path, body, {"Content-Type": "application/json"})
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            connection.close()
        time.sleep(phase.pause * chance.uniform(0.5, 1.5))
    connection.close()
