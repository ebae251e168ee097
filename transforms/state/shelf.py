"""A shelf: the cells of one bucket of keys, in memory, and the log from which they come back.

An access to a runner's state costs the same for one byte or for many: a round trip on a portable runner, a measurement
of the worker's memory where the SDK caches state. So the cells of many keys share one log. What a bundle changes is
appended to it as one block, without reading anything; a worker that does not hold the shelf yet reads the log once.

The blocks of a log may come back in any order: each has a number, later blocks stand over earlier ones. A cell's entry
is the whole cell, or what has changed since the entry before it.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Generic, Protocol, Self, TypeVar

from transforms.state.block import Block, Entry, pack_block, unpack_block
from transforms.state.cold_cells import ColdCell, ColdCells
from transforms.state.first_cells import FirstCells

MOST_LIVE = 20_000
"""How many cells of a shelf are kept unpacked, where nobody says."""
MOST_PACKED, COLD_PART = 500, 16
"""How many are packed each by itself: so many, or that part of those that are packed together, if it is more."""


class Shelved(Protocol):
    """A cell as a shelf keeps it.

    `due`: when it wants to be woken, in microseconds; None: never. `counted`: by how much counters of the job change;
    whoever tells the job takes it out.
    """

    due: int | None
    counted: Counter[str]

    @classmethod
    def unpack(cls, key: str, data: bytes | None) -> Self: ...

    def pack(self) -> bytes: ...

    def change(self) -> bytes | None:
        """What has changed since the cell was packed or asked last; None: pack it whole."""

    def apply(self, change: bytes) -> None:
        """Takes in what `change` gave."""


Cell = TypeVar("Cell", bound=Shelved)


class Shelf(Generic[Cell]):
    """The cells of a bucket. Cells come back as they are asked for.

    Args:
        make: the class of the cells.
        blocks: the log, in any order.
        most_live: how many cells are kept unpacked.
        first: the cells that there were before the log, which goes before them; None: there were none.
    """

    def __init__(
        self,
        make: type[Cell],
        blocks: Iterable[bytes] = (),
        most_live: int = MOST_LIVE,
        first: FirstCells | None = None,
    ) -> None:
        self._make = make
        self._most_live = most_live
        self._first = first
        self._forgotten: set[str] = set()
        self._live: dict[str, Cell] = {}
        self._packed: dict[str, list[Entry]] = {}
        self._cold = ColdCells()
        self._changed: dict[str, None] = {}
        self._number = 0
        for block in sorted(map(unpack_block, blocks), key=lambda one: one.number):
            self._number = block.number
            for entry in block.entries:
                self._place(entry)
        self._due = {} if first is None else dict(first.dues())
        for key in self._forgotten:
            self._due.pop(key, None)
        for key, entries in self._packed.items():
            due = entries[-1].due
            if due is None:
                self._due.pop(key, None)
            else:
                self._due[key] = due
        self._heap: list[tuple[int, str]] = []
        self._order_dues()
        self._let_cool()

    def _order_dues(self) -> None:
        self._heap = [(due, key) for key, due in self._due.items()]
        heapq.heapify(self._heap)

    def _place(self, entry: Entry) -> None:
        if not entry.whole:
            self._packed.setdefault(entry.key, []).append(entry)
        elif entry.data:
            self._packed[entry.key] = [entry]
        else:
            self._packed.pop(entry.key, None)
            self._forget_first(entry.key)

    def count_logged(self) -> int:
        """How many cells the log tells of."""
        return len(self._live) + len(self._packed) + len(self._cold)

    def __iter__(self) -> Iterator[str]:
        """The keys of all cells."""
        keys = self._live.keys() | self._packed.keys() | {cell.key for cell in self._cold}
        if self._first is not None:
            keys |= {key for key in self._first if key not in self._forgotten}
        return iter(sorted(keys))

    def cell(self, key: str) -> Cell:
        """The cell of a key, to be changed; a new one where there is none."""
        self._changed[key] = None
        cell = self._live.pop(key, None)
        if cell is None:
            entries = self._take_packed(key)
            whole = entries.pop(0).data if entries and entries[0].whole else self._find_first(key)
            cell = self._make.unpack(key, whole)
            for entry in entries:
                cell.apply(entry.data)
            if cell.due is None:  # not every cell packs it
                cell.due = self._due.get(key)
        self._live[key] = cell  # the last one used stands last
        return cell

    def _take_packed(self, key: str) -> list[Entry]:
        """What there is of a cell that is not in use: the cell, and changes of it."""
        entries = self._packed.pop(key, None)
        if entries is None:
            cold = self._cold.take(key)
            entries = [] if cold is None else cold.entries
            if cold is not None:
                self._wake(key, cold.due)
        return entries

    @property
    def first(self) -> FirstCells | None:
        """The cells that there were before the log."""
        return self._first

    def _find_first(self, key: str) -> bytes | None:
        return None if self._first is None or key in self._forgotten else self._first.find(key)

    def _forget_first(self, key: str) -> None:
        if self._first is not None:
            self._forgotten.add(key)

    @property
    def number(self) -> int:
        """That of the last block: it grows with each."""
        return self._number

    def forget(self, key: str) -> None:
        """Takes a cell away. One that is made again before the next commit must be packed whole."""
        if self._live.pop(key, None) is None:
            self._take_packed(key)
        self._due.pop(key, None)
        self._changed[key] = None
        self._forget_first(key)

    def _wake(self, key: str, due: int | None) -> None:
        if due is None:
            self._due.pop(key, None)
        elif self._due.get(key) != due:
            self._due[key] = due
            heapq.heappush(self._heap, (due, key))

    def next_due(self) -> int | None:
        """When the first of the cells wants to be woken."""
        heap = self._heap
        while heap and self._due.get(heap[0][1]) != heap[0][0]:
            heapq.heappop(heap)
        cold = self._cold.next_due()
        if not heap or cold is None:
            return heap[0][0] if heap else cold
        return min(heap[0][0], cold)

    def due(self, until: int) -> Iterator[str]:
        """The keys of cells that are due, in order of time; each must be changed or forgotten before the next."""
        while (at := self.next_due()) is not None and at <= until:
            if self._cold.next_due() == at:  # its neighbours will be due soon: they came when it did
                for cold in self._cold.take_first_due():
                    self._packed[cold.key] = cold.entries
                    self._wake(cold.key, cold.due)
                continue
            key = self._heap[0][1]
            del self._due[key]
            yield key

    def settle(self, key: str) -> None:
        """Notes when a cell that was changed wants to be woken."""
        self._wake(key, self._live[key].due)

    def commit(self) -> bytes:
        """What has changed since the last time, as a block for the log."""
        self._number += 1
        entries = [self._entry(key) for key in self._changed]
        self._changed = {}
        self._pack_idle()
        return pack_block(Block(self._number, entries))

    def _entry(self, key: str) -> Entry:
        cell = self._live.get(key)
        if cell is None:
            return Entry(key, None, whole=True, data=b"")
        change = cell.change()
        if change is None:
            return Entry(key, cell.due, whole=True, data=cell.pack())
        return Entry(key, cell.due, whole=False, data=change)

    def whole(self) -> bytes:
        """Everything, as the one block of a new log."""
        self._number += 1
        self._changed = {}
        entries = [Entry(key, None, whole=True, data=b"") for key in self._forgotten]  # one of them may be here again
        entries += [entry for cold in self._cold for entry in cold.entries]
        entries += [entry for kept in self._packed.values() for entry in kept]
        entries += [Entry(key, cell.due, whole=True, data=cell.pack()) for key, cell in self._live.items()]
        return pack_block(Block(self._number, entries))

    def _pack_idle(self) -> None:
        """Keeps the number of unpacked cells within bounds: those that were used least lately go."""
        while len(self._live) > self._most_live:
            key = next(iter(self._live))
            cell = self._live.pop(key)
            self._packed[key] = [Entry(key, cell.due, whole=True, data=cell.pack())]
        self._let_cool()

    def _let_cool(self) -> None:
        """Packs together what was packed each by itself, when there is much of it."""
        if len(self._packed) <= max(MOST_PACKED, len(self._cold) // COLD_PART):
            return
        refused = self._cold.put(ColdCell(self._due.pop(key, None), kept) for key, kept in self._packed.items())
        self._packed = {cell.key: cell.entries for cell in refused}
        for cell in refused:
            self._wake(cell.key, cell.due)
        if len(self._heap) > 2 * len(self._due):
            self._order_dues()
