"""A block for one person, as every platform shows it to that person; and which branch of each choice people see."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from transforms.content.block import (
    And,
    Body,
    Choice,
    Compare,
    Condition,
    Contains,
    Field,
    Filled,
    Filter,
    Member,
    Not,
    Or,
    Show,
    Text,
)

_EMPTY: tuple[object, ...] = (None, "", [], {})


@dataclass(frozen=True, slots=True)
class Person:
    """What a block can ask of somebody.

    Attributes:
        profile: typed columns by name, and traits by the names that they were sent with; a typed column goes first.
        computed: computed traits.
        segments: names of the current ones.
    """

    profile: Mapping[str, Any]
    computed: Mapping[str, Any]
    segments: Collection[str]

    def value(self, field: Field) -> Any:
        """The field's value, None where it is empty."""
        values = self.profile if field.root == "profile" else self.computed
        found: Any = values.get(field.name)
        if found is None and "." in field.name:
            found = values
            for step in field.name.split("."):
                found = found.get(step) if isinstance(found, Mapping) else None
        return None if any(found is empty or found == empty for empty in _EMPTY) else found


def render(body: Body, person: Person, seen: Counter[tuple[int, int]] | None = None) -> str:
    """The block's text for a person, values escaped for HTML.

    Args:
        body: the block.
        person: whom it is for.
        seen: counts, by (place of the choice, number of the branch from 0), which branches were taken; the branch
            after the last is `else`, or nothing where there is none.
    """
    return "".join(_part(part, person, seen) for part in body)


def _part(part: Text | Show | Choice, person: Person, seen: Counter[tuple[int, int]] | None) -> str:
    match part:
        case Text():
            return part.text
        case Show():
            return show(part, person)
        case Choice():
            number, inner = next(
                ((n, inner) for n, (condition, inner) in enumerate(part.branches) if holds(condition, person)),
                (len(part.branches), part.otherwise),
            )
            if seen is not None:
                seen[part.at, number] += 1
            return render(inner, person, seen)


def holds(condition: Condition, person: Person) -> bool:
    """Whether a condition is true of a person; block.py says what conditions mean."""
    match condition:
        case And(left, right):
            return holds(left, person) and holds(right, person)
        case Or(left, right):
            return holds(left, person) or holds(right, person)
        case Not(inner):
            return not holds(inner, person)
        case Member(segment):
            return segment.name in person.segments
        case Filled(field):
            value = person.value(field)
            return value is not None and value is not False
        case Contains(field, part):
            value = person.value(field)
            return part in value if isinstance(value, str | list) else False
        case Compare():
            return _compare(condition, person.value(condition.field))


def _compare(condition: Compare, value: Any) -> bool:
    same_kind = isinstance(value, bool) == isinstance(condition.value, bool)
    match condition.operator:
        case "==":
            return same_kind and bool(value == condition.value)
        case "!=":
            return not (same_kind and value == condition.value)
    if isinstance(value, bool) or not isinstance(value, int | float) or isinstance(condition.value, str):
        return False
    match condition.operator:
        case "<":
            return value < condition.value
        case "<=":
            return value <= condition.value
        case ">":
            return value > condition.value
        case _:
            return value >= condition.value


def show(part: Show, person: Person) -> str:
    """A value after its filters, escaped."""
    value = person.value(part.value) if isinstance(part.value, Field) else part.value
    for one in part.filters:
        value = _filtered(value, one)
    return html.escape(written(value))


def written(value: Any) -> str:
    """A value as platforms write it: 3.0 as 3, true and false in small letters, lists one after the other."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, list):
        return "".join(map(written, value))
    return value.isoformat() if isinstance(value, date) else str(value)


def _filtered(value: Any, one: Filter) -> Any:
    match one.name:
        case "default":
            return one.arguments[0] if value is None or value is False else value
        case "upcase":
            return written(value).upper()
        case "downcase":
            return written(value).lower()
        case "capitalize":
            return written(value).capitalize()
        case "date":
            moment = _moment(value)
            return value if moment is None else moment.strftime(str(one.arguments[0]))
    return value


def _moment(value: Any) -> date | None:
    """A date or an instant, of a typed column or as text in ISO 8601; None of anything else."""
    if isinstance(value, date):
        return value
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
