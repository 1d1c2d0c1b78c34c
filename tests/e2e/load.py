"""Asks a server without a pause until it is ended, and prints what failed: `load.py URL BODY-FILE`.

A process of its own, so that what starts and stops beside it cannot slow it down. Half of the clients keep their
connection, half open one a request. Nothing is asked again.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from pathlib import Path

import urllib3

CLIENTS = 4
PAUSE = 0.01  # seconds: a load that leaves the machine to the cluster


class Client(threading.Thread):
    """One client; `asked` and `failed` grow until `stop` is set."""

    def __init__(self, url: str, body: bytes, *, keeps: bool, stop: threading.Event) -> None:
        super().__init__()
        self.url, self.body, self.keeps, self.stop = url, body, keeps, stop
        self.asked = 0
        self.failed: list[str] = []

    def run(self) -> None:
        pool = urllib3.PoolManager(maxsize=1)
        headers = {"Content-Type": "application/json"} | ({} if self.keeps else {"Connection": "close"})
        while not self.stop.is_set():
            began = time.time()
            try:
                answer = pool.request(
                    "POST", self.url, body=self.body, headers=headers, retries=False, timeout=urllib3.Timeout(10)
                )
                if answer.status != 200:
                    self._failed(began, f"{answer.status} {answer.data[:200]!r}")
            except urllib3.exceptions.HTTPError as error:
                self._failed(began, repr(error))
            self.asked += 1
            time.sleep(PAUSE)

    def _failed(self, began: float, why: str) -> None:
        self.failed.append(f"{'kept' if self.keeps else 'new'} connection at {began:.2f}: {why}")


def main(url: str, body: Path) -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    clients = [Client(url, body.read_bytes(), keeps=bool(n % 2), stop=stop) for n in range(CLIENTS)]
    for client in clients:
        client.start()
    while not stop.wait(1):
        pass
    for client in clients:
        client.join()
    failed = [line for client in clients for line in client.failed]
    print(json.dumps({"asked": sum(client.asked for client in clients), "failed": failed}))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
