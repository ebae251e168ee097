"""A reducer's value kept up to date entry by entry, so that an event costs the same however long the history is.

An entry is `(timestamp, message_id, values)`: `values` is what the event contributes (several for a path with `$`),
read and cast once, when the event arrives; an event that contributes nothing has no entry. Entries arrive in order of
(timestamp, message_id), and expire in that order.

A cell holds `active` (the entries inside the window that are still needed, oldest first) and `sums` (what the reducer
adds up). Without an end to the window nothing expires: then `active` keeps only what can still decide the value, or the
first entries as a witness.

| reducer | `active` inside a window | `active` without an end | `sums` |
| --- | --- | --- | --- |
| count | all | first 10 | [number of entries] |
| sum, avg | all | first 10 | [values, fractions, total, scale, beyond] |
| unique_count, mode | all | first 10 | key -> [occurrences, order of the last, value, time of the last] |
| unique | all | first 10 | key -> the same; inside a window (orders, value) |
| sessions, time_spent | all | first 10 | [entries, time of the last, pauses, time within sessions] |
| min, max | those that no later one beats | the best | |
| first, first_at | all | the first | |
| last, last_at | the last | the last | |
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from transforms.segments.language import ast

WITNESSES = 10
"""How many message ids a membership names at the most."""

Entry = tuple[int, str, tuple[Any, ...]]
Active = deque[Entry]


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

    def reduce(self, entries: Iterable[Entry]) -> Any:
        """The value of these entries, from the beginning."""
        active, sums = Active(), self.empty()
        for entry in entries:
            self.add(active, sums, entry)
        return self.value(active, sums)

    def deciding(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """The entries that made the value what it is: all, or the one that decides."""
        return entries

    def is_decided(self, active: Active) -> bool:
        """Whether no later entry can change anything."""
        return False

    def next_to_change(self, active: Active, sums: Any) -> int:
        """The time of the active entry (there is one) whose expiry is the next that can change the value."""
        return active[0][0]

    def leaving(self, active: Active, sums: Any) -> Iterable[tuple[int, Any]] | None:
        """(time of an active entry, the value once it has expired), in order; None: only letting them expire can tell.

        Not each entry changes the value.
        """
        if self.reducer != "count":
            return None
        return ((entry[0], left) for entry, left in zip(active, range(len(active) - 1, -1, -1), strict=True))

    def fork(self, sums: Any) -> Any:
        """A copy of the sums that may go its own way."""
        return sums.copy()

    def pack(self, sums: Any) -> Any:
        """The sums as plain values."""
        return sums

    def unpack(self, packed: Any) -> Any:
        """The sums that `pack` was given."""
        return packed
