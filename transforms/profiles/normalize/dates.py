"""Birthday, age and the instant of signing up. Nothing here knows what day it is today."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final

from schemas.instants import epoch_instant_us, from_datetime, parse_date, parse_date_or_instant_us
from transforms.profiles.normalize.text import as_number, as_text

OLDEST_AGE: Final = 150
FIRST_BIRTH_YEAR: Final = 1900
LAST_YEAR: Final = 2099

# 1990/05/17 and 1990.05.17 are no ISO 8601, and mean nothing else.
_OTHER_SIGNS: Final = re.compile(r"(\d{4})([/.])(\d\d)\2(\d\d)(?=[Tt ]|\Z)", re.ASCII)
_END_US: Final = from_datetime(datetime(LAST_YEAR + 1, 1, 1))


def normalise_birthday(value: Any) -> str | None:
    """`YYYY-MM-DD`. Of a date with a time, the date as it is written: a birthday has no zone."""
    text = as_text(value)
    if not text:
        return None
    try:
        birthday = parse_date(_OTHER_SIGNS.sub(r"\1-\3-\4", text))
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
    instant = _iso_instant(value)
    if instant is None and number is not None:
        instant = epoch_instant_us(number)
    return instant if instant is not None and 0 <= instant < _END_US else None


def _iso_instant(value: Any) -> int | None:
    text = as_text(value) if type(value) is str else None
    if not text:
        return None
    try:
        return parse_date_or_instant_us(text)
    except ValueError:
        return None
