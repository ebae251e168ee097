"""Streams whose `where` depends on nothing but the event itself: kept up to date entry by entry.

| cell of | holds |
| --- | --- |
| StreamNode | [pending entries, active entries, sums]: pending until their age reaches the window's start |
| ThresholdNode | [pending entries, active entries, number of entries] |

The timer of each stands at the next instant at which an entry begins or ceases to count, as far as that can change the
value.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from transforms.segments.accumulators.accumulator import WITNESSES, Entry
from transforms.segments.comparisons import NEVER
from transforms.segments.language import ast
from transforms.segments.nodes.node import NOTHING_AHEAD, Ahead, Node, Witness, as_witness
from transforms.segments.nodes.packing import unpack_entries
from transforms.segments.nodes.state import EventView, State
from transforms.segments.reducers import accumulator, compile_reducer, default_value


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events a stream takes, what of each, and at which ages (microseconds, [start, end)) they count."""

    keep: Callable[[EventView], bool] | None
    read: Callable[[EventView], tuple[Any, ...] | None] | None
    start: int
    end: int

    def entry(self, view: EventView) -> Entry | None:
        if self.keep is not None and not self.keep(view):
            return None
        values = () if self.read is None else self.read(view)
        return None if values is None else (view.timestamp, view.message_id, values)


class StreamNode(Node):
    """A reduced stream.

    One that no rule reads (a computed trait's) is not kept up to date: its entries are kept as they come and reduced
    when the trait is read. That costs a tenth.
    """

    def __init__(self, reduced: ast.Reduced, selection: Selection) -> None:
        super().__init__()
        self.reduced = reduced
        self.selection = selection
        self.accumulator = accumulator(reduced, endless=selection.end == NEVER)
        self.reduce = compile_reducer(reduced)
        self.default = default_value(reduced.reducer)

    def is_read_late(self) -> bool:
        """Whether events cease to count, and nobody is told when."""
        return not self.dependents and self.selection.end != NEVER

    def _cell(self, state: State) -> list[Any]:
        cell: list[Any] | None = state.cells.get(self.id)
        if cell is None:
            cell = state.cells[self.id] = [deque(), deque(), self.accumulator.empty()]
        return cell

    def absorb(self, state: State, view: EventView, role: int) -> bool:
        if self.selection.end == NEVER and self._is_decided(state):
            return False
        entry = self.selection.entry(view)
        if entry is None or self.selection.start >= self.selection.end:
            return False
        cell = self._cell(state)
        cell[0].append(entry)
        if self.dependents:
            return self.update(state, entry[0])
        if self.selection.end == NEVER:
            self._advance(cell, entry[0])
        else:
            self._drop_expired(cell[0], entry[0])
        return False

    def _is_decided(self, state: State) -> bool:
        cell = state.cells.get(self.id)
        return cell is not None and not cell[0] and self.accumulator.is_decided(cell[1])

    def _drop_expired(self, entries: deque[Entry], now: int) -> None:
        while entries and entries[0][0] + self.selection.end <= now:
            entries.popleft()

    def _advance(self, cell: list[Any], now: int) -> None:
        pending, active, sums = cell
        start, end = self.selection.start, self.selection.end
        while pending and pending[0][0] + start <= now:
            self.accumulator.add(active, sums, pending.popleft())
        if end != NEVER:
            while active and active[0][0] + end <= now:
                self.accumulator.expire(active, sums)

    def update(self, state: State, now: int) -> bool:
        cell = self._cell(state)
        self._advance(cell, now)
        pending, active, sums = cell
        due = pending[0][0] + self.selection.start if pending else None
        if active and self.selection.end != NEVER:
            expiry = self.accumulator.next_to_change(active, sums) + self.selection.end
            due = expiry if due is None or expiry < due else due
        state.wake(self.id, due)
        return self.set(state, self.accumulator.value(active, sums))

    def read(self, state: State, now: int, *, again: bool = False) -> Any:
        cell = state.cells.get(self.id)
        if cell is None:
            return self.default
        if again or cell[1] or self.dependents or self.selection.end == NEVER:
            self._advance(cell, now)
            return self.accumulator.value(cell[1], cell[2])
        start, end = self.selection.start, self.selection.end
        return self.reduce([entry for entry in cell[0] if entry[0] + start <= now < entry[0] + end])

    def witness(self, state: State, now: int) -> Witness:
        cell = state.cells.get(self.id)
        if cell is None:
            return set()
        self._advance(cell, now)
        return as_witness(self.accumulator.deciding(cell[1]))

    def ahead(self, state: State, now: int) -> Ahead | None:
        if self.id not in state.due:
            return NOTHING_AHEAD if self.dependents else None
        pending, active, sums = state.cells[self.id]
        left = None if pending else self.accumulator.leaving(active, sums)
        end = self.selection.end
        return None if left is None else ((at + end, value) for at, value in left)

    def fork(self, cell: Any) -> Any:
        # A tenth of what pickling takes: entries are shared, they are never changed.
        return [cell[0].copy(), cell[1].copy(), self.accumulator.fork(cell[2])]

    def pack(self, cell: Any) -> Any:
        return [list(cell[0]), list(cell[1]), self.accumulator.pack(cell[2])]

    def unpack(self, packed: Any) -> Any:
        pending, active, sums = packed
        return [deque(unpack_entries(pending)), deque(unpack_entries(active)), self.accumulator.unpack(sums)]


