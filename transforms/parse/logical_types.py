"""What Avro's values stand for, as JSON has it: instants, dates and durations as text, decimals as numbers.

fastavro looks its readers up by name, in a registry that is open to more (its "custom logical types"). A schema is read
with names of our own, so that nobody else's reading changes. No reader raises: fastavro's own do, for a date in the
year 58205 or a `uuid` that is none, and then the whole block is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import fastavro.read

from schemas.instants import DAY_US, SECOND_US, instant_text

_OURS: Final = "tidemark-"
_WITHOUT_FRACTION: Final = ".000000Z"


def written_instant(instant_us: int) -> str:
    """ISO 8601 in UTC, with a fraction where there is one; beyond the years 1 to 9999 with a sign: no event's time."""
    text = instant_text(instant_us)
    return text.removesuffix(_WITHOUT_FRACTION) + "Z" if text.endswith(_WITHOUT_FRACTION) else text


def written_date(days: int) -> str:
    """`2026-02-20`, by days since the epoch."""
    return instant_text(days * DAY_US).partition("T")[0]


def written_time(time_us: int) -> str:
    """`10:00:00`, with a fraction where there is one, by microseconds since midnight; else seconds, as text."""
    if not 0 <= time_us < DAY_US:
        return f"{time_us / SECOND_US:g} s"
    return written_instant(time_us).partition("T")[2].removesuffix("Z")


def _decimal(value: bytes, schema: dict[str, Any]) -> float | None:
    scale = schema.get("scale", 0)
    unscaled = int.from_bytes(value, "big", signed=True)
    try:
        return unscaled / 10**scale if scale else unscaled
    except (ArithmeticError, TypeError, ValueError):  # larger than any number of JSON's
        return None


def _duration(value: bytes, _schema: Any) -> str:
    months, days, milliseconds = (int.from_bytes(value[at : at + 4], "little") for at in (0, 4, 8))
    return f"P{months}M{days}DT{milliseconds / 1000:g}S"


_Read = Callable[[Any, Any], Any]
# By "type-logicalType", as fastavro names them.
_READERS: Final[dict[str, _Read]] = {
    "int-date": lambda value, _schema: written_date(value),
    "int-time-millis": lambda value, _schema: written_time(value * 1_000),
    "long-time-micros": lambda value, _schema: written_time(value),
    "long-timestamp-millis": lambda value, _schema: written_instant(value * 1_000),
    "long-timestamp-micros": lambda value, _schema: written_instant(value),
    "long-timestamp-nanos": lambda value, _schema: written_instant(value // 1_000),
    "long-local-timestamp-millis": lambda value, _schema: written_instant(value * 1_000),
    "long-local-timestamp-micros": lambda value, _schema: written_instant(value),
    "long-local-timestamp-nanos": lambda value, _schema: written_instant(value // 1_000),
    "bytes-decimal": _decimal,
    "fixed-decimal": _decimal,
    "fixed-duration": _duration,
}


def _never_raising(read: _Read) -> _Read:
    def reader(value: Any, writer_schema: Any = None, reader_schema: Any = None) -> Any:
        return read(value, writer_schema)

    return reader


for _name, _reader in _READERS.items():
    _kind, _, _logical = _name.partition("-")
    fastavro.read.LOGICAL_READERS[f"{_kind}-{_OURS}{_logical}"] = _never_raising(_reader)


def with_our_readers(schema: Any) -> Any:
    """An Avro schema whose logical types are ours; those that we do not know are what they are stored as."""
    if isinstance(schema, list):
        return [with_our_readers(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {
        name: with_our_readers(value) if name in ("type", "items", "values") else value
        for name, value in schema.items()
    }
    if isinstance(schema.get("fields"), list):
        kept["fields"] = [with_our_readers(field) for field in schema["fields"]]
    logical = kept.pop("logicalType", None)
    if isinstance(logical, str) and f"{kept.get('type')}-{logical}" in _READERS:
        kept["logicalType"] = _OURS + logical
    return kept
