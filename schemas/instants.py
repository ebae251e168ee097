"""Instants: how they are written, read and shown, everywhere. Microseconds since the epoch, UTC, as integers.

One grammar (docs/events.md, "Instants"): an ISO 8601 date that names one day (`2026-02-20`, `20260220`, `2026-051`,
`2026-W08-5`), `T`, `t` or a blank, a time (hours, minutes, seconds, a fraction of a second; `24:00` is the end of the
day), and a zone (`Z`, `z`, `+02`, `+0200`, `+02:00`). An event's time needs all three. Where a rule, a trait or an
option may name a day, `parse_date_or_instant_us` takes a date for its midnight and a missing zone for UTC.

One range: the years 1 to 9999, what a TIMESTAMP column holds. What is computed beyond it (an exit ten years after an
event of 9995) is never: `within_calendar` makes it None.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

from ciso8601 import parse_datetime

SECOND_US: Final = 1_000_000
HOUR_US: Final = 3_600 * SECOND_US
DAY_US: Final = 24 * HOUR_US
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

EARLIEST_US: Final = -62_135_596_800_000_000
"""0001-01-01T00:00:00Z."""
LATEST_US: Final = 253_402_300_799_999_999
"""9999-12-31T23:59:59.999999Z."""

# A number since the epoch is told by its size: each range starts in March 1973 and ends in November 5138.
_SMALLEST_SECONDS: Final = 10**8
_UNITS_US: Final = ((10**11, SECOND_US), (10**14, 1_000), (10**17, 1))
_END_OF_NUMBERS_US: Final = 4_102_444_800 * SECOND_US
"""2100: what is later is a number of something else."""

_NAIVE_EPOCH: Final = datetime(1970, 1, 1)
_MICROSECOND: Final = timedelta(microseconds=1)
_SEPARATORS: Final = frozenset("Tt ")
_matches_day: Final = re.compile(
    r"(?:\d{8}|\d{7}|\d{4}-\d{3}|\d{4}W\d{3}|\d{4}-\d\d-\d\d|\d{4}-W\d\d-\d)(?:[Tt ].*)?", re.ASCII
).fullmatch
# The Gregorian calendar repeats itself after 400 years.
_CYCLE_YEARS: Final = 400
_CYCLE_US: Final = 146_097 * DAY_US


def parse_instant_us(text: str) -> int:
    """Microseconds since the epoch of a date-time with a zone; digits after the sixth are cut off.

    Hot path: 0.3 us, of which ciso8601 takes 0.06; `datetime.fromisoformat` takes 0.12, and knows neither `24:00`, nor
    `z`, nor ordinal dates, but takes any character between date and time.

    >>> parse_instant_us("1970-01-01T01:00:00.0000019+01:00")
    1

    Raises:
        ValueError: not such an instant, or outside the years 1 to 9999 (UTC).
    """
    try:
        # ciso8601 takes a month or a week for its first day; with a T in the eleventh place it is neither.
        if text[10] != "T" and not _matches_day(text):
            raise ValueError("not a date-time of one day")
        # Through timedelta, whose parts are exact: datetime.timestamp() is a float.
        since = parse_datetime(text) - EPOCH
    except (IndexError, OverflowError, TypeError) as error:  # too short for a time; 9999-12-31T24:00Z; no zone
        raise ValueError("no zone, or outside the years 1 to 9999") from error
    result: int = since.days * DAY_US + since.seconds * SECOND_US + since.microseconds
    if EARLIEST_US <= result <= LATEST_US:
        return result
    raise ValueError("outside the years 1 to 9999")


def parse_date_or_instant_us(text: str) -> int:
    """As `parse_instant_us`, but a date alone is its midnight, and what has no zone is UTC.

    >>> parse_date_or_instant_us("1970-01-02")
    86400000000

    Raises:
        ValueError: neither a day nor an instant, or outside the years 1 to 9999 (UTC).
    """
    if not _matches_day(text):
        raise ValueError("not a date or a date-time of one day")
    try:
        moment = parse_datetime(text)
    except OverflowError as error:
        raise ValueError("outside the years 1 to 9999") from error
    result: int = (moment - (EPOCH if moment.tzinfo else _NAIVE_EPOCH)) // _MICROSECOND
    if EARLIEST_US <= result <= LATEST_US:
        return result
    raise ValueError("outside the years 1 to 9999")


def epoch_instant_us(number: float) -> int | None:
    """The instant that a number since the epoch tells, its unit by its size; None: none of the years 1973 to 2099.

    For traits and properties in the place of a date. An event's own time takes no number unless its unit is told.

    >>> epoch_instant_us(1_771_581_600) == epoch_instant_us(1_771_581_600_000) == 1_771_581_600_000_000
    True
    """
    if number < _SMALLEST_SECONDS:
        return None
    for limit, unit_us in _UNITS_US:
        if number < limit:
            instant = round(number * unit_us)
            return instant if instant < _END_OF_NUMBERS_US else None
    return None


def is_date(text: str) -> bool:
    """Whether the text names a day and no time."""
    return _matches_day(text) is not None and not _SEPARATORS & set(text)


def parse_date(text: str) -> date:
    """The day that a date names, or a date-time as it is written: its zone does not matter.

    Raises:
        ValueError: the text names no day.
    """
    if not _matches_day(text):
        raise ValueError("not a date")
    day: date = parse_datetime(re.split("[Tt ]", text, maxsplit=1)[0]).date()
    return day


def within_calendar(instant_us: int | None) -> int | None:
    """The instant, or None (never) where it lies outside the years 1 to 9999: no column and no clock can say it."""
    return instant_us if instant_us is not None and EARLIEST_US <= instant_us <= LATEST_US else None


def instant_text(instant_us: int) -> str:
    """`2026-02-20T10:00:00.000000Z`: four digits of the year, six of the second.

    Beyond the years 1 to 9999, where only a computed instant can be, as ISO 8601 expands it: a sign and more digits.

    >>> instant_text(LATEST_US + 1)
    '+10000-01-01T00:00:00.000000Z'
    """
    if EARLIEST_US <= instant_us <= LATEST_US:
        return to_datetime(instant_us).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
    cycles = (instant_us - EARLIEST_US) // _CYCLE_US
    moment = to_datetime(instant_us - cycles * _CYCLE_US)
    year = moment.year + cycles * _CYCLE_YEARS
    sign = "-" if year < 0 else "+"
    return f"{sign}{abs(year):05d}{instant_text(instant_us - cycles * _CYCLE_US)[4:]}"


def to_datetime(instant_us: int) -> datetime:
    """The instant as a datetime in UTC.

    Raises:
        OverflowError: outside the years 1 to 9999.
    """
    return EPOCH + timedelta(microseconds=instant_us)


def from_datetime(moment: datetime) -> int:
    """The instant of a datetime with a zone; without one it is UTC."""
    return (moment - (EPOCH if moment.tzinfo else _NAIVE_EPOCH)) // _MICROSECOND
