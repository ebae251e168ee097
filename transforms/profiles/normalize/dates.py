"""Birthday, age and the instant of signing up. Nothing here knows what day it is today."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from transforms.profiles.normalize.text import as_number, as_text

OLDEST_AGE: Final = 150
FIRST_BIRTH_YEAR: Final = 1900
LAST_YEAR: Final = 2099

_DATE: Final = re.compile(r"(\d{4})([-/.]?)(\d\d)\2(\d\d)(?:[T ].*)?", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_END: Final = datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_END_US: Final = (_END - _EPOCH) // _MICROSECOND

# A number since the epoch is told by its size: each range starts in March 1973 and ends in November 5138.
_SMALLEST_SECONDS: Final = 10**8
_UNITS_US: Final = ((10**11, 1_000_000), (10**14, 1_000), (10**17, 1))


def normalise_birthday(value: Any) -> str | None:
    """`YYYY-MM-DD`. Of a date with a time, the date as it is written: a birthday has no zone."""
    text = as_text(value)
    match = _DATE.fullmatch(text) if text else None
    if match is None:
        return None
    year, _, month, day = match.groups()
    try:
        birthday = date(int(year), int(month), int(day))
    except ValueError:
        return None
    return birthday.isoformat() if FIRST_BIRTH_YEAR <= birthday.year <= LAST_YEAR else None


def normalise_age(value: Any) -> int | None:
    """Whole years, 0 to 150."""
    age = as_number(value)
    return int(age) if age is not None and age.is_integer() and 0 <= age <= OLDEST_AGE else None


def normalise_instant(value: Any) -> int | None:
    """Microseconds since the epoch, UTC; in the years 1970 to 2099.

    Takes ISO 8601 (a date is its midnight, no zone is UTC) and seconds, milliseconds or microseconds since the epoch.
    """
    number = as_number(value)
    instant = _iso_instant(value) if number is None or abs(number) < _SMALLEST_SECONDS else _epoch_instant(number)
    return instant if instant is not None and 0 <= instant < _END_US else None


def _epoch_instant(number: float) -> int | None:
    for limit, unit_us in _UNITS_US:
        if abs(number) < limit:
            return round(number * unit_us)
    return None


def _iso_instant(value: Any) -> int | None:
    text = as_text(value) if type(value) is str else None
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND
