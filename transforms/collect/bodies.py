"""The body of a request -> JSON values: inflated up to a limit, and parsed once."""

from __future__ import annotations

import json
import zlib
from typing import Any, Final

import orjson

MAX_BODY_BYTES: Final = 500 * 1024
"""Of a request's body, inflated."""

_GZIP_MAGIC: Final = b"\x1f\x8b"
_WINDOWS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}


class BodyError(ValueError):
    """A body that cannot be read. `status` is the HTTP status, `code` the error's name; the text is for the client."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def too_large(limit: int = MAX_BODY_BYTES) -> BodyError:
    """The refusal of a body that is over the limit."""
    return BodyError(413, "too_large", f"the body is over {limit} bytes (inflated)")


def inflate(body: bytes, encoding: str, limit: int = MAX_BODY_BYTES) -> bytes:
    """The body as it was before its `Content-Encoding`. Gzip is known by its first bytes, too.

    Raises:
        BodyError: 413 it is over `limit` bytes; 415 an encoding that is not known; 400 broken data.
    """
    name = encoding.strip().lower()
    if name in ("", "identity") and body.startswith(_GZIP_MAGIC):
        name = "gzip"
    if name in ("", "identity"):
        if len(body) > limit:
            raise too_large(limit)
        return body
    if name not in _WINDOWS:
        raise BodyError(415, "unsupported_encoding", "Content-Encoding: expected gzip, deflate or identity")
    try:
        return _decompress(body, _WINDOWS[name], limit)
    except zlib.error:
        if name != "deflate":
            raise BodyError(400, "malformed_encoding", f"the body is not {name}") from None
    try:  # what many send as deflate has no header
        return _decompress(body, -15, limit)
    except zlib.error:
        raise BodyError(400, "malformed_encoding", "the body is not deflate") from None


def _decompress(data: bytes, window: int, limit: int) -> bytes:
    """Every member of a compressed body. Never holds more than `limit` and a little."""
    whole = b""
    while data:
        member = zlib.decompressobj(window)
        whole += member.decompress(data, limit - len(whole) + 1)
        if len(whole) > limit:
            raise too_large(limit)
        if not member.eof:
            raise zlib.error("cut short")
        data = member.unused_data
    return whole


def parse_json(body: bytes) -> Any:
    """The value of a JSON text.

    Raises:
        BodyError: 400, with the place.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        strict = error
    try:
        # Browsers write half of a surrogate pair as an escape, which is JSON by its grammar. Only orjson minds.
        return json.loads(body.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        place = f"line {strict.lineno}, column {strict.colno}"
        raise BodyError(400, "malformed_json", f"the body is not JSON: {strict.msg} ({place})") from None


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def dump_json(value: Any) -> bytes:
    """A parsed value as JSON, on one line.

    Raises:
        BodyError: 400, it is nested too deeply, or holds a number that no reader could read.
    """
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:  # half a surrogate pair, a number beyond 64 bits, 255 levels
        pass
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise BodyError(400, "malformed_json", "the body is nested too deeply, or a number is too large") from None
