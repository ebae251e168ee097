"""Bodies of the tracking API's `batch`: `{"batch": [...], "sentAt": ...}` is the events in it.

What the body says once holds for each event that does not say it itself: `sentAt`, `receivedAt`, and the members of
`context` and `integrations`. Comes before the parser, and before a journal: each event is a record of its own.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from transforms.parse.rows import write_json

_MARK: Final = b'"batch"'
_SAID_ONCE: Final = ("sentAt", "receivedAt")
_MERGED: Final = ("context", "integrations")


def split_body(raw: bytes) -> list[bytes]:
    """The events of a body, written again; the bytes as they are where they are no body."""
    if b"[" not in raw or _MARK not in raw:  # one byte is looked for in 0.02 us, a word in 0.4 us
        return [raw]
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return [raw]
    if not isinstance(body, dict) or not isinstance(body.get("batch"), list) or "type" in body or "messageId" in body:
        return [raw]
    return [write_json(_merged(event, body)) for event in body["batch"]]


def _merged(event: Any, body: dict[str, Any]) -> Any:
    if not isinstance(event, dict):
        return event
    merged = dict(event)
    for field in _SAID_ONCE:
        if merged.get(field) is None and body.get(field) is not None:
            merged[field] = body[field]
    for field in _MERGED:
        said, own = body.get(field), merged.get(field)
        if isinstance(said, dict) and (own is None or isinstance(own, dict)):
            merged[field] = {**said, **(own or {})}
    return merged
