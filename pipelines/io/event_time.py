"""The event time of a record, read fast and only for the watermark: the parser decides what the event's time is."""

from __future__ import annotations

import msgspec

from transforms.parse.instants import instant_us


class _Timed(msgspec.Struct):
    timestamp: str | None = None


_DECODER = msgspec.json.Decoder(_Timed)


def read_event_time_us(raw: bytes, arrived_us: int) -> int:
    """The record's `timestamp` in microseconds UTC, but no later than `arrived_us`.

    A record that is no JSON object with a readable `timestamp` counts as made when it arrived. A clock ahead of the
    source's own does not count: one wrong device must not carry the watermark past everyone else.

    >>> read_event_time_us(b'{"timestamp": "1970-01-01T00:00:01Z"}', 5_000_000)
    1000000
    """
    try:
        text = _DECODER.decode(raw).timestamp
        return min(instant_us(text), arrived_us) if text else arrived_us
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, TypeError):
        return arrived_us
