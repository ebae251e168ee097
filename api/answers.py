"""What the server says: JSON with `code` and `message` when it is an error, and the same careful headers always."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

import orjson

Header = tuple[bytes, bytes]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Scope = MutableMapping[str, Any]

JSON: Header = (b"content-type", b"application/json")
CAREFUL: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
"""On every answer that says nothing else: nothing is guessed, kept, framed or run."""
_CAREFUL_NAMES = frozenset(name for name, _ in CAREFUL)

SUCCESS = b'{"success":true}'


class ApiError(Exception):
    """An answer that is an error. The text is for the client and holds nothing of what was sent.

    Args:
        status: of HTTP.
        code: a name for programs.
        message: for people.
        headers: more of them, such as Retry-After.
    """

    def __init__(self, status: int, code: str, message: str, headers: Iterable[Header] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = tuple(headers)


def error_body(code: str, message: str) -> bytes:
    """The JSON of an error. RudderStack's and older Segment clients need both fields, or they try again for ever."""
    return orjson.dumps({"success": False, "code": code, "message": message})


def retry_after(seconds: int) -> tuple[Header, ...]:
    """Whole seconds: browsers' clients read nothing else."""
    return ((b"retry-after", str(max(1, seconds)).encode()),)


def away(reason: str, seconds: int) -> ApiError:
    """The events cannot be made safe for now."""
    return ApiError(503, "unavailable", f"the events were not taken: {reason}; try again", retry_after(seconds))


async def answer(send: Send, status: int, body: bytes, headers: Iterable[Header] = (JSON,)) -> None:
    """Sends a whole answer."""
    given = list(headers)
    names = {name for name, _ in given}
    careful = CAREFUL if names.isdisjoint(_CAREFUL_NAMES) else [one for one in CAREFUL if one[0] not in names]
    if status not in (204, 304):
        given.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": [*given, *careful]})
    await send({"type": "http.response.body", "body": body})


async def answer_error(send: Send, error: ApiError, headers: Iterable[Header] = ()) -> None:
    """Sends an error."""
    await answer(send, error.status, error_body(error.code, error.message), (JSON, *error.headers, *headers))
