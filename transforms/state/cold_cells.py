"""Cells of a shelf that nobody has asked for lately: in memory, compressed together, found by the hash of their keys.

A cell by itself, packed, takes 850 bytes of memory: its bytes, and what Python needs to find them. A shop has a million
profiles that do not come back. So cells that are not in use lie in chunks, some dozens in each, with an index of 16
bytes a cell, and that is about what they take in the log. To read one is to unpack its chunk: some 50 microseconds.

A chunk does not change. A cell that is taken leaves a gap in it; what is left of a chunk that has become small goes
into a new one with what comes next.
"""

from __future__ import annotations

import heapq
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator

import msgspec

from transforms.records import compress, decompress
from transforms.state.block import Entry

CHUNK_BYTES = 16 * 1024
"""Before compression. Larger ones are smaller together, and take longer to read one cell of."""
_GONE = -1


class ColdCell(msgspec.Struct, array_like=True, gc=False):
    """`due`: when it wants to be woken; `entries`: the cell, and changes of it, as in the log."""

    due: int | None
    entries: list[Entry]

    @property
    def key(self) -> str:
        return self.entries[0].key


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(list[ColdCell])


class _Chunk:
    """`live`: how many of its `size` cells are not gone. `due`: when the first of them wants to be woken, or did."""

    __slots__ = ("_bytes", "data", "due", "is_sure", "live", "size")

    def __init__(self, cells: list[ColdCell]) -> None:
        plain = _ENCODER.encode(cells)
        self._bytes = len(plain)
        self.data = compress(plain)
        self.size = self.live = len(cells)
        self.due = _first_due(cells)
        self.is_sure = True

    def is_small(self) -> bool:
        """Whether what is left comes to less than half of what a chunk has."""
        return 2 * self._bytes * self.live < CHUNK_BYTES * self.size

    def read(self) -> list[ColdCell]:
        return _DECODER.decode(decompress(self.data))


class ColdCells:
    """See the module.

    Args:
        hash_of: the hash of a key, 64 bits with a sign.
    """

    def __init__(self, hash_of: Callable[[str], int] = hash) -> None:
        self._hash_of = hash_of
        self._hashes = array("q")
        self._places = array("q")
        """For each hash, in order, the number of its chunk."""
        self._chunks: dict[int, _Chunk] = {}
        self._next = 0
        self._count = 0
        self._heap: list[tuple[int, int]] = []
        """(when its first cell wants to be woken, number of a chunk)."""

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[ColdCell]:
        """All of them."""
        for number in self._chunks:
            yield from self._live(number)

    def put(self, cells: Iterable[ColdCell]) -> list[ColdCell]:
        """Takes cells in, whose keys are not here. Returns those that it cannot hold: their hash is another's."""
        refused = list[ColdCell]()
        small = self._take_small()
        held = {place: number for place, number in zip(self._hashes, self._places, strict=True) if number != _GONE}
        chunk, size = list[ColdCell](), 0
        for cell in (*small, *cells):
            hashed = self._hash_of(cell.key)
            if hashed in held:
                refused.append(cell)
                continue
            held[hashed] = self._next
            chunk.append(cell)
            size += sum(len(entry.data) for entry in cell.entries)
            if size >= CHUNK_BYTES:
                self._add(chunk)
                chunk, size = [], 0
        if chunk:
            self._add(chunk)
        hashes = sorted(held)
        self._hashes, self._places = array("q", hashes), array("q", [held[place] for place in hashes])
        return refused

    def take(self, key: str) -> ColdCell | None:
        """A cell, which is not here any more; None: it was not."""
        place = self._find(key)
        if place is None:
            return None
        number = self._places[place]
        found = next((cell for cell in self._chunks[number].read() if cell.key == key), None)
        if found is not None:
            self._places[place] = _GONE
            self._forget_one(number, found.due)
        return found

    def next_due(self) -> int | None:
        """When the first of the cells wants to be woken."""
        heap = self._heap
        while heap:
            due, number = heap[0]
            chunk = self._chunks.get(number)
            if chunk is not None and chunk.due == due:
                if chunk.is_sure:
                    return due
                chunk.due, chunk.is_sure = _first_due(self._live(number)), True
                if chunk.due is not None:
                    heapq.heappush(heap, (chunk.due, number))
            if chunk is None or chunk.due != due:
                heapq.heappop(heap)
        return None

    def take_first_due(self) -> list[ColdCell]:
        """The cells of the chunk that has the first to be woken: they are not here any more."""
        return [] if self.next_due() is None else self._take_chunk(self._heap[0][1])

    def _add(self, cells: list[ColdCell]) -> None:
        chunk = self._chunks[self._next] = _Chunk(cells)
        if chunk.due is not None:
            heapq.heappush(self._heap, (chunk.due, self._next))
        self._count += len(cells)
        self._next += 1

    def _find(self, key: str) -> int | None:
        hashed = self._hash_of(key)
        place = bisect_left(self._hashes, hashed)
        is_here = place < len(self._hashes) and self._hashes[place] == hashed and self._places[place] != _GONE
        return place if is_here else None

    def _live(self, number: int) -> list[ColdCell]:
        """What is left of a chunk."""
        chunk = self._chunks[number]
        cells = chunk.read()
        return cells if chunk.live == chunk.size else [cell for cell in cells if self._is_in(cell.key, number)]

    def _is_in(self, key: str, number: int) -> bool:
        place = self._find(key)
        return place is not None and self._places[place] == number

    def _forget_one(self, number: int, due: int | None) -> None:
        chunk = self._chunks[number]
        self._count -= 1
        chunk.live -= 1
        if not chunk.live:
            del self._chunks[number]
        elif due is not None and due == chunk.due:
            chunk.is_sure = False

    def _take_chunk(self, number: int) -> list[ColdCell]:
        cells = self._live(number)
        for cell in cells:
            place = self._find(cell.key)
            if place is not None:
                self._places[place] = _GONE
        self._count -= len(cells)
        del self._chunks[number]
        return cells

    def _take_small(self) -> list[ColdCell]:
        small = [number for number, chunk in self._chunks.items() if chunk.is_small()]
        return [cell for number in small for cell in self._take_chunk(number)]


def _first_due(cells: Iterable[ColdCell]) -> int | None:
    return min((cell.due for cell in cells if cell.due is not None), default=None)
