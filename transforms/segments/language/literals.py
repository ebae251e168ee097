"""Durations, instants and quoted text: from how they are written to what they mean (microseconds, UTC)."""

from __future__ import annotations

import re

from schemas.instants import is_date, parse_date_or_instant_us, parse_instant_us

_SECOND = 1_000_000
UNITS = {
    "second": _SECOND,
    "minute": 60 * _SECOND,
    "hour": 3_600 * _SECOND,
    "day": 86_400 * _SECOND,
    "week": 604_800 * _SECOND,
}
UNIT_NAMES = tuple(name for unit in UNITS for name in (unit, f"{unit}s"))
# Far beyond any rule's use, and far below where 64-bit microseconds end.
LONGEST_DURATION = 1_000 * 365 * UNITS["day"]

BARE_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?")
_DURATION = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s*([A-Za-z_]+)?\s*")
_NUMERIC = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"'}


def to_microseconds(number: str, unit: str) -> int:
    """The length of `number` `unit`s.

    Raises:
        ValueError: not a whole number, negative, an unknown unit, or longer than a thousand years.
    """
    scale = UNITS.get(unit.lower().removesuffix("s"))
    if scale is None:
        raise ValueError(f"unknown unit '{unit}'")
    if not number.isdigit():
        raise ValueError(f"a duration is a whole number of {unit}, not {number}")
    if len(number) > 18 or int(number) * scale > LONGEST_DURATION:
        raise ValueError("a duration is at most 1000 years")
    return int(number) * scale


def parse_duration(text: str) -> int:
    """`14 days` as microseconds.

    Raises:
        ValueError: the text is not a number and a unit, or as `to_microseconds`.
    """
    match = _DURATION.fullmatch(text)
    if match is None or match[2] is None:
        raise ValueError("a duration is a whole number and a unit")
    return to_microseconds(match[1], match[2])


def parse_instant(text: str, *, needs_zone: bool = False) -> int:
    """An ISO 8601 date or date-time as microseconds since the epoch. A date is its midnight, UTC.

    A date-time without a zone is UTC, or refused if `needs_zone`.

    Raises:
        ValueError: the text is no such instant.
    """
    written = text.strip()
    try:
        instant = parse_date_or_instant_us(written)
    except ValueError:
        raise ValueError(f"'{text}' is not a date or date-time") from None
    if needs_zone and not is_date(written):
        try:
            return parse_instant_us(written)
        except ValueError:
            raise ValueError(f"'{text}' has no time zone") from None
    return instant


def is_instant(text: str) -> bool:
    """Whether `parse_instant` can read the text."""
    try:
        parse_instant(text)
    except ValueError:
        return False
    return True


def is_numeric(text: str) -> bool:
    """Whether a string compares as a number: it is the text of a JSON number."""
    return _NUMERIC.fullmatch(text) is not None


def unquote(token: str) -> str:
    r"""The text inside quotes. `\'`, `\"`, `\\`, `\n`, `\t` and `\r` are escapes; any other backslash stays
    (`'a\.b'` is a path whose first name has a point in it).
    """
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[0]), token[1:-1], flags=re.DOTALL)


def quote(text: str) -> str:
    """The text in single quotes, as `unquote` reads it."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return "'" + escaped.replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r") + "'"


def format_duration(microseconds: int) -> str:
    """`90 minutes`, `7 days`: in the largest unit that leaves no rest (fractions of a second only where there are)."""
    for unit in ("day", "hour", "minute", "second"):
        count, rest = divmod(microseconds, UNITS[unit])
        if not rest and (count or unit == "second"):
            return f"{count} {unit}" + ("" if count == 1 else "s")
    return f"{microseconds / _SECOND:g} seconds"
