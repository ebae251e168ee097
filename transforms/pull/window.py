"""From when on rows are asked for, and how far a pull has come. Pure. Instants in microseconds, UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from transforms.pull.dates import iso_text
from transforms.pull.definition import Changed

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def start_of(changed: Changed, cursor_us: int | None, since_us: int | None) -> int | None:
    """The first instant of changes to ask for; None: everything.

    Before the cursor by the overlap: rows turn up late, and with the very same instant as the last one.
    """
    if since_us is not None:
        return since_us
    return None if cursor_us is None else cursor_us - changed.overlap_us


def next_cursor(cursor_us: int | None, latest_us: int | None, server_now_us: int | None) -> int | None:
    """How far a pull has come that has read all its pages: to the latest change it saw.

    Never beyond the server's own clock when it began (a row of the future would hide those of the present), and never
    back.
    """
    found = [one for one in (latest_us, server_now_us) if one is not None]
    reached = min(found) if latest_us is not None else None
    known = [one for one in (cursor_us, reached) if one is not None]
    return max(known, default=None)


def time_text(changed: Changed, at_us: int) -> str:
    """An instant as the API wants it.

    >>> time_text(Changed((), format="seconds"), 1_782_820_980_500_000)
    '1782820980'
    """
    if changed.format == "seconds":
        return str(at_us // 1_000_000)
    if changed.format == "milliseconds":
        return str(at_us // 1_000)
    text = iso_text(at_us // 1_000_000 * 1_000_000)  # rounded down: what is asked for is at or after it
    return text.removesuffix("Z") if changed.format == "plain" else text


def instant_us(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)
