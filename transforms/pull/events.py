"""A row as an event, and what was said of the row before taken back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC
from typing import Any

import orjson

from transforms.pull.dates import iso_text, read_date
from transforms.pull.definition import Changed, SourceDefinition
from transforms.pull.mapping import make_object
from transforms.pull.paths import value_at
from transforms.pull.versions import Version, message_id


def event_of(
    definition: SourceDefinition, row: Any, version: Version, received_at_us: int, unreadable: Counter[str]
) -> dict[str, Any]:
    """The event of a row's version, in Segment's wire format."""
    made = make_object(definition.fields, row, unreadable)
    named = {"messageId": message_id(definition, version), "receivedAt": iso_text(received_at_us)}
    return {**named, **made}


def retract_of(definition: SourceDefinition, former: Version, received_at_us: int) -> dict[str, Any]:
    """The event that takes a version back: the same whenever it is made, so that saying it twice says it once."""
    taken = message_id(definition, former)
    return {
        "messageId": f"{taken}:retract",
        "receivedAt": iso_text(received_at_us),
        "type": "retract",
        "retracts": taken,
        "timestamp": former.timestamp or iso_text(received_at_us),
    }


def changed_at(changed: Changed, row: Any) -> int | None:
    """When a row changed; None where it does not say so in a way that can be read."""
    for steps in changed.fields:
        value = value_at(row, steps)
        if value in (None, ""):
            continue
        try:
            return read_date(value, UTC)
        except ValueError:
            continue
    return None


def first_error(definition: SourceDefinition, body: Any) -> str | None:
    """What a body tells of an error, in a few words; None where it tells of none. Never values: names of its fields."""
    for steps in definition.errors:
        if isinstance(body, dict) and value_at(body, steps):
            return f"the answer tells of an error at `{'.'.join(steps)}`"
    return None


def rows_of(definition: SourceDefinition, body: Any) -> list[Any] | None:
    """The rows of a page; None where it has no list of them."""
    for steps in definition.rows:
        found = value_at(body, steps)
        if isinstance(found, list):
            return found
    return None


def to_wire(event: Mapping[str, Any]) -> bytes:
    """An event as one line of JSON."""
    return orjson.dumps(event)
