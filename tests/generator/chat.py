"""A chat behind a webhook, on a loopback address."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

SECRET = "T000/B000/averysecretpath"


@dataclass
class Chat:
    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    got: list[Any] = field(default_factory=list)


@contextmanager
def listening() -> Iterator[Chat]:
    """Listens on loopback until the block ends."""
    told = Chat()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(told.status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    httpd = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    told.url = f"http://127.0.0.1:{httpd.server_address[1]}/services/{SECRET}"
    yield told
    httpd.shutdown()
    httpd.server_close()
    thread.join()
