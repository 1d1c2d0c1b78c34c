"""How many bytes of request bodies the server holds at once, over all connections."""

from __future__ import annotations

from inference.errors import RequestError

_HEADERS = {"Retry-After": "1", "Connection": "close"}  # what is left of the body is not read


class ByteBudget:
    """Bytes of bodies from their arrival to their answer. Belongs to one event loop."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0

    def require(self, size: int) -> None:
        """RequestError 503 when `size` more bytes would be too many."""
        if self.held + size > self.limit:
            message = "the bodies of other requests fill the server's memory; try again later"
            raise RequestError("overloaded", message, status=503, headers=_HEADERS)

    def take(self, size: int) -> None:
        """Hold `size` more bytes, or a RequestError 503."""
        self.require(size)
        self.held += size

    def give_back(self, size: int) -> None:
        """Hold `size` bytes less."""
        self.held -= size
