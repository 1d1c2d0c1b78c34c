"""Ports for servers that must be told one before they start."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held_port() -> Iterator[int]:
    """A port of 127.0.0.1 that nobody gets by chance until the block ends, whoever asks for a free one meanwhile.

    A socket that is bound and does not listen lets a server with SO_REUSEADDR listen beside it, which nearly every
    one has; who asks the system for any free port gets another, and who connects before the server is refused.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]
