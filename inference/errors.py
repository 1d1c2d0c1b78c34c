"""What a client is told when a request cannot be answered: one exception, one JSON shape."""

from __future__ import annotations

from typing import Any


def counted(number: int | str, noun: str) -> str:
    """A number and its noun: `1 column`, `3 columns`, `several columns`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


class RequestError(Exception):
    """A request that is refused; the message is for the person who sent it.

    `column` and `row` (counted from 0) point at the value at fault, where one is.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int = 400,
        column: str | None = None,
        row: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = _short(message, 600)
        self.status = status
        self.column = column and _short(column, 200)
        self.row = row
        self.headers = headers or {}

    def body(self) -> dict[str, Any]:
        """The JSON answer of every endpoint but those of the Open Inference Protocol."""
        return {"error": {"code": self.code, "message": self.message, "column": self.column, "row": self.row}}

    def protocol_body(self) -> dict[str, Any]:
        """The same for the Open Inference Protocol, whose `error` is a string."""
        return {"error": self.message, "code": self.code, "column": self.column, "row": self.row}


def bad_form(message: str) -> RequestError:
    """The body is JSON, but no form that `/predict` knows."""
    return RequestError("invalid_form", message)


def _short(text: str, most: int) -> str:
    """An answer must not grow with the names that a client makes up."""
    return text if len(text) <= most else text[: most - 3] + "..."


class HookError(Exception):
    """The user's hooks are broken: they fail, or return what they must not. The message names the hook."""

    code = "hook_failed"
