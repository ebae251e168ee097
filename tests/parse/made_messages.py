"""Messages for the tests of parsing: one good one, and what they differ in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
import pyarrow as pa

from schemas.event import Event, Failure
from schemas.tracking_plan import load_tracking_plan
from transforms.columns.events import records_of
from transforms.parse import EventParser

NOON = "2027-03-01T12:00:00.000Z"
NOON_US = 1_803_902_400_000_000
HOUR_US = 3_600_000_000

PARSER = EventParser(load_tracking_plan())


def message(**changes: Any) -> dict[str, Any]:
    """A good track message, with fields changed or (by ...) left out."""
    record = {
        "messageId": "m-1",
        "type": "track",
        "userId": "ada",
        "event": "Product Viewed",
        "timestamp": NOON,
        "properties": {"product_id": "boots", "price": 129.95},
    } | changes
    return {name: value for name, value in record.items() if value is not ...}


def parse(record: object, parser: EventParser = PARSER) -> Event | Failure:
    """By the parser; and by what reads many at once, which says the same or nothing."""
    raw = orjson.dumps(record)
    reader = parser.plain_reader()
    taken = [] if reader is None or reader.read([raw], 0)[1] else [pa.Table.from_batches([reader.take().events])]
    parsed = parser.parse(raw, "test")
    assert [event for events in taken for event in records_of(events)] in ([], [parsed])
    return parsed


def accepted(record: object, parser: EventParser = PARSER) -> Event:
    result = parse(record, parser)
    assert isinstance(result, Event), result
    return result


def refused(record: object, parser: EventParser = PARSER) -> tuple[str, tuple[str, ...]]:
    result = parse(record, parser)
    assert isinstance(result, Failure), result
    assert result.raw == orjson.dumps(record)
    return result.reason, result.errors


def parsed(messages: Iterable[bytes | Failure], attributes: dict[str, Any] | None = None) -> list[Event | Failure]:
    """What a file's messages come to."""
    return [m if isinstance(m, Failure) else PARSER.parse(m, "archive", attributes) for m in messages]
