"""sessions and time_spent: what the times of events say about visits.

In order of time, an event begins a session if it is the first or comes the gap or more after the one before it. Time
spent is the sum of the gaps within sessions, in seconds.
"""

from __future__ import annotations

from typing import Any

from transforms.segments.accumulators.accumulator import Accumulator, Active, Entry
from transforms.segments.language import ast

_ENTRIES, _LAST, _PAUSES, _WITHIN = range(4)
_SECOND_US = 1_000_000


class Sessions(Accumulator):
    """The sums: [entries, time of the last, gaps between sessions, microseconds of the gaps within sessions].

    Only the oldest entry ever leaves: what it takes along is the gap to the one after it.
    """

    def __init__(self, reduced: ast.Reduced, *, endless: bool) -> None:
        super().__init__(reduced, endless=endless)
        self.gap = reduced.gap

    def empty(self) -> Any:
        return [0, 0, 0, 0]

    def count_in(self, sums: Any, entry: Entry) -> None:
        if sums[_ENTRIES]:
            self._count_gap(sums, entry[0] - sums[_LAST], 1)
        sums[_ENTRIES] += 1
        sums[_LAST] = entry[0]

    def expire(self, active: Active, sums: Any) -> None:
        oldest = active.popleft()
        sums[_ENTRIES] -= 1
        if active:
            self._count_gap(sums, active[0][0] - oldest[0], -1)

    def _count_gap(self, sums: Any, gap: int, sign: int) -> None:
        if gap >= self.gap:
            sums[_PAUSES] += sign
        else:
            sums[_WITHIN] += sign * gap

    def value(self, active: Active, sums: Any) -> Any:
        if self.reducer == "sessions":
            return sums[_PAUSES] + 1 if sums[_ENTRIES] else 0
        seconds, rest = divmod(sums[_WITHIN], _SECOND_US)
        return sums[_WITHIN] / _SECOND_US if rest else seconds
