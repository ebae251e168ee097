"""A block of a shelf's log: what one commit has changed, or everything.

The blocks of a log may come back in any order: each has a number, later blocks stand over earlier ones. A cell's entry
is the whole cell, or what has changed since the entry before it; a whole one without bytes says that the cell is gone.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import msgspec

from transforms.records import compress, decompress
from transforms.state.cell import checked_layout
from transforms.state.first_cells import PackedCell

LAYOUT = 2
"""Of a block. Layout 1 was compressed by zlib: three times as slow, and larger by half."""


class Entry(msgspec.Struct, array_like=True, gc=False):
    """`due`: when the cell wants to be woken, in microseconds; None: never."""

    key: str
    due: int | None
    whole: bool
    data: bytes


class Block(msgspec.Struct, array_like=True):
    number: int
    entries: list[Entry]


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Block)


def pack_block(block: Block) -> bytes:
    return bytes((LAYOUT,)) + compress(_ENCODER.encode(block))


def unpack_block(data: bytes) -> Block:
    layout, body = checked_layout(data, LAYOUT)
    return _DECODER.decode(decompress(body) if layout == LAYOUT else zlib.decompress(body))


def block_of(number: int, cells: Iterable[PackedCell]) -> bytes:
    """Whole cells as a block, the one of that number in its log."""
    return pack_block(Block(number, [Entry(key, due, whole=True, data=data) for key, due, data in cells]))
