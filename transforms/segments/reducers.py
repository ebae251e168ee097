"""Reducers: how a stream's events become one value.

An entry is `(timestamp, message_id, values)`: `values` is what the event contributes (several for a path with `$`),
read and cast once, when the event arrives; an event that contributes nothing has no entry. Entries are in order of
(timestamp, message_id).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from transforms.segments.language import ast
from transforms.segments.values import as_number, is_many, json_key, json_text

Entry = tuple[int, str, tuple[Any, ...]]
Reduce = Callable[[Sequence[Entry]], Any]

DECIDED_BY_ONE = frozenset({"first", "last", "first_at", "last_at", "min", "max"})
"""Reducers whose value one event decides: only that one made the value what it is."""

INSTANTS = frozenset({"first_at", "last_at"})
COUNTS = frozenset({"count", "unique_count"})


def default_value(reducer: str) -> Any:
    """What a reducer makes of nothing."""
    return 0 if reducer in ("count", "sum", "unique_count") else [] if reducer == "unique" else None


def operand_reader(reduced: ast.Reduced) -> Callable[[Any], tuple[Any, ...] | None]:
    """A function from the operand's value in an event to the entry's `values`; None: it contributes nothing."""
    if reduced.operand is None:
        return lambda _: ()
    many = is_many(reduced.operand.path)
    convert = _conversion(reduced)

    def read(value: Any) -> tuple[Any, ...] | None:
        if value is None:
            return None
        if many:
            return tuple(v for v in (convert(item) for item in value) if v is not None) or None
        converted = convert(value)
        return None if converted is None else (converted,)

    return read


def _conversion(reduced: ast.Reduced) -> Callable[[Any], Any]:
    if reduced.reducer in ("sum", "avg") or reduced.cast == "number":
        return as_number
    if reduced.reducer in ("min", "max"):
        return json_text if reduced.cast == "string" else as_number
    if reduced.reducer == "mode":
        return json_text if reduced.cast != "array" else lambda value: value if isinstance(value, list) else None
    return lambda value: value


def exact_sum(values: Iterable[Any]) -> int | float:
    """The sum without rounding on the way: whole numbers stay whole, the rest is rounded once."""
    numbers = list(values)
    return math.fsum(numbers) if any(type(number) is float for number in numbers) else sum(numbers)


def compile_reducer(reduced: ast.Reduced) -> Reduce:
    """`f(entries) -> value`."""
    if reduced.reducer == "mode":
        least = reduced.min_frequency or 1
        return lambda entries: _mode(entries, least)
    return _REDUCERS[reduced.reducer]


def deciding(reducer: str, entries: Sequence[Entry]) -> Sequence[Entry]:
    """The entries that made the value what it is."""
    if reducer not in DECIDED_BY_ONE or not entries:
        return entries
    if reducer in ("first", "first_at"):
        return (entries[0],)
    if reducer in ("last", "last_at"):
        return (entries[-1],)
    best = _REDUCERS[reducer](entries)
    return (next(entry for entry in entries if best in entry[2]),)


def _flat(entries: Sequence[Entry]) -> Iterable[Any]:
    return (value for entry in entries for value in entry[2])


def _avg(entries: Sequence[Entry]) -> float | None:
    values = list(_flat(entries))
    return exact_sum(values) / len(values) if values else None


def _unique(entries: Sequence[Entry]) -> list[Any]:
    found: dict[Any, Any] = {}
    for value in _flat(entries):
        found.setdefault(json_key(value), value)
    return list(found.values())


def _mode(entries: Sequence[Entry], least: int) -> Any:
    counts: dict[Any, int] = {}
    values: dict[Any, Any] = {}
    for value in _flat(entries):
        key = json_key(value)
        # Re-inserted, so that the dictionary's order is that of the most recent occurrence.
        counts[key] = counts.pop(key, 0) + 1
        values[key] = value
    best = max(counts.values(), default=0)
    if best < least or not counts:
        return None
    return values[next(key for key in reversed(counts) if counts[key] == best)]


_REDUCERS: dict[str, Reduce] = {
    "count": len,
    "sum": lambda entries: exact_sum(_flat(entries)),
    "avg": _avg,
    "min": lambda entries: min(_flat(entries), default=None),
    "max": lambda entries: max(_flat(entries), default=None),
    "first": lambda entries: entries[0][2][0] if entries else None,
    "last": lambda entries: entries[-1][2][-1] if entries else None,
    "unique": _unique,
    "unique_count": lambda entries: len(_unique(entries)),
    "first_at": lambda entries: entries[0][0] if entries else None,
    "last_at": lambda entries: entries[-1][0] if entries else None,
}
