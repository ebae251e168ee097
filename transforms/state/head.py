"""The state `head` of a shelf: which commit was the last, and what the last ones wrote.

A round trip to a runner's state takes milliseconds, whatever it carries. Were each block written to the log at once, a
bundle would wait for the log's answer and for that of the head. So the head carries a few blocks itself, and they move
to the log in heaps: most bundles wait for one read and one write.
"""

from __future__ import annotations

import os
import struct
from typing import NamedTuple, Self

import msgspec

_MARK = struct.Struct(">QQ8s")
"""Bytes of all blocks, and of the first one in the log; 8 random bytes."""
_MOST_BLOCKS = 8
_MOST_BYTES = 64 * 1024
"""Blocks that a head carries, and their bytes: the head is written anew each time, so both are bounded."""
_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder(tuple[bytes, ...]).decode


class Head(NamedTuple):
    """Of a shelf that holds nothing yet by default.

    Attributes:
        logged: bytes of all blocks, those in the head included.
        whole: bytes of the first block of the log.
        salt: tells commits apart.
        recent: blocks that are not in the log yet.
    """

    logged: int = 0
    whole: int = 0
    salt: bytes = b""
    recent: tuple[bytes, ...] = ()

    @classmethod
    def unpack(cls, data: bytes | None) -> Self:
        """What `pack` gave; None: of a shelf that was never written. A mark alone is a head of the first layout."""
        if not data:
            return cls()
        logged, whole, salt = _MARK.unpack_from(data)
        return cls(logged, whole, salt, _DECODE(data[_MARK.size :]) if len(data) > _MARK.size else ())

    def pack(self) -> bytes:
        return _MARK.pack(self.logged, self.whole, self.salt) + _ENCODE(self.recent)

    def is_full(self) -> bool:
        """Whether the blocks should move to the log."""
        return len(self.recent) > _MOST_BLOCKS or sum(map(len, self.recent)) > _MOST_BYTES

    def with_block(self, block: bytes) -> Self:
        """The head after a commit that wrote one more block."""
        return type(self)(self.logged + len(block), self.whole, os.urandom(8), (*self.recent, block))

    def moved(self) -> Self:
        """The head of the same commit, its blocks in the log."""
        return self._replace(recent=())

    @classmethod
    def of_whole(cls, block: bytes) -> Self:
        """The head of a shelf whose log is this one block."""
        return cls(len(block), len(block), os.urandom(8))
