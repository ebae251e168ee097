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

_JSON_TEXT: Final = ("properties", "traits", "context", "integrations")
# Instants of a column without a zone are UTC, as those who write such columns mean it.
_OPTIONS: Final = orjson.OPT_SORT_KEYS | orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS
# What cannot be read is handed on in parts that fit into a row of any output.
_PART_BYTES: Final = 1024 * 1024


def json_message(row: Row) -> bytes:
    """The row as a JSON message: sorted keys, no nulls but those in JSON text, which is taken over as it is.

    Bytes that are not UTF-8 (read with `surrogateescape`) are put back, for the parser to refuse.
    """
    members = (_text(name) + b":" + _member(name, row[name]) for name in sorted(row) if row[name] is not None)
    return b"{" + b",".join(members) + b"}"


def _member(name: str, value: object) -> bytes:
    if name in _JSON_TEXT and isinstance(value, str | bytes):
        try:
            orjson.loads(value)
        except orjson.JSONDecodeError:
            return _text(value)  # not an object: a schema violation, once it is parsed
        return value.encode() if isinstance(value, str) else value
    return _text(_without_nulls(value))


def _text(value: object) -> bytes:
    try:
        return orjson.dumps(value, default=_json_value, option=_OPTIONS)
    except orjson.JSONEncodeError:  # text that was not UTF-8
        text = json.dumps(value, default=_plain, ensure_ascii=False, sort_keys=True)
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


def _plain(value: object) -> object:
    return orjson.loads(orjson.dumps(value, default=_json_value, option=_OPTIONS))


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
