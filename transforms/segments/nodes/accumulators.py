"""Reducers kept up to date entry by entry, so that an event costs the same however long the history is.

A cell holds `active` (the entries inside the window that are still needed, oldest first) and `sums` (what the reducer
adds up). Entries arrive in order and expire in order. Without an end to the window nothing expires: then `active` keeps
only what can still decide the value, or the first entries as a witness.

| reducer | `active` inside a window | `active` without an end | `sums` |
| --- | --- | --- | --- |
| count | all | first 10 | [number of entries] |
| sum, avg | all | first 10 | [values, floats, whole sum, partial sums ...] |
| unique_count, mode | all | first 10 | key -> [occurrences, order of the last, value, time of the last] |
| unique | all | first 10 | key -> the same; inside a window (orders, value) |
| min, max | those that no later one beats | the best | |
| first, first_at | all | the first | |
| last, last_at | the last | the last | |
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any

from transforms.segments.language import ast
from transforms.segments.reducers import Entry
from transforms.segments.values import json_key

WITNESSES = 10
"""How many message ids a membership names at the most."""

Active = deque[Entry]
_ORDER = "\0order"
"""Where the number of values seen so far stands in the sums of a `Distinct`; no JSON value has this key."""


class Accumulator:
    """Counts entries; the other reducers differ in what they add up and what they keep."""

    def __init__(self, reduced: ast.Reduced, *, endless: bool) -> None:
        self.reduced = reduced
        self.endless = endless
        self.reducer = reduced.reducer
        self.least = reduced.min_frequency or 1

    def empty(self) -> Any:
        return [0]

    def add(self, active: Active, sums: Any, entry: Entry) -> None:
        self.count_in(sums, entry)
        if not self.endless or len(active) < WITNESSES:
            active.append(entry)

    def expire(self, active: Active, sums: Any) -> None:
        """Takes out the oldest active entry."""
        self.count_out(sums, active.popleft())

    def count_in(self, sums: Any, entry: Entry) -> None:
        sums[0] += 1

    def count_out(self, sums: Any, entry: Entry) -> None:
        sums[0] -= 1

    def value(self, active: Active, sums: Any) -> Any:
        return sums[0]

    def next_to_change(self, active: Active, sums: Any) -> int:
        """The time of the active entry (there is one) whose expiry is the next that can change the value."""
        return active[0][0]

    def fork(self, sums: Any) -> Any:
        """A copy of the sums that may go its own way."""
        return sums.copy()

    def pack(self, sums: Any) -> Any:
        """The sums as plain values."""
        return sums

    def unpack(self, packed: Any) -> Any:
        """The sums that `pack` was given."""
        return packed


class Sum(Accumulator):
    """Exact: partial sums that do not overlap (Shewchuk), so that what is added and taken out again leaves no trace."""

    def empty(self) -> Any:
        return [0, 0, 0]

    def count_in(self, sums: Any, entry: Entry) -> None:
        for value in entry[2]:
            self._add(sums, value, 1)

    def count_out(self, sums: Any, entry: Entry) -> None:
        for value in entry[2]:
            self._add(sums, -value, -1)

    def _add(self, sums: Any, value: int | float, sign: int) -> None:
        sums[0] += sign
        if type(value) is int:
            sums[2] += value
            return
        sums[1] += sign
        partials, kept = sums[3:], []
        for partial in partials:
            larger, smaller = (value, partial) if abs(value) >= abs(partial) else (partial, value)
            high = larger + smaller
            low = smaller - (high - larger)
            if low:
                kept.append(low)
            value = high
        sums[3:] = [*kept, value]

    def value(self, active: Active, sums: Any) -> Any:
        if self.reducer == "avg" and not sums[0]:
            return None
        total = math.fsum((*sums[3:], sums[2])) if sums[1] else sums[2]
        return total / sums[0] if self.reducer == "avg" else total


class Distinct(Accumulator):
    """Occurrences by value, and when each was last seen: unique_count and mode; and unique without an end."""

    def empty(self) -> Any:
        return {}

    def count_in(self, sums: Any, entry: Entry) -> None:
        for value in entry[2]:
            key = json_key(value)
            order = sums[_ORDER] = sums.get(_ORDER, 0) + 1
            cell = sums.get(key)
            if cell is None:
                cell = sums[key] = [0, 0, value, 0]
            cell[0] += 1
            cell[1] = order
            cell[3] = entry[0]

    def count_out(self, sums: Any, entry: Entry) -> None:
        for value in entry[2]:
            key = json_key(value)
            sums[key][0] -= 1
            if not sums[key][0]:
                del sums[key]

    def value(self, active: Active, sums: Any) -> Any:
        if self.reducer == "unique_count":
            return max(len(sums) - 1, 0)
        cells = [cell for key, cell in sums.items() if key != _ORDER]
        if self.reducer == "mode":
            best = max(cells, key=lambda cell: (cell[0], cell[1]), default=None)
            return best[2] if best and best[0] >= self.least else None
        return [cell[2] for cell in cells]

    def next_to_change(self, active: Active, sums: Any) -> int:
        # A shopper sees a thousand products of a dozen categories: only the last of each category changes their number.
        if self.reducer != "unique_count":
            return super().next_to_change(active, sums)
        return min((cell[3] for key, cell in sums.items() if key != _ORDER), default=active[0][0])

    def fork(self, sums: Any) -> Any:
        return {key: cell if key == _ORDER else cell.copy() for key, cell in sums.items()}

    def pack(self, sums: Any) -> Any:
        return [sums.get(_ORDER, 0), [cell for key, cell in sums.items() if key != _ORDER]]

    def unpack(self, packed: Any) -> Any:
        seen, cells = packed
        return ({_ORDER: seen} if seen else {}) | {json_key(cell[2]): cell for cell in cells}


class Unique(Distinct):
    """unique inside a window: each value with the places of its occurrences; the first one orders them."""

    def count_in(self, sums: Any, entry: Entry) -> None:
        for value in entry[2]:
            key = json_key(value)
            order = sums[_ORDER] = sums.get(_ORDER, 0) + 1
            cell = sums.get(key)
            if cell is None:
                cell = sums[key] = (deque(), value)
            cell[0].append(order)

    def count_out(self, sums: Any, entry: Entry) -> None:
        for value in entry[2]:
            key = json_key(value)
            orders = sums[key][0]
            orders.popleft()
            if not orders:
                del sums[key]

    def value(self, active: Active, sums: Any) -> Any:
        cells = [cell for key, cell in sums.items() if key != _ORDER]
        return [value for _, value in sorted(cells, key=lambda cell: cell[0][0])]

    def fork(self, sums: Any) -> Any:
        return {key: cell if key == _ORDER else (cell[0].copy(), cell[1]) for key, cell in sums.items()}

    def pack(self, sums: Any) -> Any:
        return [sums.get(_ORDER, 0), [(list(cell[0]), cell[1]) for key, cell in sums.items() if key != _ORDER]]

    def unpack(self, packed: Any) -> Any:
        seen, cells = packed
        found = {json_key(value): (deque(orders), value) for orders, value in cells}
        return ({_ORDER: seen} if seen else {}) | found


class Extreme(Accumulator):
    """min and max: an entry that a later one beats can never decide again."""

    def best(self, entry: Entry) -> Any:
        return min(entry[2]) if self.reducer == "min" else max(entry[2])

    def add(self, active: Active, sums: Any, entry: Entry) -> None:
        value = self.best(entry)
        low = self.reducer == "min"
        while active and (value < self.best(active[-1]) if low else value > self.best(active[-1])):
            active.pop()
        if not (self.endless and active):
            active.append(entry)

    def count_out(self, sums: Any, entry: Entry) -> None:
        pass

    def value(self, active: Active, sums: Any) -> Any:
        return self.best(active[0]) if active else None


class First(Accumulator):
    """first and first_at."""

    def add(self, active: Active, sums: Any, entry: Entry) -> None:
        if not (self.endless and active):
            active.append(entry)

    def count_out(self, sums: Any, entry: Entry) -> None:
        pass

    def value(self, active: Active, sums: Any) -> Any:
        if not active:
            return None
        return active[0][2][0] if self.reducer == "first" else active[0][0]


class Last(Accumulator):
    """last and last_at: older entries leave the window sooner, so only the newest counts."""

    def add(self, active: Active, sums: Any, entry: Entry) -> None:
        active.clear()
        active.append(entry)

    def count_out(self, sums: Any, entry: Entry) -> None:
        pass

    def value(self, active: Active, sums: Any) -> Any:
        if not active:
            return None
        return active[-1][2][-1] if self.reducer == "last" else active[-1][0]


_ACCUMULATORS: dict[str, type[Accumulator]] = {
    "count": Accumulator,
    "sum": Sum,
    "avg": Sum,
    "unique": Distinct,
    "unique_count": Distinct,
    "mode": Distinct,
    "min": Extreme,
    "max": Extreme,
    "first": First,
    "first_at": First,
    "last": Last,
    "last_at": Last,
}


def accumulator(reduced: ast.Reduced, *, endless: bool) -> Accumulator:
    """The accumulator of a reducer; `endless` where its window has no end."""
    kind = Unique if reduced.reducer == "unique" and not endless else _ACCUMULATORS[reduced.reducer]
    return kind(reduced, endless=endless)
