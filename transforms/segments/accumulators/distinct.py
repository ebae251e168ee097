"""Reducers that tell values apart: unique_count, mode, unique."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from operator import itemgetter
from typing import Any

from transforms.segments.accumulators.accumulator import Accumulator, Active, Entry
from transforms.segments.language import ast
from transforms.segments.values import json_key

_ORDER = "\0order"
"""Where the number of values seen so far stands in the sums of a `Distinct`; no JSON value has this key."""


class Distinct(Accumulator):
    """Occurrences by value, and when each was last seen: unique_count and mode; and unique without an end.

    For unique_count values stand in the order in which they were last seen, for unique in that of the first time.
    """

    def __init__(self, reduced: ast.Reduced, *, endless: bool) -> None:
        super().__init__(reduced, endless=endless)
        self._by_last = self.reducer == "unique_count"

    def empty(self) -> Any:
        return {}

    def count_in(self, sums: Any, entry: Entry) -> None:
        for value in entry[2]:
            key = json_key(value)
            order = sums[_ORDER] = sums.get(_ORDER, 0) + 1
            cell = sums.pop(key, None) if self._by_last else sums.get(key)
            if cell is None:
                cell = [0, 0, value, 0]
            sums[key] = cell
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
        if not self._by_last:
            return super().next_to_change(active, sums)
        cells = iter(sums.values())
        next(cells, None)  # _ORDER, which is there from the first value on
        oldest = next(cells, None)
        return active[0][0] if oldest is None else int(oldest[3])

    def leaving(self, active: Active, sums: Any) -> Iterable[tuple[int, Any]] | None:
        if not self._by_last:
            return None
        times = [cell[3] for key, cell in sums.items() if key != _ORDER]
        return zip(times, range(len(times) - 1, -1, -1), strict=True)

    def fork(self, sums: Any) -> Any:
        return {key: cell if key == _ORDER else cell.copy() for key, cell in sums.items()}

    def pack(self, sums: Any) -> Any:
        return [sums.get(_ORDER, 0), [cell for key, cell in sums.items() if key != _ORDER]]

    def unpack(self, packed: Any) -> Any:
        seen, cells = packed
        ordered = sorted(cells, key=itemgetter(1)) if self._by_last else cells
        return ({_ORDER: seen} if seen else {}) | {json_key(cell[2]): cell for cell in ordered}


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
