"""Values of the rule language: JSON values, plus the few that JSON does not have."""

from __future__ import annotations

import itertools
import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


@dataclass(frozen=True)
class Moment:
    """The event time of a first_at() or last_at(), microseconds."""

    microseconds: int


@dataclass(frozen=True)
class DateLiteral:
    """A date written in a rule: an instant for date comparators, its text for all others."""

    microseconds: int
    text: str


class LiteralText(str):
    """A string written in a rule: it also equals a number or boolean with that JSON text."""

    __slots__ = ()


@dataclass(frozen=True)
class Each:
    """The non-null values of a path with `$`: comparisons hold if they hold for any, reducers count each."""

    values: tuple[Any, ...]


def singles(value: Any) -> list[Any]:
    """The single non-null values that a value stands for: none, one, or those of a `$` path."""
    if value is None:
        return []
    if isinstance(value, Each):
        return list(value.values)
    return [value]


def at_path(root: Any, path: str) -> Any:
    """What a path names inside a JSON object: a key of just that name, else key by key; null if there is nothing."""
    if not isinstance(root, dict):
        return None
    if path in root:
        return root[path]
    parts = path.split(".")
    found: list[Any] = [root]
    for part in parts:
        if part == "$":
            found = [element for value in found if isinstance(value, list) for element in value]
        else:
            found = [value[part] for value in found if isinstance(value, dict) and part in value]
    if "$" in parts:
        return Each(tuple(value for value in found if value is not None))
    return found[0] if found else None


def as_number(value: Any) -> int | float | None:
    """A number, or a string that is a JSON number, as a number; anything else, or one beyond every float, is null."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        number = json.loads(value)
        assert isinstance(number, int | float)
        return number if math.isfinite(number) else None
    return None


def as_text(value: Any) -> str:
    """A string as it is, any other JSON value as its compact JSON text."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _of_number(number: float | None) -> int | None:
    for unit in (1_000_000, 1_000, 1):
        if number is not None and 10**14 <= number * unit < min(10**17, 4_102_444_800 * 10**6):
            return round(number * unit)
    return None


def as_instant(value: Any) -> int | None:
    """Microseconds of a date: a date alone is midnight, no zone is UTC. Anything that is no date is null.

    A number counts from the epoch: seconds, milliseconds or microseconds, whichever is a date of 1973 to 2099.
    """
    if isinstance(value, Moment | DateLiteral):
        return value.microseconds
    try:
        parsed = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return _of_number(as_number(value))
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=UTC)
    return (parsed - EPOCH) // timedelta(microseconds=1)


def iso(microseconds: int) -> str:
    """An instant as the tables write it."""
    return (EPOCH + timedelta(microseconds=microseconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def as_json(value: Any) -> Any:
    """A scalar's value as a computed trait shows it."""
    if isinstance(value, Moment):
        return iso(value.microseconds)
    if isinstance(value, DateLiteral):
        return value.text
    if isinstance(value, Each):
        return list(value.values)
    return str(value) if isinstance(value, LiteralText) else value


def same(left: Any, right: Any) -> bool:
    """Equality of two non-null JSON values: 1 is 1.0, true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left == right
    if isinstance(left, str) and isinstance(right, str):
        return str(left) == str(right)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return left is None and right is None


def equal(left: Any, right: Any) -> bool:
    """What `=` says of two non-null values: equality of JSON values, and the courtesy of string literals."""
    left, right = _as_literal(left), _as_literal(right)
    for text, other in ((left, right), (right, left)):
        if isinstance(text, LiteralText) and isinstance(other, bool | int | float):
            return str(text) == json.dumps(other)
    return same(left, right)


def _as_literal(value: Any) -> Any:
    if isinstance(value, Moment):
        return iso(value.microseconds)
    return LiteralText(value.text) if isinstance(value, DateLiteral) else value


def as_written(value: Any) -> Fraction | None:
    """The decimal number that a JSON value says: of a number its JSON text, of a string the string."""
    if isinstance(value, str):
        return Fraction(value) if _NUMBER.fullmatch(value) else None
    return None if as_number(value) is None else Fraction(json.dumps(value))


def exact_sum(found: list[Any]) -> Fraction:
    """The sum of what is a number, without rounding."""
    return sum((number for number in map(as_written, found) if number is not None), Fraction(0))


def rounded(number: Fraction) -> int | float | None:
    """The whole number if 64 bits hold it, or the nearest float; null if that is infinite."""
    if number.denominator == 1 and -(2**63) <= number < 2**64:
        return int(number)
    try:
        return float(number)
    except OverflowError:
        return None


def pairs(left: Any, right: Any) -> list[tuple[Any, Any]]:
    """Every pair of single values of two sides."""
    return list(itertools.product(singles(left), singles(right)))
