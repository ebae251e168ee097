"""The tracking API's payloads -> the events that are kept, one JSON object each.

What every event gets: `receivedAt`, and a `messageId` where it has none. An item of a batch also gets the batch's
`sentAt`, and what it lacks of the batch's `context` and `integrations`. What no event keeps: `writeKey`, which opens a
door, and `_metadata`, which differs between a client's retries.

What is no valid event is kept as well: the job says why it fails, and keeps its bytes.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from transforms.collect.bodies import BodyError, dump_json
from transforms.parse.events import MAX_RECEIVED_BYTES, RECEIVED_BYTES

TYPES: Final = ("track", "identify", "page", "screen", "group", "alias")
"""What the tracking API takes, each under its name and under its first letter."""

POWERFUL_TYPES: Final = frozenset({"delete", "retract"})
"""Events that take something away. A browser's key may not send them: everybody can read it."""

_DROPPED: Final = ("writeKey", "_metadata")
_DEFAULTS: Final = ("context", "integrations")


def single_event(record: Any, event_type: str, received_at: str) -> list[Any]:
    """The event of `/v1/TYPE`: the path says its type."""
    if not isinstance(record, dict):
        return [record]
    record["type"] = event_type
    return [_kept(record, received_at)]


def batch_events(record: Any, received_at: str) -> list[Any]:
    """The events of `/v1/batch` or `/v1/import`, in their order.

    Raises:
        BodyError: 400, it holds no list `batch`.
    """
    items = record.get("batch") if isinstance(record, dict) else None
    if not isinstance(items, list):
        raise BodyError(400, "no_batch", 'expected a JSON object with a list, {"batch": [...]}')
    sent_at = record.get("sentAt")
    defaults = {name: record[name] for name in _DEFAULTS if isinstance(record.get(name), dict) and record[name]}
    for item in items:
        if isinstance(item, dict):
            if sent_at is not None:
                item["sentAt"] = sent_at
            for name, default in defaults.items():
                own = item.get(name)
                if own is None:
                    item[name] = default
                elif isinstance(own, dict):
                    item[name] = {**default, **own}
            _kept(item, received_at)
    return items


def _kept(record: dict[str, Any], received_at: str) -> dict[str, Any]:
    for name in _DROPPED:
        record.pop(name, None)
    if record.get("messageId") in (None, ""):
        record["messageId"] = f"api-{uuid.uuid4()}"
    record["receivedAt"] = received_at
    return record


def lines(events: Iterable[Any]) -> list[bytes]:
    """Events as they are written. One that is too large says so, for the job to fail it alone."""
    return [_line(event) for event in events]


def _line(event: Any) -> bytes:
    line = dump_json(event)
    if len(line) <= MAX_RECEIVED_BYTES or not isinstance(event, dict):
        return line
    return dump_json({**event, RECEIVED_BYTES: len(line)})


def needs_update(events: Iterable[Any]) -> bool:
    """Whether one of the events takes something away."""
    return any(isinstance(event, dict) and _takes_away(event.get("type")) for event in events)


def _takes_away(event_type: Any) -> bool:
    return isinstance(event_type, str) and event_type in POWERFUL_TYPES


def instant(now: datetime) -> str:
    """An instant (UTC) as events carry it.

    >>> instant(datetime(2026, 3, 1, 12, 0, 0, 123456))
    '2026-03-01T12:00:00.123456Z'
    """
    return f"{now:%Y-%m-%dT%H:%M:%S.%f}Z"
