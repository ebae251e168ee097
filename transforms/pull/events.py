"""A row as an event, and what was said of the row before taken back."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any
from urllib.parse import quote

import orjson

from transforms.pull.dates import iso_text, read_date
from transforms.pull.definition import Changed, SourceDefinition
from transforms.pull.mapping import as_text, make_object
from transforms.pull.paths import value_at

_LONGEST = 80
"""Characters of an id or a version in a messageId; a longer one is hashed."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a row, as an event that was made of it.

    Attributes:
        row_id: of the row.
        version: which one, as text.
        order: where it stands among the row's versions, where that can be told (an instant, or a number).
        timestamp: of the event; an event that takes it back has the same.
    """

    row_id: str
    version: str
    order: int | None
    timestamp: str


def version_of(definition: SourceDefinition, row: Any) -> Version:
    """Which row it is, and which version.

    A version that is an instant is told in UTC, whatever zone the API writes it in. A row without an id or a version
    has its content for one.
    """
    row_id = _id_text(value_at(row, definition.identity)) or _content(row)
    raw = next((value for steps in definition.version if (value := value_at(row, steps)) not in (None, "")), None)
    version, order = _content(row), None
    if raw is not None:
        try:
            order = raw if isinstance(raw, int) and abs(raw) < 10**9 else read_date(raw)
            version = as_text(raw) if order is raw else iso_text(order)
        except ValueError:
            version = _id_text(raw) or _content(raw)
    return Version(row_id, version, order, "")


def message_id(definition: SourceDefinition, version: Version) -> str:
    """The event's identity: the source, the row's id and its version."""
    return f"{definition.name}:{_short(quote(version.row_id, safe=''))}:{_short(version.version)}"


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


def is_news(version: Version, known: Iterable[Version]) -> bool:
    """Whether a version is neither known nor older than one that is."""
    for other in known:
        if other.version == version.version:
            return False
        if version.order is not None and other.order is not None and version.order < other.order:
            return False
    return True


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


def _id_text(value: Any) -> str:
    try:
        return as_text(value) if value is not None else ""
    except ValueError:
        return ""


def _content(value: Any) -> str:
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else hashlib.sha256(text.encode()).hexdigest()[:32]
