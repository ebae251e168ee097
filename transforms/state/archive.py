"""What the cells of a shelf have left behind, in a state that is only appended to until a cell needs its past.

The blocks of a bag may come back in any order: each has a number, like those of the log. An entry without data makes
the earlier ones of its key void. The archive is read whole, once in a bundle, and only when a cell asks; it is
rewritten then, if most of it is void.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from transforms.records import compress, decompress
from transforms.state.cell import checked_layout

LAYOUT = 2
"""Of a block. In layout 1 each entry was compressed for itself: what is known of a message id grew by it."""
_PLAIN, _COMPRESSED = b"\0", b"\1"
"""Before the data of an entry."""
_LARGE_BYTES = 4 * 1024
"""Entries of that size stay compressed in memory. Smaller ones are compressed together, as a block."""
_BLOCK_BYTES = 4 * 1024 * 1024
_MOST_BLOCKS = 1 << 20
"""Of one commit."""


class _Block(msgspec.Struct, array_like=True):
    number: int
    entries: list[tuple[str, bytes]]


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Block)


def _unpacked(data: bytes) -> _Block:
    layout, body = checked_layout(data, LAYOUT)
    if layout == LAYOUT:
        return _DECODER.decode(decompress(body))
    block = _DECODER.decode(body)
    block.entries = [(key, part and _COMPRESSED + part) for key, part in block.entries]
    return block


def _entry(data: bytes) -> bytes:
    return _COMPRESSED + compress(data) if len(data) > _LARGE_BYTES else _PLAIN + data


def _data(entry: bytes) -> bytes:
    return decompress(memoryview(entry)[1:]) if entry[:1] == _COMPRESSED else entry[1:]


class Archive:
    """The archive of one shelf in one bundle.

    Args:
        read: the blocks that there are.
        keeps: False where what is left behind is gone for good.
    """

    def __init__(self, read: Callable[[], Iterable[bytes]], *, keeps: bool = True) -> None:
        self.keeps = keeps
        self._read = read
        self._known: dict[str, list[bytes]] | None = None
        self._known_bytes = 0
        self._void_bytes = 0
        self._added: dict[str, list[bytes]] = {}
        self._must_rewrite = False

    def purge(self) -> None:
        """Has what is void leave the state with the next commit: it may be what somebody had erased."""
        if self.keeps:
            self._must_rewrite = True
            if self._known is None:
                self._known = self._load()

    def add(self, key: str, data: bytes) -> None:
        """Puts away a part of a cell's past."""
        if self.keeps:
            self._added.setdefault(key, []).append(_entry(data))

    def take(self, key: str) -> Iterator[bytes]:
        """A cell's past, in the order in which it was put away; then the archive has none of it."""
        if self._known is None:
            self._known = self._load()
        parts = self._known.pop(key, [])
        self._void_bytes += sum(map(len, parts))
        parts += [data for data in self._added.get(key, ()) if data]
        self._added[key] = [b""]
        return map(_data, parts)

    def _load(self) -> dict[str, list[bytes]]:
        known: dict[str, list[bytes]] = {}
        for block in sorted(map(_unpacked, self._read()), key=lambda one: one.number):
            for key, data in block.entries:
                self._known_bytes += len(data)
                if data:
                    known.setdefault(key, []).append(data)
                else:
                    self._void_bytes += sum(map(len, known.pop(key, ())))
        return known

    def commit(self, number: int) -> tuple[bool, list[bytes]]:
        """What to write: whether to clear the state first, and blocks to add. `number` is greater at each commit."""
        entries = _listed(self._added)
        self._added = {}
        too_much = self._must_rewrite and self._void_bytes > 0
        rewrite = self._known is not None and (too_much or 2 * self._void_bytes > self._known_bytes)
        if rewrite and self._known is not None:
            entries = _listed(self._known) + entries
        return rewrite, [
            bytes((LAYOUT,)) + compress(_ENCODER.encode(_Block(number * _MOST_BLOCKS + place, block)))
            for place, block in enumerate(_in_blocks(entries))
            if block
        ]


def _listed(by_key: Mapping[str, list[bytes]]) -> list[tuple[str, bytes]]:
    return [(key, data) for key, parts in by_key.items() for data in parts]


def _in_blocks(entries: Iterable[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    block: list[tuple[str, bytes]] = []
    size = 0
    for entry in entries:
        block.append(entry)
        size += len(entry[1])
        if size > _BLOCK_BYTES:
            yield block
            block, size = [], 0
    yield block
