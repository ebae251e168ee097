"""`map:` of a source: how a row becomes an event.

Each field has a reader. A value that it cannot read stays as it is, so that the job can put the event into
`failed_events`, and is counted.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transforms.pull.paths import put_at, value_at

Read = Callable[[Any], Any]
"""From a raw value to what the event holds. Raises ValueError."""
Steps = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an event.

    Attributes:
        target: where it goes.
        sources: where it comes from in the row; the first that has a value counts. `()` is the row itself.
        read: what becomes of the value; None for as it is.
        absent: values that count as none.
        items: for a list: the fields of each item, which then is the row.
        constant: the value itself, whatever the row holds.
        with_row: `read` gets (value, row): a currency is beside its amount.
    """

    target: Steps
    sources: tuple[Steps, ...] = ()
    read: Callable[..., Any] | None = None
    absent: tuple[Any, ...] = ()
    items: tuple[Field, ...] | None = None
    constant: Any = None
    with_row: bool = False


def make_object(fields: Sequence[Field], row: Any, unreadable: Counter[str]) -> dict[str, Any]:
    """The object that the fields make of a row. Fields without a value are left out.

    Args:
        fields: of the object.
        row: a JSON value.
        unreadable: counts, by field, values that stayed as they were.
    """
    made: dict[str, Any] = {}
    for field in fields:
        value = _value(field, row, unreadable)
        if value is not None:
            put_at(made, field.target, value)
    return made


def _value(field: Field, row: Any, unreadable: Counter[str]) -> Any:
    if field.constant is not None:
        return field.constant
    found = (value_at(row, steps) for steps in field.sources)
    raw = next((value for value in found if value not in (None, "") and value not in field.absent), None)
    if raw is None:
        return None
    if field.items is not None:
        items = raw if isinstance(raw, list) else [raw]
        return [make_object(field.items, item, unreadable) for item in items]
    if field.read is None:
        return raw
    try:
        return field.read(raw, row) if field.with_row else field.read(raw)
    except ValueError:
        unreadable[".".join(field.target)] += 1
        return raw


def as_text(value: Any) -> str:
    """An id as text: 17 and 17.0 and "17" are the same.

    >>> as_text(17.0), as_text("17"), as_text(True)
    ('17', '17', 'true')

    Raises:
        ValueError: it is a list or an object.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, str | int | float):
        return str(value)
    raise ValueError("no text")


def as_number(value: Any) -> int | float:
    """A number, also one that is written as text.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("no number")  # noqa: TRY004 - whatever the row holds, it is a bad value
    number = float(value)
    if number != number or number in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN differs from itself
        raise ValueError("no number")
    return int(number) if number.is_integer() else number


def as_hash(value: Any) -> str:
    """A stable name for something that must not be told: SHA-256 of its text in lower case, 32 hexadecimal digits."""
    return hashlib.sha256(as_text(value).strip().lower().encode()).hexdigest()[:32]


def chosen(choices: Mapping[str, Any]) -> Read:
    """What a table says of a value.

    Raises (when read):
        ValueError: it is not in the table.
    """

    def choose(value: Any) -> Any:
        text = as_text(value)
        if text not in choices:
            raise ValueError("not in the table")
        return choices[text]

    return choose
