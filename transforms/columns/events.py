"""Events as columns of one Arrow table, thousands at a time, and back to records where one has to be looked at.

A record costs a dozen Python objects at every stage that it passes; a row of a column costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import pyarrow as pa

from transforms.records import Record

# Large: the texts of one bucket may be more than the 2 GB that offsets of 32 bits reach.
TEXT: Final = pa.large_string()
EVENT_FIELDS: Final = (
    pa.field("message_id", TEXT),
    pa.field("timestamp", pa.int64()),
    pa.field("type", TEXT),
    pa.field("name", TEXT),
    pa.field("user_id", TEXT),
    pa.field("anonymous_id", TEXT),
    pa.field("previous_id", TEXT),
    pa.field("group_id", TEXT),
    pa.field("received_at", pa.int64()),
    pa.field("properties", TEXT),
    pa.field("traits", TEXT),
    pa.field("context", TEXT),
)
"""`schemas.event.Event`, field by field."""
OWNER: Final = pa.field("owner", TEXT)
"""Whose the event is, as a profile id without its kind."""
EVENTS: Final = pa.schema(EVENT_FIELDS)
OWNED_EVENTS: Final = pa.schema([*EVENT_FIELDS, OWNER])
LINKS: Final = pa.schema(
    [
        pa.field("device", TEXT),
        pa.field("timestamp", pa.int64()),
        pa.field("message_id", TEXT),
        pa.field("user_id", TEXT),
        pa.field("is_alias", pa.bool_()),
    ]
)
"""That a user was behind a device: (timestamp, message id, user id) of `identity.links.Link`, and who says so."""

_JSON: Final = frozenset(("properties", "traits", "context"))


def columns_of(records: Sequence[Sequence[Any]], schema: pa.Schema = EVENTS) -> pa.RecordBatch:
    """Records, in the order of the schema's fields, as one batch."""
    columns = zip(*records, strict=True) if records else ((),) * len(schema)
    return pa.RecordBatch.from_arrays(
        [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)], schema=schema
    )


def records_of(events: pa.Table | pa.RecordBatch, *more: Sequence[Any]) -> list[Record]:
    """Rows as records (the fields of `Event` come first), each with its value of what is given besides."""
    columns: list[Sequence[Any]] = []
    for field in EVENT_FIELDS:
        column = events.column(field.name)
        columns.append((column.cast(pa.large_binary()) if field.name in _JSON else column).to_pylist())
    return list(zip(*columns, *more, strict=True))


def owned_events(pairs: Iterable[tuple[str, Record]]) -> pa.RecordBatch:
    """(profile id, event) as columns, with the owner."""
    return columns_of([(*event, profile_id[5:]) for profile_id, event in pairs], OWNED_EVENTS)
