"""The event time of a record, read fast and only for the watermark: the parser decides what the event's time is."""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.instants import DAY_US, EARLIEST_US, LATEST_US, parse_instant_us
from transforms.parse.violations import EPOCH_US, Epoch

UNKNOWN_US: Final = EARLIEST_US
"""The time of a record that tells none: before every event's, so that it moves no watermark."""


class _Timed(msgspec.Struct, rename="camel"):
    timestamp: str | int | float | None = None
    received_at: str | int | float | None = None


_DECODER = msgspec.json.Decoder(_Timed)


def read_event_time_us(raw: bytes, arrived_us: int, epoch: Epoch | None = None) -> int:
    """The record's `timestamp` (without one its `receivedAt`) in microseconds UTC, but no later than `arrived_us`.

    A clock ahead of the source's own does not count: one wrong device must not carry the watermark past everyone else.
    Nor does a record that will fail, for want of a time or because it claims one more than a day after it was received:
    in an archive its arrival says nothing of the events beside it. It is UNKNOWN_US.

    >>> read_event_time_us(b'{"timestamp": "1970-01-01T00:00:01Z"}', 5_000_000)
    1000000
    """
    try:
        timed = _DECODER.decode(raw)
    except Exception:  # noqa: BLE001 - whatever the decoder makes of it (deep nesting, no UTF-8): the record is to blame
        return UNKNOWN_US
    try:
        received_us = _instant_us(timed.received_at, epoch)
        event_us = received_us if timed.timestamp is None else _instant_us(timed.timestamp, epoch)
    except ValueError:
        return UNKNOWN_US
    if event_us is None or (received_us is not None and event_us > received_us + DAY_US):
        return UNKNOWN_US
    return min(event_us, arrived_us)


def _instant_us(value: str | float | None, epoch: Epoch | None) -> int | None:
    if value is None or isinstance(value, str):
        return parse_instant_us(value) if value is not None else None
    if epoch is None or not EARLIEST_US <= value * EPOCH_US[epoch] <= LATEST_US:
        raise ValueError("a bare number")
    return round(value * EPOCH_US[epoch])
