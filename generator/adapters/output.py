"""What a program prints, made fit to show and to keep: whole lines, no secrets, bounded."""

from __future__ import annotations

import base64
import codecs
import json
import re
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO
from urllib.parse import quote, quote_plus

MASK = "***"
SHORTEST_SECRET = 4  # characters; masking less would make the log unreadable
LONGEST_LINE = 64 * 1024  # characters; what is longer is shown in pieces
REDRAW = 1.0  # seconds between two states of a progress bar that are kept
TAIL_LINES = 200
_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])|[\x00-\x08\x0b-\x1f\x7f]"
)


class Masking:
    """Replaces secrets, as they are and as programs print them: quoted, in a URL, in base64, line by line."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in _forms(secret)}
        self._forms = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, self._forms))) if forms else None

    def __call__(self, text: str) -> str:
        return self._pattern.sub(MASK, text) if self._pattern else text

    def begun(self, text: str) -> int:
        """How many characters at the end of `text` may be the beginning of a secret."""
        longest = max((len(form) for form in self._forms), default=0)
        for length in range(min(longest - 1, len(text)), 0, -1):
            end = text[-length:]
            if any(form.startswith(end) for form in self._forms):
                return length
        return 0


def _forms(secret: str) -> Iterator[str]:
    whole = secret.strip()
    for part in {whole, *whole.splitlines()}:
        part = part.strip()
        if len(part) < SHORTEST_SECRET:
            continue
        yield part
        yield json.dumps(part)[1:-1]
        yield from (quote(part, safe=""), quote_plus(part))
        if len(part) >= 2 * SHORTEST_SECRET:
            yield from _base64_forms(part.encode())


def _base64_forms(secret: bytes) -> Iterator[str]:
    """What of the secret is the same in base64 whatever stands before and after it, such as a user name."""
    for before in range(3):
        start = (0, 2, 3)[before]
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(b"\0" * before + secret).decode().rstrip("=")
            usable = len(text) - (0 if (before + len(secret)) % 3 == 0 else 1)
            yield text[start:usable]


class Lines:
    """Splits a stream of bytes into lines, and bounds them.

    A carriage return redraws the line (a progress bar): only the last state counts, and one a second.
    """

    def __init__(self, masking: Masking) -> None:
        self._masking = masking
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text = ""
        self._redrawn = float("-inf")

    @property
    def waiting(self) -> bool:
        """Whether a piece of a line has come whose end has not."""
        return bool(self._text)

    def feed(self, data: bytes, now: float) -> Iterator[str]:
        """The lines that `data` completes; `now` is in seconds."""
        self._text += self._decoder.decode(data)
        *whole, self._text = re.split(r"(?<=\n)", self._text)
        for line in whole:
            yield self._shown(line.rstrip("\r\n").rpartition("\r")[2])
        yield from self._redraw(now)
        while len(self._text) > LONGEST_LINE:
            yield from self._cut(LONGEST_LINE)

    def flush(self, *, ended: bool = False) -> Iterator[str]:
        """The piece of a line that waits; what may be the beginning of a secret is held back until it `ended`."""
        if ended:
            self._text += self._decoder.decode(b"", final=True)
            if self._text:
                yield self._shown(self._text.rstrip("\r").rpartition("\r")[2])
            self._text = ""
        else:
            yield from self._cut(len(self._text))

    def _redraw(self, now: float) -> Iterator[str]:
        # A carriage return at the very end may be the first half of a line's end.
        states, return_, rest = self._text[:-1].rpartition("\r")
        if return_:
            if now - self._redrawn >= REDRAW:
                self._redrawn = now
                yield self._shown(states.rpartition("\r")[2])
            self._text = rest + self._text[-1:]

    def _cut(self, length: int) -> Iterator[str]:
        piece = self._text[:length]
        held = self._masking.begun(piece)
        if held < len(piece):
            self._text = self._text[len(piece) - held :]
            yield self._shown(piece[: len(piece) - held])

    def _shown(self, text: str) -> str:
        return _ESCAPES.sub("", self._masking(text))


class BoundedLog:
    """A log file that keeps its beginning and its end, and says what it left out between them.

    While it is open the end stands in a second file beside it, so that little is lost if we are killed.
    """

    def __init__(self, path: Path, *, first: int = 2**20, last: int = 4 * 2**20) -> None:
        self._path, self._first, self._last = path, first, last
        self._end = path.with_name(f"{path.name}.end")
        self._written = self._dropped = 0
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._end.unlink(missing_ok=True)
        self._head = path.open("wb", buffering=0)
        self._rest: BinaryIO | None = None  # self._end, once it is needed; opening it for each line is slow

    def write(self, line: str) -> None:
        self.tail.append(line[:2000])
        data = f"{line}\n".encode(errors="replace")
        if not self._pieces and self._written + len(data) <= self._first:
            self._head.write(data)
            self._written += len(data)
            return
        self._pieces.append(data)
        self._size += len(data)
        if self._rest is None:
            self._rest = self._end.open("ab", buffering=0)
        self._rest.write(data)
        if self._size > 2 * self._last:
            self._shorten()

    def _shorten(self) -> None:
        while self._size > self._last and len(self._pieces) > 1:
            gone = len(self._pieces.popleft())
            self._size -= gone
            self._dropped += gone
        if self._rest is not None:
            self._rest.truncate(0)
            self._rest.write(b"".join(self._pieces))

    def __enter__(self) -> BoundedLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._size > self._last:
            self._shorten()
        if self._dropped:
            self._head.write(f"\n… {self._dropped:,} bytes of output are left out here …\n\n".encode())
        for piece in self._pieces:
            self._head.write(piece)
        self._head.close()
        if self._rest is not None:
            self._rest.close()
        self._end.unlink(missing_ok=True)


class Silent:
    """A reporter that nobody follows; see ports.Reporter."""

    def say(self, line: str) -> None: ...

    def output(self, line: str) -> None: ...
