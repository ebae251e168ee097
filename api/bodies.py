"""Reads a request's body: at most so long, within so many seconds."""

from __future__ import annotations

import asyncio

from api.answers import ApiError, Receive
from transforms.collect.bodies import MAX_BODY_BYTES, BodyError, inflate, too_large

BODY_SECONDS = 20.0
_CLOSE = ((b"connection", b"close"),)
_READ_ON_BYTES = 16 * MAX_BODY_BYTES
"""So much of a body that is too large is read and forgotten: a client that still sends hears no answer."""


class ClientGone(Exception):  # noqa: N818 - nobody is there to be told
    """The connection ended before the body did."""


async def read_body(receive: Receive, encoding: str, limit: int = MAX_BODY_BYTES) -> bytes:
    """The whole body, inflated.

    Raises:
        ApiError: 408 too slow, 413 too large, 415 or 400 not as its encoding says.
        ClientGone: there is nobody to answer.
    """
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await _whole(receive, limit)
    except TimeoutError:
        raise ApiError(408, "too_slow", f"the body did not come within {BODY_SECONDS:.0f} seconds", _CLOSE) from None
    try:
        return inflate(body, encoding, limit)
    except BodyError as error:
        raise refused(error) from None


async def _whole(receive: Receive, limit: int) -> bytes:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        return body
    parts, length = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part = message.get("body", b"")
        length += len(part)
        if length <= limit:
            parts.append(part)
        elif length > _READ_ON_BYTES:
            break
    if length > limit:
        error = too_large(limit)
        raise ApiError(error.status, error.code, str(error), _CLOSE)
    return b"".join(parts)


def refused(error: BodyError) -> ApiError:
    """The answer to a body that cannot be read."""
    return ApiError(error.status, error.code, str(error))
