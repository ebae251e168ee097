"""Dates of any usual form as instants: microseconds since the epoch, UTC.

| form | example |
| --- | --- |
| ISO 8601, also with a space, a short zone, no seconds, a fraction | `2026-06-30 14:03:00.5+0200` |
| seconds, milliseconds, microseconds since the epoch, by their size; number or text | `1782820980`, `"1782820980000"` |
| RFC 9110 and 5322 | `Tue, 30 Jun 2026 14:03:00 GMT` |
| month in words | `30 June 2026 14:03`, `Jun 30, 2026 2:03 PM` |
| points | `30.06.2026 14:03` |
| slashes or hyphens, where a number over 12 or `order` says what is the day | `06/30/2026` |
| .NET | `/Date(1782820980000)/` |

A date without a time is its first instant, one without a zone is in the zone given.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from email.utils import parsedate_to_datetime
from typing import Any, Literal

DayOrder = Literal["dmy", "mdy"]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NUMBER = re.compile(r"-?\d{9,17}(?:\.\d+)?")
_NET = re.compile(r"/Date\((-?\d+)(?:[+-]\d{4})?\)/")
_PARTED = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})(?:,?[ T]+(.+))?")
_TIMES = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p")
_WORDS = tuple(
    f"{date}{time}"
    for date in ("%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%Y", "%b %d %Y", "%B %d %Y", "%Y/%m/%d")
    for time in ("", *(f" {one}" for one in _TIMES), *(f" {one} %z" for one in _TIMES))
)
_SECONDS_BELOW = 10**11
_MILLISECONDS_BELOW = 10**14


def read_date(value: Any, zone: tzinfo = UTC, order: DayOrder | None = None) -> int:
    """The instant.

    Args:
        value: as the API gives it, a text or a number.
        zone: of a date that names none.
        order: what comes first in `06/07/2026`.

    Raises:
        ValueError: it has none of the forms, or its day and month cannot be told apart.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("no date")  # noqa: TRY004 - whatever the row holds, it is a bad value
    if not isinstance(value, str):
        return _of_number(value)
    text = " ".join(value.split())
    if _NUMBER.fullmatch(text):
        return _of_number(float(text) if "." in text else int(text))
    if net := _NET.fullmatch(text):
        return int(net[1]) * 1000
    for read in (_iso, _parted, _words, _mail):
        found = read(text, order)
        if found is not None:
            return _microseconds(found if found.tzinfo else found.replace(tzinfo=zone))
    raise ValueError("no date of a known form")


def iso_text(at_us: int) -> str:
    """An instant in ISO 8601, as short as it is exact.

    >>> iso_text(1_782_820_980_000_000), iso_text(1_782_820_980_500_000)
    ('2026-06-30T12:03:00Z', '2026-06-30T12:03:00.500000Z')
    """
    return (_EPOCH + at_us * _MICROSECOND).isoformat().replace("+00:00", "Z")


def _of_number(number: float) -> int:
    size = abs(number)
    scale = 1_000_000 if size < _SECONDS_BELOW else 1_000 if size < _MILLISECONDS_BELOW else 1
    found = number * scale
    if not -62_000_000_000_000_000 < found < 253_000_000_000_000_000:
        raise ValueError("no instant between the years 1 and 9999")
    return round(found)


def _microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND


def _iso(text: str, _order: DayOrder | None) -> datetime | None:
    plain = re.sub(r" ?UTC$", "Z", text)
    plain = re.sub(r"(?<=\d) (?=[+-]\d{2}:?\d{2}$|Z$)", "", plain)
    if not re.match(r"\d{4}-?\d{2}-?\d{2}", plain):
        return None
    try:
        return datetime.fromisoformat(plain)
    except ValueError:
        return None


def _parted(text: str, order: DayOrder | None) -> datetime | None:
    match = _PARTED.fullmatch(text)
    if match is None:
        return None
    first, second = int(match[1]), int(match[3])
    if match[2] == "." or first > 12:
        order = "dmy"
    elif second > 12:
        order = "mdy"
    if order is None:
        raise ValueError("day and month cannot be told apart; say `order: dmy` or `order: mdy`")
    day, month = (first, second) if order == "dmy" else (second, first)
    date = datetime(int(match[4]), month, day)
    return date if match[5] is None else _with_time(date, match[5])


def _with_time(date: datetime, text: str) -> datetime | None:
    zoned = re.sub(r" ?Z$", " +0000", text)
    for form in (*_TIMES, *(f"{time} %z" for time in _TIMES)):
        try:
            time = datetime.strptime(zoned, form)
        except ValueError:
            continue
        return datetime.combine(date.date(), time.timetz())
    return None


def _words(text: str, _order: DayOrder | None) -> datetime | None:
    plain = re.sub(r"(?<=\d)(st|nd|rd|th)\b", "", text)
    plain = re.sub(r"^[A-Za-z]{3,9}day,? ", "", plain)
    plain = re.sub(r" (Z|UTC|GMT)$", " +0000", plain)
    for form in _WORDS:
        try:
            return datetime.strptime(plain, form)
        except ValueError:
            continue
    return None


def _mail(text: str, _order: DayOrder | None) -> datetime | None:
    try:
        return parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
