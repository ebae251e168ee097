"""The event time of a record, read fast and only for the watermark: the parser decides what the event's time is."""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.instants import EARLIEST_US, parse_instant_us

UNKNOWN_US: Final = EARLIEST_US
"""The time of a record that tells none: before every event's, so that it moves no watermark."""
_ALLOWED_AHEAD_US: Final = 24 * 3600 * 1_000_000


class _Timed(msgspec.Struct, rename="camel"):
    timestamp: str | None = None
    received_at: str | None = None


_DECODER = msgspec.json.Decoder(_Timed)


def read_event_time_us(raw: bytes, arrived_us: int) -> int:
    """The record's `timestamp` (without one its `receivedAt`) in microseconds UTC, but no later than `arrived_us`.

    A clock ahead of the source's own does not count: one wrong device must not carry the watermark past everyone else.
    Nor does a record that will fail, for want of a time or because it claims one more than a day after it was received:
    in an archive its arrival says nothing of the events beside it. It is UNKNOWN_US.

    >>> read_event_time_us(b'{"timestamp": "1970-01-01T00:00:01Z"}', 5_000_000)
    1000000
    """
    try:
        timed = _DECODER.decode(raw)
        received_us = parse_instant_us(timed.received_at) if timed.received_at else None
        event_us = parse_instant_us(timed.timestamp) if timed.timestamp else received_us
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
        return UNKNOWN_US
    if event_us is None or (received_us is not None and event_us > received_us + _ALLOWED_AHEAD_US):
        return UNKNOWN_US
    return min(event_us, arrived_us)
