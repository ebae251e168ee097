"""How JSON values are read, ordered and compared in rules (docs/segments.md).

Null and missing are the same: `None`. Instants are integers, microseconds since the epoch, UTC.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import orjson

from schemas.instants import epoch_instant_us, parse_date_or_instant_us

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?\Z", re.ASCII)
_DIGITS = re.compile(r"[+-]?\d{1,1000}\Z", re.ASCII)
# Beyond this, orjson writes no integers. Such numbers stay floats, which compare equal as floats.
_INTEGERS_END = 1 << 64

Getter = Callable[[Any], Any]


def is_many(path: str) -> bool:
    """Whether the path stands for several values (it has a `$`)."""
    return "$" in split_path(path)


def split_path(path: str) -> list[str]:
    r"""The names along a path. A point that belongs to a name is written `\.`."""
    if "\\" not in path:
        return path.split(".")
    return [part.replace("\\.", ".") for part in re.split(r"(?<!\\)\.", path)]


def path_getter(path: str) -> Getter:
    """A function from a JSON object (or None) to the value at `path`; with a `$` in it, to the list of values."""
    parts = split_path(path)
    if "$" in parts:
        return lambda root: _collect(root, parts)
    if len(parts) == 1:
        name = parts[0]
        return lambda root: root.get(name) if root else None
    return lambda root: _descend(root, parts)


def _descend(value: Any, parts: Sequence[str]) -> Any:
    for part in parts:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal():
            value = value[int(part)] if int(part) < len(value) else None
        else:
            return None
    return value


def _collect(root: Any, parts: Sequence[str]) -> list[Any]:
    values = [root]
    for part in parts:
        if part == "$":
            values = [item for value in values if isinstance(value, list) for item in value]
        else:
            values = [_descend(value, (part,)) for value in values]
    return [value for value in values if value is not None]


def trait_value(traits: dict[str, Any], path: str) -> Any:
    """The trait at `path`: a field of exactly that name, else the value inside the field before the first dot."""
    if path in traits:
        return traits[path]
    field, *rest = split_path(path)
    if not rest:
        return traits.get(field)
    inside = traits.get(field)
    return _collect(inside, rest) if "$" in rest else _descend(inside, rest)


def trait_fields(path: str) -> tuple[str, ...]:
    """The trait fields that `trait_value` may look at, in its order."""
    return tuple(dict.fromkeys((path, split_path(path)[0])))


def as_number(value: Any) -> int | float | None:
    """The value as a number: a number itself, or a string that is written like one."""
    kind = type(value)
    if kind is int or kind is float:
        return value  # type: ignore[no-any-return]
    if kind is str and _NUMBER.match(value):
        number = float(value) if len(value) > 15 or any(mark in value for mark in ".eE") else int(value)
        return number if math.isfinite(number) else None
    return None


def as_decimal(value: Any) -> int | float | str | None:
    """As `as_number`, whatever its size; text that is no plain whole number stays text, so that no digit is lost."""
    kind = type(value)
    if kind is int or kind is float:
        return value  # type: ignore[no-any-return]
    if kind is not str or not _NUMBER.match(value):
        return None
    return int(value) if _DIGITS.match(value) else str(value)


def json_text(value: Any) -> str:
    """The value as compact JSON; of a string, the string itself."""
    return value if type(value) is str else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def json_key(value: Any) -> str | int | float:
    """A hashable stand-in: equal exactly where the JSON values are equal (1 and 1.0 are, 1 and true are not)."""
    kind = type(value)
    if kind is str or kind is int or kind is float:
        return value  # type: ignore[no-any-return]
    return "\0" + orjson.dumps(_plain_numbers(value), option=orjson.OPT_SORT_KEYS).decode()


def _plain_numbers(value: Any) -> Any:
    if type(value) is float and value.is_integer() and abs(value) < _INTEGERS_END:
        return int(value)
    if isinstance(value, list):
        return [_plain_numbers(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain_numbers(item) for name, item in value.items()}
    return value


@lru_cache(maxsize=65536)
def _parse_instant(text: str) -> int | None:
    try:
        return parse_date_or_instant_us(text)
    except ValueError:
        number = as_number(text)
        return None if number is None else epoch_instant_us(number)


def as_instant(value: Any) -> int | None:
    """The instant that a value names where a date is meant; None: none.

    Of ISO 8601 text (a date is its midnight, no zone is UTC), or of a number since the epoch as the column
    `signed_up_at` reads it (`epoch_instant_us`).
    """
    kind = type(value)
    if kind is str:
        return _parse_instant(value)
    return epoch_instant_us(value) if kind is int or kind is float else None