class ThresholdNode(Node):
    """`count() >= least`, the commonest rule: while it holds, an event costs one append and no timer moves.

    Counting with a StreamNode and comparing costs three times as much per event and a timer per entry.
    """

    default = False

    def __init__(self, selection: Selection, least: int) -> None:
        super().__init__()
        self.selection = selection
        self.least = least

    def absorb(self, state: State, view: EventView, role: int) -> bool:
        entry = self.selection.entry(view)
        if entry is None or self.selection.start >= self.selection.end:
            return False
        cell = state.cells.get(self.id)
        if cell is None:
            cell = state.cells[self.id] = [deque(), deque(), 0]
        if self.selection.end == NEVER and not self.selection.start:
            cell[2] += 1
            if len(cell[1]) < WITNESSES:
                cell[1].append(entry)
            return cell[2] >= self.least and self.set(state, True)
        if self.selection.start:
            cell[0].append(entry)
        else:
            cell[1].append(entry)
            if self.value(state):
                return False
        return self.update(state, entry[0])

    def update(self, state: State, now: int) -> bool:
        cell = state.cells.get(self.id)
        if cell is None:
            return False
        pending, active, _ = cell
        start, end = self.selection.start, self.selection.end
        while pending and pending[0][0] + start <= now:
            active.append(pending.popleft())
            cell[2] += 1
        if end == NEVER:
            while len(active) > max(WITNESSES, 1):
                active.pop()
            state.wake(self.id, pending[0][0] + start if pending else None)
            return self.set(state, cell[2] >= self.least)
        while active and active[0][0] + end <= now:
            active.popleft()
        due = [pending[0][0] + start] if pending else []
        holds = len(active) >= self.least
        if holds:
            # It ceases to hold when only `least - 1` are left, unless more come.
            due.append(active[len(active) - self.least][0] + end)
        state.wake(self.id, min(due, default=None))
        return self.set(state, holds)

    def witness(self, state: State, now: int) -> Witness:
        cell = state.cells.get(self.id)
        if not cell or not self.value(state):
            return set()
        end = self.selection.end
        present = (entry for entry in cell[1] if end == NEVER or entry[0] + end > now)
        return as_witness(list(islice(present, WITNESSES)))

    def ahead(self, state: State, now: int) -> Ahead | None:
        if self.id not in state.due:
            return NOTHING_AHEAD
        pending, active, count = state.cells[self.id]
        start, end = self.selection.start, self.selection.end
        if not pending:
            # Also those that came since the timer was set: no timer moves while the value holds.
            return ((active[len(active) - self.least][0] + end, False),) if self.value(state) else NOTHING_AHEAD
        if end == NEVER:
            missing = self.least - count
            return ((pending[missing - 1][0] + start, True),) if 0 < missing <= len(pending) else NOTHING_AHEAD
        entries = [entry[0] for entry in (*active, *pending) if entry[0] + end > now]
        turns = [(at + start, 1) for at, *_ in pending] + [(at + end, -1) for at in entries]
        return self._changes(state, len(entries) - len(pending), sorted(turns))

    def _changes(self, state: State, count: int, turns: list[tuple[int, int]]) -> Iterator[tuple[int, bool]]:
        before = self.value(state)
        for at, by in turns:
            count += by
            if (count >= self.least) is not before:
                before = not before
                yield at, before

    def fork(self, cell: Any) -> Any:
        return [cell[0].copy(), cell[1].copy(), cell[2]]

    def pack(self, cell: Any) -> Any:
        return [list(cell[0]), list(cell[1]), cell[2]]

    def unpack(self, packed: Any) -> Any:
        pending, active, count = packed
        return [deque(unpack_entries(pending)), deque(unpack_entries(active)), count]
