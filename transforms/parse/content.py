"""The content of an event, apart from what differs between retries: decides whether two copies say the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Final

import orjson

# `_metadata` counts analytics-next's retries; `writeKey` is the sender's key.
_NO_CONTENT: Final = frozenset(("receivedAt", "sentAt", "_metadata", "writeKey"))
# Beyond this, orjson writes no integers. Such numbers stay floats, which compare equal as floats.
_LARGEST_INTEGER: Final = 2.0**63


def canonical_content_hash(raw: bytes) -> bytes:
    """SHA-256 (32 bytes) over an event's content, the same for all ways to write the same JSON.

    Left out: `receivedAt`, `sentAt`, `_metadata`, `writeKey`, and fields of the envelope that are null. The order of
    keys, white space and escapes do not matter, and numbers compare by value (1 and 1.0 and 1e0 are equal). Everything
    else does: null inside properties, the spelling of a timestamp. Of repeated keys the last counts, as everywhere.

    Args:
        raw: the bytes of an accepted event.

    Raises:
        ValueError: the bytes are not a JSON object.
    """
    record = orjson.loads(raw.removeprefix(b"\xef\xbb\xbf"))
    if not isinstance(record, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - the bytes are wrong, not their type
    content = {name: value for name, value in record.items() if value is not None and name not in _NO_CONTENT}
    digest = hashlib.sha256()
    for token in _canonical_json(content):
        digest.update(token)
    return digest.digest()


def _canonical_json(value: Any) -> Iterator[bytes]:
    """Compact JSON with sorted keys and a comma after each member.

    Without recursion: fields that nobody reads may be nested as deep as they like.
    """
    pending = [value]  # bytes are JSON text already
    while pending:
        item = pending.pop()
        if isinstance(item, bytes):
            yield item
        elif isinstance(item, dict):
            pending.append(b"}")
            for key in sorted(item, reverse=True):
                pending += (b",", item[key], orjson.dumps(key) + b":")
            yield b"{"
        elif isinstance(item, list):
            pending.append(b"]")
            for child in reversed(item):
                pending += (b",", child)
            yield b"["
        elif isinstance(item, float) and item.is_integer() and -_LARGEST_INTEGER <= item < _LARGEST_INTEGER:
            yield orjson.dumps(int(item))
        else:
            yield orjson.dumps(item)
