"""A private package index on this machine: the `simple` API behind a user and a password."""

from __future__ import annotations

import base64
import hashlib
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

USER, PASSWORD = "robot", "pass:wörd/%41 $x'\"&?#@"
SECRET = f"{USER}:{PASSWORD}"
# No such package is on PyPI.
PACKAGE = "tagship-test-corporate-features"
MODULE = PACKAGE.replace("-", "_")
CODE = """
from sklearn.base import BaseEstimator, TransformerMixin


class Halved(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        return X / 2
"""


def wheel(folder: Path, *, name: str = MODULE, version: str = "1.0.0", code: str = CODE) -> Path:
    """A wheel of one module, made without a build tool; the same bytes each time."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},{_record_hash(text)},{len(text)}\n" for path, text in files.items())
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inner, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(zipfile.ZipInfo(inner), text)
    return path


def _record_hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).decode().rstrip("=")


@dataclass
class PrivateIndex:
    """What the server serves and was asked. `login` is `user:password`; empty where anybody may read."""

    files: Mapping[str, Path]  # by file name
    login: str = SECRET
    refusal: int = 401  # what a request without the login is answered
    port: int = 0
    files_at: str = "../../files"  # where the page says that files are
    asked: list[tuple[str, str, bool]] = field(default_factory=list)  # method, path, whether a login came along

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/private/simple"

    def answer(self, method: str, path: str, authorization: str | None) -> tuple[int, bytes]:
        self.asked.append((method, path, authorization is not None))
        wanted = "Basic " + base64.b64encode(self.login.encode()).decode()
        if self.login and authorization != wanted:
            return self.refusal, b"no"
        if path == f"/private/simple/{PACKAGE}/":
            return 200, self._page().encode()
        found = self.files.get(path.removeprefix("/private/files/"))
        return (200, found.read_bytes()) if found else (404, b"")

    def _page(self) -> str:
        links = (
            f'<a href="{self.files_at}/{name}#sha256={hashlib.sha256(path.read_bytes()).hexdigest()}">{name}</a>'
            for name, path in self.files.items()
        )
        return f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>"


@contextmanager
def private_index(folder: Path, *, login: str = SECRET, refusal: int = 401) -> Iterator[PrivateIndex]:
    """The index, serving the wheel of PACKAGE, until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    made = wheel(folder)
    index = PrivateIndex({made.name: made}, login, refusal)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self, *, body_too: bool = True) -> None:
            status, body = index.answer(self.command, self.path, self.headers.get("Authorization"))
            self.send_response(status)
            if status == 401:
                self.send_header("WWW-Authenticate", 'Basic realm="private"')
            kind = "text/html" if self.path.endswith("/") else "application/octet-stream"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if body_too:
                self.wfile.write(body)

        def do_HEAD(self) -> None:
            self.do_GET(body_too=False)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    index.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield index
    finally:
        server.shutdown()
        server.server_close()
