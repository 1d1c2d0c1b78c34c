"""GitHub's REST API on a loopback address. Each request and each answer is held to the published description.

A violation by either side is kept, answered with 500, and fails the test that used the server (see `github` in
tests/generator/conftest.py). What it cannot show is what GitHub does beyond its description.
"""

from __future__ import annotations

import json
import re
import threading
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.generator.github.answers import Answer, Request, refused
from tests.generator.github.description import find
from tests.generator.github.repository import Repository

TOKEN = "ghs_averysecrettoken0123456789"


@dataclass
class GitHubServer:
    """A repository behind HTTP. `fail` decides what the next calls of an operation are answered."""

    repository: Repository = field(default_factory=Repository)
    log: list[Request] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    url: str = ""
    page_size: int = 100  # GitHub's own limit; a test makes it smaller to see pages
    _failures: dict[str, deque[Answer]] = field(default_factory=lambda: defaultdict(deque))
    _lock: Any = field(default_factory=threading.Lock)

    def fail(self, operation: str, *answers: Answer) -> None:
        """The next calls of `operation` get these answers, one each."""
        self._failures[operation].extend(answers)

    @property
    def writes(self) -> list[Request]:
        return [request for request in self.log if request.method != "GET"]

    @property
    def variables(self) -> dict[str, str]:
        """What a command needs in its environment to meet this server."""
        return {"GITHUB_API_URL": self.url, "GH_TOKEN": TOKEN}

    def answer(self, method: str, target: str, headers: Mapping[str, str], raw: bytes) -> Answer:
        """The answer to a request, after both were judged."""
        with self._lock:
            parts = urlsplit(target)
            found = find(method, parts.path)
            if found is None:
                return self._violation(f"{method} {parts.path} is no operation that is used here")
            operation, path = found
            try:
                body = json.loads(raw) if raw else None
            except ValueError:
                return self._violation(f"{operation.name}: the body is no JSON")
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
            request = Request(operation, path, query, body)
            self.log.append(request)
            problems = [*_header_problems(headers, raw), *operation.problems(path, query, body)]
            if problems:
                return self._violation(f"{operation.name}: {'; '.join(problems)}")
            if failures := self._failures[operation.name]:
                return failures.popleft()
            if headers.get("Authorization") != f"Bearer {TOKEN}":
                return refused(401, "Bad credentials")
            try:
                return self._judged(request, self.repository.answer(request))
            except Exception as error:  # noqa: BLE001 - a mistake of the stand-in fails the test, too
                return self._violation(f"the stand-in itself, {operation.name}: {error!r}")

    def _judged(self, request: Request, answer: Answer) -> Answer:
        problems = list(request.operation.answer_problems(answer.status, answer.body))
        if problems:
            return self._violation(f"the stand-in itself, {request.operation.name}: {'; '.join(problems[:5])}")
        return self._paged(request, answer)

    def _paged(self, request: Request, answer: Answer) -> Answer:
        """One page of a list, or of the one list in an object with a total, and where the next one is."""
        if "per_page" not in request.operation.parameters("query") or answer.status != 200:
            return answer
        size = min(int(request.query.get("per_page", 30)), self.page_size)
        page = int(request.query.get("page", 1))
        whole = answer.body if isinstance(answer.body, dict) else {}
        key = next((key for key, value in whole.items() if isinstance(value, list)), None)
        items = answer.body if key is None else whole[key]
        part = items[(page - 1) * size : page * size]
        headers = {}
        if page * size < len(items):
            address = re.sub(r"[?].*", "", request.address)
            query = "&".join(f"{name}={value}" for name, value in {**request.query, "page": page + 1}.items())
            headers["Link"] = (
                f'<{self.url}{address}?{query}>; rel="next", <{self.url}{address}?page=9>; rel="last"'
            )
        return Answer(200, part if key is None else {**whole, key: part}, headers)

    def _violation(self, message: str) -> Answer:
        self.violations.append(message)
        return refused(500, f"violation: {message}")


def _header_problems(headers: Mapping[str, str], raw: bytes) -> Iterator[str]:
    if headers.get("X-GitHub-Api-Version") != "2022-11-28":
        yield "no version of the API is named"
    if not (headers.get("Accept") or "").startswith("application/vnd.github"):
        yield "it does not accept application/vnd.github…+json"
    if not (headers.get("User-Agent") or "").startswith("tagship"):
        yield "it does not say who asks"
    if raw and headers.get("Content-Type") != "application/json":
        yield "its body is not declared as JSON"


@contextmanager
def serving(server: GitHubServer) -> Iterator[GitHubServer]:
    """Listens on loopback until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else each answer waits 40 ms for an acknowledgement

        def _handle(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = server.answer(
                self.command, self.path, dict(self.headers.items()) | _canonical(self.headers), raw
            )
            text = b"" if answer.body is None else answer.text()
            self.send_response(answer.status)
            for name, value in {**answer.headers, "Content-Length": str(len(text))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    server.url = f"http://127.0.0.1:{httpd.server_address[1]}"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


def _canonical(headers: Any) -> dict[str, str]:
    """Header names are the same in any case; these are the ones that are looked at."""
    names = ("X-GitHub-Api-Version", "Accept", "User-Agent", "Content-Type", "Authorization")
    return {name: headers[name] for name in names if headers.get(name)}
