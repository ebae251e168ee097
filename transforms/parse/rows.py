"""Rows of Avro and Parquet files as the JSON messages that they stand for.

The fields have their wire names. `properties`, `traits`, `context` and `integrations` are JSON text or a structure
(record, map, struct). A null in a column or structure says that the row has no such field, since every row has every
column; who needs a null inside them ("unset this trait") sends JSON text.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final, NamedTuple

import orjson

from schemas.event import Failure

Row = dict[str, Any]
Attributes = dict[str, Any]

WIRE_FIELDS: Final = frozenset(
    "messageId type userId anonymousId previousId groupId event name category retracts timestamp originalTimestamp "
    "sentAt receivedAt properties traits context".split()
)
"""What is read of an event. A column of another name that cannot be read matters to nobody."""
_JSON_TEXT: Final = ("properties", "traits", "context", "integrations")
# Instants of a column without a zone are UTC, as those who write such columns mean it.
_OPTIONS: Final = orjson.OPT_SORT_KEYS | orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS
# What cannot be read is handed on in parts that fit into a row of any output.
_PART_BYTES: Final = 1024 * 1024


def json_message(row: Row) -> bytes:
    """The row as a JSON message: sorted keys, no nulls but those in JSON text, which is taken over as it is.

    Bytes that are not UTF-8 (read with `surrogateescape`) are put back, for the parser to refuse.
    """
    members = (write_json(name) + b":" + _member(name, row[name]) for name in sorted(row) if row[name] is not None)
    return b"{" + b",".join(members) + b"}"


def _member(name: str, value: object) -> bytes:
    if name in _JSON_TEXT and isinstance(value, str | bytes):
        try:
            orjson.loads(value)
        except orjson.JSONDecodeError:
            return write_json(value)  # not an object: a schema violation, once it is parsed
        return value.encode() if isinstance(value, str) else value
    try:
        return write_json(_without_nulls(value))
    except RecursionError:
        return _write_deep(value)


def write_json(value: object) -> bytes:
    """The value as compact JSON, however deep it is; text that was not UTF-8 as the bytes that it was."""
    try:
        return orjson.dumps(value, default=_json_value, option=_OPTIONS)
    except orjson.JSONEncodeError:
        return _write_deep(value)


def _write_deep(value: Any) -> bytes:
    """As `write_json`, without recursion and without null members: what is so deep is refused by the parser anyway."""
    text: list[bytes] = []
    pending = [value]  # bytes are JSON text already
    while pending:
        item = pending.pop()
        if isinstance(item, _Written):
            text.append(item)
        elif isinstance(item, dict):
            members = [(key, child) for key, child in sorted(item.items(), key=_by_text) if child is not None]
            pending.append(_Written(b"}"))
            for index, (key, child) in reversed(list(enumerate(members))):
                pending += (child, _Written((b"," if index else b"") + _write_text(str(key)) + b":"))
            text.append(b"{")
        elif isinstance(item, list | tuple):
            pending.append(_Written(b"]"))
            for index, child in reversed(list(enumerate(item))):
                pending += (child, _Written(b"," if index else b""))
            text.append(b"[")
        else:
            text.append(_write_text(item))
    return b"".join(text)


class _Written(bytes):
    """JSON text, unlike bytes of the data."""


def _by_text(member: tuple[object, object]) -> str:
    return str(member[0])


def _write_text(value: object) -> bytes:
    try:
        return orjson.dumps(value, default=_json_value, option=_OPTIONS)
    except orjson.JSONEncodeError:  # text that was not UTF-8, or a whole number of more than 64 bits
        text = json.dumps(value, default=_json_value, ensure_ascii=False)
        return text.encode("utf-8", "surrogateescape")


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(child) for key, child in value.items() if child is not None}
    if isinstance(value, list):
        return [_without_nulls(child) for child in value]
    return value


def _json_value(value: object) -> object:
    """What JSON has no word for: decimals become numbers, bytes become text (base64 where they are none)."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return base64.b64encode(value).decode()
    return str(value)


class Damage(NamedTuple):
    """Bytes that cannot be read, where in the file they start, and the kind of error: its text may quote data."""

    kind: str
    offset: int
    raw: bytes


def unreadable(reason: str, damage: Damage, source: str, attributes: dict[str, Any] | None) -> Iterator[Failure]:
    """A stretch of a file that cannot be read, in parts of at most 1 MiB."""
    for start in range(0, max(len(damage.raw), 1), _PART_BYTES):
        part = damage.raw[start : start + _PART_BYTES]
        first = damage.offset + start
        error = f": bytes {first} to {first + len(part)} of the file cannot be read ({damage.kind})"
        yield Failure(reason, (error,), "parse", None, part, attributes or {}, source, None)
