"""Reducers whose value one entry decides: min and max, first and last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transforms.segments.accumulators.accumulator import Accumulator, Active, Entry


class _Deciding(Accumulator):
    """Nothing is added up: what decides is in `active`."""

    def count_in(self, sums: Any, entry: Entry) -> None:
        pass

    def count_out(self, sums: Any, entry: Entry) -> None:
        pass


class Extreme(_Deciding):
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

    def value(self, active: Active, sums: Any) -> Any:
        return self.best(active[0]) if active else None

    def deciding(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        best = self.reduce(entries)
        return [next(entry for entry in entries if best in entry[2])] if entries else ()


class First(_Deciding):
    """first and first_at."""

    def add(self, active: Active, sums: Any, entry: Entry) -> None:
        if not (self.endless and active):
            active.append(entry)

    def is_decided(self, active: Active) -> bool:
        return self.endless and bool(active)

    def value(self, active: Active, sums: Any) -> Any:
        if not active:
            return None
        return active[0][2][0] if self.reducer == "first" else active[0][0]

    def deciding(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        return [entries[0]] if entries else ()


class Last(_Deciding):
    """last and last_at: older entries leave the window sooner, so only the newest counts."""

    def add(self, active: Active, sums: Any, entry: Entry) -> None:
        active.clear()
        active.append(entry)

    def value(self, active: Active, sums: Any) -> Any:
        if not active:
            return None
        return active[-1][2][-1] if self.reducer == "last" else active[-1][0]

    def deciding(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        return [entries[-1]] if entries else ()
