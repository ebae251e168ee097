"""Which row it is, and which version of it: what a messageId is made of."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson

from transforms.pull.dates import iso_text, read_date
from transforms.pull.definition import SourceDefinition
from transforms.pull.mapping import as_text
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


def _id_text(value: Any) -> str:
    try:
        return as_text(value) if value is not None else ""
    except ValueError:
        return ""


def _content(value: Any) -> str:
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else hashlib.sha256(text.encode()).hexdigest()[:32]
